"""What all views of an agent share."""

from django.db.models import Prefetch, QuerySet
from rest_framework.response import Response

from agents_app import access
from agents_app.models import Agent
from console.api.manage.agents.shapes import AgentSerializer
from console.api.manage.base import Endpoint
from console.teams import access as teams_access
from console.teams.models import Team


class AgentEndpoint(Endpoint):
    """A view below one agent."""

    needs = "view_team"

    def agent(self, slug: str, to: str = "inspect") -> Agent:
        return access.agent_for(self.caller, slug, to)

    def with_teams(self, rows: QuerySet[Agent]) -> QuerySet[Agent]:
        """Have at hand what an answer shows: of the teams an agent is shared with, those the caller sees."""
        visible_teams = Prefetch("shared_with", teams_access.teams_for(self.caller))
        return rows.select_related("team", "live").prefetch_related(visible_teams)

    def answer(self, agent: Agent, status: int = 200) -> Response:
        row = self.with_teams(Agent.objects.filter(pk=agent.pk)).get()
        return Response(AgentSerializer(row).data, status=status)

    def teams(self, slugs: list[str]) -> list[Team]:
        return [teams_access.team_for(self.caller, slug) for slug in slugs]
