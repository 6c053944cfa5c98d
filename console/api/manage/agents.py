"""Agents over the management API: what the pages do, for programs."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agents_app import access, where_used
from agents_app.agent_templates import TEMPLATES
from agents_app.definition import LIMITS, fields_of
from agents_app.models import Agent, AgentDraft, AgentVersion, Audience, Definition
from agents_app.readiness import problems
from agents_app.services import agents, drafts, versions
from agents_app.services.from_template import create_from_template
from console.api.manage.base import Endpoint, Strict, listed
from console.core.errors import BadInput
from console.teams import access as teams_access
from console.teams.models import Team


class AgentSerializer(serializers.ModelSerializer[Agent]):
    """Needs `team`, `live` and `shared_with` at hand."""

    team = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]
    model = serializers.SerializerMethodField(help_text="The name to call at /v1/chat/completions.")
    live = serializers.IntegerField(
        source="live.number", default=None, help_text="The number of the version that answers; null for none."
    )
    shared_with = serializers.SlugRelatedField("slug", many=True, read_only=True)  # type: ignore[var-annotated]

    class Meta:
        model = Agent
        fields = [
            "id", "slug", "model", "team", "name", "description", "audience", "shared_with", "live", "revision",
            "created_at",
        ]  # fmt: skip

    def get_model(self, agent: Agent) -> str:
        return f"agent:{agent.slug}"


class _Definition(Strict):
    """What an agent is. What is left out stays as it is."""

    prompt_slug = serializers.CharField(required=False, allow_blank=True)
    prompt_label = serializers.CharField(required=False, allow_blank=True, help_text="Empty: the environment's.")
    prompt_number = serializers.IntegerField(required=False, allow_null=True)
    prompt_variables = serializers.DictField(required=False)
    alias = serializers.CharField(required=False, allow_blank=True)
    parameters = serializers.DictField(required=False)
    limits = serializers.DictField(required=False, help_text=f"{', '.join(LIMITS)}")
    opening_message = serializers.CharField(required=False, allow_blank=True)
    suggested_questions = serializers.ListField(child=serializers.CharField(), required=False)
    knowledge = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Collections whose documents it answers from."
    )
    grants = serializers.ListField(child=serializers.DictField(), required=False, help_text="Tools it may call.")
    input_schema = serializers.DictField(required=False, allow_null=True, help_text="JSON schema of a run's input.")
    output_schema = serializers.DictField(required=False, allow_null=True, help_text="JSON schema of its answer.")


class NewAgentSerializer(_Definition):
    team = serializers.CharField()
    slug = serializers.CharField()
    name = serializers.CharField(required=False, help_text="May be left out with a template.")
    template = serializers.CharField(required=False, help_text=f"Fills the draft: {', '.join(TEMPLATES)}.")
    description = serializers.CharField(required=False, allow_blank=True)
    audience = serializers.ChoiceField(Audience.choices, required=False)
    shared_with = serializers.ListField(child=serializers.CharField(), required=False)


class AgentChangeSerializer(Strict):
    name = serializers.CharField(required=False)
    description = serializers.CharField(required=False, allow_blank=True)
    audience = serializers.ChoiceField(Audience.choices, required=False)
    shared_with = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Teams you do not see stay as they are."
    )


class AgentDraftChangeSerializer(_Definition):
    revision = serializers.IntegerField(help_text="The draft's revision this change was made on.")


class AgentPublishSerializer(Strict):
    revision = serializers.IntegerField(help_text="The draft's revision that was looked at.")
    live = serializers.IntegerField(required=False, help_text="The version that was live then, 0 for none.")
    message = serializers.CharField(required=False, allow_blank=True, default="")


class AgentRollBackSerializer(Strict):
    to = serializers.IntegerField(help_text="The number of the version that shall answer again.")
    reason = serializers.CharField()
    revision = serializers.IntegerField(help_text="The agent's revision that was looked at.")


class AgentStateSerializer(_Definition):
    """A draft or a version; a draft has a revision and problems, a version a number and an author."""

    number = serializers.IntegerField(required=False)
    message = serializers.CharField(required=False)
    author = serializers.CharField(required=False)
    created_at = serializers.DateTimeField(required=False)
    revision = serializers.IntegerField(required=False)
    problems = serializers.ListField(child=serializers.CharField(), required=False)


class AgentToolNeedSerializer(serializers.Serializer[Any]):
    slug = serializers.CharField()
    kind = serializers.CharField(help_text="A built-in kind, made with the agent; empty: the team makes it.")
    sentence = serializers.CharField()


class AgentTemplateSerializer(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()
    sentence = serializers.CharField()
    instructions = serializers.CharField()
    tools = AgentToolNeedSerializer(many=True)
    limits = serializers.DictField()
    input_schema = serializers.DictField(allow_null=True)
    output_schema = serializers.DictField()


class AgentTemplatesSerializer(serializers.Serializer[Any]):
    data = AgentTemplateSerializer(many=True)  # type: ignore[assignment]


class AgentUseSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    name = serializers.CharField()
    team = serializers.CharField()
    holds = serializers.BooleanField()


class AgentUsesSerializer(serializers.Serializer[Any]):
    data = AgentUseSerializer(many=True)  # type: ignore[assignment]
    hidden = serializers.IntegerField(help_text="How many more belong to teams that are not the caller's.")


def _state(definition: Definition) -> dict[str, Any]:
    shown = fields_of(definition)
    if isinstance(definition, AgentVersion):
        shown |= {
            "number": definition.number,
            "message": definition.message,
            "author": definition.author_name,
            "created_at": definition.created_at,
        }
    if isinstance(definition, AgentDraft):
        shown |= {
            "revision": definition.revision,
            "problems": problems(definition.agent.team, definition),
        }
    return shown


class _VersionSerializer(serializers.BaseSerializer[AgentVersion]):
    def to_representation(self, instance: AgentVersion) -> dict[str, Any]:
        return _state(instance)


class AgentEndpoint(Endpoint):
    """A view below one agent."""

    needs = "view_team"

    def agent(self, slug: str, to: str = "inspect") -> Agent:
        return access.agent_for(self.caller, slug, to)

    def with_teams(self, rows: QuerySet[Agent]) -> QuerySet[Agent]:
        """Have at hand what an answer shows: of the teams an agent is shared with, those the caller sees."""
        seen = Prefetch("shared_with", teams_access.teams_for(self.caller))
        return rows.select_related("team", "live").prefetch_related(seen)

    def shown(self, agent: Agent, status: int = 200) -> Response:
        row = self.with_teams(Agent.objects.filter(pk=agent.pk)).get()
        return Response(AgentSerializer(row).data, status=status)

    def teams(self, slugs: list[str]) -> list[Team]:
        return [teams_access.team_for(self.caller, slug) for slug in slugs]


class Agents(AgentEndpoint):
    needs_to = {"POST": "build"}

    @extend_schema(
        operation_id="list_agents",
        tags=["agents"],
        summary="List agents, newest first",
        parameters=[OpenApiParameter("team", str, description="Only this team's own.")],
        responses=listed(AgentSerializer),
    )
    def get(self, request: Any) -> Response:
        rows = self.with_teams(access.agents_for(self.caller))
        if team := request.query_params.get("team"):
            rows = rows.filter(team=teams_access.team_for(self.caller, team))
        return self.page(rows, AgentSerializer)

    @extend_schema(
        tags=["agents"],
        summary="Create an agent with its first draft",
        request=NewAgentSerializer,
        responses={201: AgentSerializer},
    )
    def post(self, request: Any) -> Response:
        given = self.read(NewAgentSerializer)
        given["team"] = teams_access.team_for(self.caller, given["team"], to="build")
        given["shared_with"] = self.teams(given.get("shared_with", []))
        if "template" in given:
            return self.shown(create_from_template(actor=self.actor, **given), status=201)
        if "name" not in given:
            raise BadInput("Give the agent a name, or say a template.", param="name")
        return self.shown(agents.create_agent(actor=self.actor, **given), status=201)


class Templates(AgentEndpoint):
    @extend_schema(
        operation_id="list_agent_templates",
        tags=["agents"],
        summary="List the templates an agent can start from",
        responses=AgentTemplatesSerializer,
    )
    def get(self, request: Any) -> Response:
        return Response({"data": AgentTemplateSerializer(TEMPLATES.values(), many=True).data})


class OneAgent(AgentEndpoint):
    needs_to = {"PATCH": "build", "DELETE": "build"}

    @extend_schema(tags=["agents"], summary="Show an agent", responses=AgentSerializer)
    def get(self, request: Any, slug: str) -> Response:
        return self.shown(self.agent(slug, "view"))

    @extend_schema(
        tags=["agents"], summary="Change an agent's name or audience", request=AgentChangeSerializer,
        responses=AgentSerializer,
    )  # fmt: skip
    def patch(self, request: Any, slug: str) -> Response:
        agent = self.agent(slug, "edit")
        given = self.read(AgentChangeSerializer)
        if "shared_with" in given:
            unseen = agent.shared_with.exclude(pk__in=teams_access.teams_for(self.caller))
            given["shared_with"] = [*self.teams(given["shared_with"]), *unseen]
        return self.shown(agents.change_agent(actor=self.actor, agent=agent, **given))

    @extend_schema(
        tags=["agents"], summary="Archive an agent nothing uses; delete one never published", responses={204: None}
    )
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
        tags=["agents"],
        summary="Show the draft, and what it lacks",
        responses=AgentStateSerializer,
    )
    def get(self, request: Any, slug: str) -> Response:
        return Response(_state(self.agent(slug).draft))

    @extend_schema(
        operation_id="save_agent_draft",
        tags=["agents"],
        summary="Change fields of the draft",
        request=AgentDraftChangeSerializer,
        responses=AgentStateSerializer,
    )
    def patch(self, request: Any, slug: str) -> Response:
        agent = self.agent(slug, "edit")
        given = self.read(AgentDraftChangeSerializer)
        seen = given.pop("revision")
        return Response(_state(drafts.save_draft(actor=self.actor, agent=agent, seen_revision=seen, **given)))


class Versions(AgentEndpoint):
    @extend_schema(
        operation_id="list_agent_versions",
        tags=["agents"],
        summary="List versions, newest first",
        responses=listed(AgentStateSerializer),
    )
    def get(self, request: Any, slug: str) -> Response:
        agent = self.agent(slug)
        return self.page(AgentVersion.objects.filter(agent=agent), _VersionSerializer)


class OneVersion(AgentEndpoint):
    @extend_schema(
        operation_id="agent_version", tags=["agents"], summary="Show a version", responses=AgentStateSerializer
    )
    def get(self, request: Any, slug: str, number: int) -> Response:
        return Response(_state(access.version_for(self.agent(slug), number)))


class Publish(AgentEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="publish_agent",
        tags=["agents"],
        summary="Make the draft a version and let it answer",
        request=AgentPublishSerializer,
        responses={201: AgentStateSerializer},
    )
    def post(self, request: Any, slug: str) -> Response:
        agent = self.agent(slug, "edit")
        given = self.read(AgentPublishSerializer)
        version = versions.publish_agent(
            actor=self.actor,
            agent=agent,
            message=given["message"],
            seen_revision=given["revision"],
            seen_live=given.get("live"),
        )
        return Response(_state(version), status=201)


class RollBack(AgentEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="roll_back_agent",
        tags=["agents"],
        summary="Let an older version answer again",
        request=AgentRollBackSerializer,
        responses=AgentSerializer,
    )
    def post(self, request: Any, slug: str) -> Response:
        agent = self.agent(slug, "edit")
        given = self.read(AgentRollBackSerializer)
        if given["to"] < 1:
            raise BadInput("to is the number of a version.", param="to")
        to = access.version_for(agent, given["to"])
        versions.roll_back_agent(
            actor=self.actor, agent=agent, to=to, reason=given["reason"], seen_revision=given["revision"]
        )
        return self.shown(agent)


class WhereUsed(AgentEndpoint):
    @extend_schema(
        operation_id="agent_where_used",
        tags=["agents"],
        summary="List what uses an agent",
        responses=AgentUsesSerializer,
    )
    def get(self, request: Any, slug: str) -> Response:
        uses = where_used.uses_of(self.agent(slug))
        mine = set(teams_access.teams_for(self.caller).values_list("pk", flat=True))
        shown = [use for use in uses if use.team_id in mine]
        return Response({"data": AgentUseSerializer(shown, many=True).data, "hidden": len(uses) - len(shown)})


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
