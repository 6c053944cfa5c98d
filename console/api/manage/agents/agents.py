"""Agents over the management API: what the pages do, for programs."""

from typing import Any

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from agents_app import access, where_used
from agents_app.agent_templates import TEMPLATES
from agents_app.models import AgentVersion
from agents_app.services import agents, drafts, versions
from agents_app.services.from_template import create_from_template
from console.api.manage.agents.base import AgentEndpoint
from console.api.manage.agents.shapes import (
    AgentChangeSerializer,
    AgentDraftChangeSerializer,
    AgentPublishSerializer,
    AgentRollBackSerializer,
    AgentSerializer,
    AgentStateSerializer,
    AgentTemplateSerializer,
    AgentTemplatesSerializer,
    AgentUseSerializer,
    AgentUsesSerializer,
    AgentVersionStateSerializer,
    NewAgentSerializer,
    state_of,
)
from console.api.manage.base import listed
from console.core.errors import BadInput
from console.teams import access as teams_access


class Agents(AgentEndpoint):
    needs_to = {"POST": "build"}

    @extend_schema(
        operation_id="list_agents",
        summary="List agents, newest first",
        parameters=[OpenApiParameter("team", str, description="Only this team's own.")],
        responses=listed(AgentSerializer),
    )
    def get(self, request: Any) -> Response:
        rows = self.with_teams(access.agents_for(self.caller))
        return self.page(self.of_team(rows), AgentSerializer)

    @extend_schema(
        summary="Create an agent with its first draft",
        request=NewAgentSerializer,
        responses={201: AgentSerializer},
    )
    def post(self, request: Any) -> Response:
        body = self.read(NewAgentSerializer)
        body["team"] = teams_access.team_for(self.caller, body["team"], to="build")
        body["shared_with"] = self.teams(body.get("shared_with", []))
        if "template" in body:
            return self.answer(create_from_template(actor=self.actor, **body), status=201)
        if "name" not in body:
            raise BadInput("Give the agent a name, or say a template.", param="name")
        return self.answer(agents.create_agent(actor=self.actor, **body), status=201)


class Templates(AgentEndpoint):
    @extend_schema(
        operation_id="list_agent_templates",
        summary="List the templates an agent can start from",
        responses=AgentTemplatesSerializer,
    )
    def get(self, request: Any) -> Response:
        return Response({"data": AgentTemplateSerializer(TEMPLATES.values(), many=True).data})


class OneAgent(AgentEndpoint):
    needs_to = {"PATCH": "build", "DELETE": "build"}

    @extend_schema(summary="Show an agent", responses=AgentSerializer)
    def get(self, request: Any, slug: str) -> Response:
        return self.answer(self.agent(slug, "view"))

    @extend_schema(
        summary="Change an agent's name or audience", request=AgentChangeSerializer,
        responses=AgentSerializer,
    )  # fmt: skip
    def patch(self, request: Any, slug: str) -> Response:
        agent = self.agent(slug, "edit")
        body = self.read(AgentChangeSerializer)
        if "shared_with" in body:
            unseen = agent.shared_with.exclude(pk__in=teams_access.teams_for(self.caller))
            body["shared_with"] = [*self.teams(body["shared_with"]), *unseen]
        return self.answer(agents.change_agent(actor=self.actor, agent=agent, **body))

    @extend_schema(summary="Archive an agent nothing uses; delete one never published", responses={204: None})
    def delete(self, request: Any, slug: str) -> Response:
        agent = self.agent(slug, "edit")
        if agent.versions.exists():
            agents.archive_agent(actor=self.actor, agent=agent)
        else:
            agents.delete_agent(actor=self.actor, agent=agent)
        return Response(status=204)


class Draft(AgentEndpoint):
    needs_to = {"PATCH": "build"}

    @extend_schema(
        operation_id="agent_draft",
        summary="Show the draft, and what it lacks",
        responses=AgentStateSerializer,
    )
    def get(self, request: Any, slug: str) -> Response:
        return Response(state_of(self.agent(slug).draft))

    @extend_schema(
        operation_id="save_agent_draft",
        summary="Change fields of the draft",
        request=AgentDraftChangeSerializer,
        responses=AgentStateSerializer,
    )
    def patch(self, request: Any, slug: str) -> Response:
        agent = self.agent(slug, "edit")
        body = self.read(AgentDraftChangeSerializer)
        revision = body.pop("revision")
        return Response(state_of(drafts.save_draft(actor=self.actor, agent=agent, seen_revision=revision, **body)))


class Versions(AgentEndpoint):
    @extend_schema(
        operation_id="list_agent_versions",
        summary="List versions, newest first",
        responses=listed(AgentStateSerializer),
    )
    def get(self, request: Any, slug: str) -> Response:
        agent = self.agent(slug)
        return self.page(AgentVersion.objects.filter(agent=agent), AgentVersionStateSerializer)


class OneVersion(AgentEndpoint):
    @extend_schema(operation_id="agent_version", summary="Show a version", responses=AgentStateSerializer)
    def get(self, request: Any, slug: str, number: int) -> Response:
        return Response(state_of(access.version_for(self.agent(slug), number)))


class Publish(AgentEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="publish_agent",
        summary="Make the draft a version and let it answer",
        request=AgentPublishSerializer,
        responses={201: AgentStateSerializer},
    )
    def post(self, request: Any, slug: str) -> Response:
        agent = self.agent(slug, "edit")
        body = self.read(AgentPublishSerializer)
        version = versions.publish_agent(
            actor=self.actor,
            agent=agent,
            message=body["message"],
            seen_revision=body["revision"],
            seen_live=body.get("live"),
        )
        return Response(state_of(version), status=201)


class RollBack(AgentEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="roll_back_agent",
        summary="Let an older version answer again",
        request=AgentRollBackSerializer,
        responses=AgentSerializer,
    )
    def post(self, request: Any, slug: str) -> Response:
        agent = self.agent(slug, "edit")
        body = self.read(AgentRollBackSerializer)
        if body["to"] < 1:
            raise BadInput("to is the number of a version.", param="to")
        to = access.version_for(agent, body["to"])
        versions.roll_back_agent(
            actor=self.actor, agent=agent, to=to, reason=body["reason"], seen_revision=body["revision"]
        )
        return self.answer(agent)


class WhereUsed(AgentEndpoint):
    @extend_schema(operation_id="agent_where_used", summary="List what uses an agent", responses=AgentUsesSerializer)
    def get(self, request: Any, slug: str) -> Response:
        uses = where_used.uses_of(self.agent(slug))
        mine = set(teams_access.teams_for(self.caller).values_list("pk", flat=True))
        visible = [use for use in uses if use.team_id in mine]
        return Response({"data": AgentUseSerializer(visible, many=True).data, "hidden": len(uses) - len(visible)})


urlpatterns = [
    path("agents/", Agents.as_view(), name="agents"),
    path("agents/templates/", Templates.as_view(), name="agent_templates"),
    path("agents/<slug:slug>/", OneAgent.as_view(), name="agent"),
    path("agents/<slug:slug>/draft/", Draft.as_view(), name="agent_draft"),
    path("agents/<slug:slug>/versions/", Versions.as_view(), name="agent_versions"),
    path("agents/<slug:slug>/versions/<int:number>/", OneVersion.as_view(), name="agent_version"),
    path("agents/<slug:slug>/publish/", Publish.as_view(), name="publish_agent"),
    path("agents/<slug:slug>/roll-back/", RollBack.as_view(), name="roll_back_agent"),
    path("agents/<slug:slug>/where-used/", WhereUsed.as_view(), name="agent_where_used"),
]
