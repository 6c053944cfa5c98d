"""The only way to get an agent for somebody.

Members see the agents of their teams; whoever may call models in a team also sees, and uses, those shared with it or
with everybody. Everything else looks like nothing. Building needs the right `build` in the agent's own team.
"""

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet

from agents_app.errors import UnknownAgent, UnknownAgentVersion
from agents_app.models import Agent, AgentVersion, Audience
from console.teams.access import teams_for
from console.teams.callers import Caller
from console.teams.models import Team

# `inspect` is to see what it is made of: sharing an agent does not share its instructions.
RIGHTS = {"view": "view_team", "inspect": "view_team", "use": "use_models", "edit": "build"}


def agents_for(caller: Caller, to: str = "view") -> QuerySet[Agent]:
    """Return the living agents the caller may view, inspect, use (those that answer) or edit."""
    agents = Agent.objects.filter(archived_at=None, team__archived_at=None)
    if to == "use":
        agents = agents.filter(live__isnull=False)
    if caller.is_operator:
        return agents if caller.may(RIGHTS[to]) else agents.none()
    mine = Q(team__in=[team_id for team_id, rights in caller.rights.items() if RIGHTS[to] in rights])
    using = [team_id for team_id, rights in caller.rights.items() if "use_models" in rights]
    if to in {"view", "use"} and using:
        shared = Agent.objects.filter(audience=Audience.TEAMS, shared_with__in=using)
        mine |= Q(audience=Audience.ORGANISATION) | Q(pk__in=shared.values("pk"))
    return agents.filter(mine)


def agent_for(caller: Caller, slug: str, to: str = "view") -> Agent:
    """Return the agent, 404 for those who cannot see it, 403 for those who may not do `to` with it."""
    rows = agents_for(caller).select_related("team", "live", "draft")
    agent = rows.filter(slug=slug).first() if "\x00" not in slug else None
    if agent is None:
        raise UnknownAgent(slug.replace("\x00", "?"))
    if to != "view" and not may(caller, agent, to):
        raise PermissionDenied(f"Your role in {agent.team} does not allow that. An owner of the team can change it.")
    return agent


def may(caller: Caller, agent: Agent, to: str) -> bool:
    """Say whether the caller may do `to` with an agent they can see."""
    return agents_for(caller, to).filter(pk=agent.pk).exists()


def version_for(agent: Agent, number: int) -> AgentVersion:
    found = AgentVersion.objects.filter(agent=agent, number=number).first() if number < 2**31 else None
    if found is None:
        raise UnknownAgentVersion(agent.slug, number)
    found.agent = agent
    return found


def building_teams(caller: Caller) -> QuerySet[Team]:
    """Return the teams in which the caller may make agents."""
    return teams_for(caller, "build")
