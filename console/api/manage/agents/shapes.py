"""Serializers of agents, drafts and versions."""

from typing import Any

from rest_framework import serializers

from agents_app.agent_templates import TEMPLATES
from agents_app.definition import LIMITS, fields_of
from agents_app.models import Agent, AgentDraft, AgentVersion, Audience, Definition
from agents_app.readiness import problems
from agents_app.tryout import LONGEST, MOST_TURNS
from console.api.manage.base import Strict


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
            "settings_revision", "created_at",
        ]  # fmt: skip

    def get_model(self, agent: Agent) -> str:
        return f"agent:{agent.slug}"


class AgentFields(Strict):
    """What an agent is. What is left out stays as it is."""

    prompt_slug = serializers.CharField(required=False, allow_blank=True)
    prompt_label = serializers.CharField(required=False, allow_blank=True, help_text="Empty: the environment's.")
    prompt_number = serializers.IntegerField(required=False, allow_null=True)
    prompt_variables = serializers.DictField(required=False)
    alias = serializers.CharField(required=False, allow_blank=True)
    parameters = serializers.DictField(required=False)
    limits = serializers.DictField(required=False, help_text=", ".join(LIMITS))
    opening_message = serializers.CharField(required=False, allow_blank=True)
    suggested_questions = serializers.ListField(child=serializers.CharField(), required=False)
    knowledge = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Collections whose documents it answers from."
    )
    grants = serializers.ListField(child=serializers.DictField(), required=False, help_text="Tools it may call.")
    input_schema = serializers.DictField(required=False, allow_null=True, help_text="JSON schema of a run's input.")
    output_schema = serializers.DictField(required=False, allow_null=True, help_text="JSON schema of its answer.")


class NewAgentSerializer(AgentFields):
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
    seen_revision = serializers.IntegerField(
        required=False, help_text="The `settings_revision` you decided on; a conflict when it has grown since."
    )


class AgentDraftChangeSerializer(AgentFields):
    revision = serializers.IntegerField(help_text="The draft's revision this change was made on.")


class AgentPublishSerializer(Strict):
    revision = serializers.IntegerField(help_text="The draft's revision that was looked at.")
    live = serializers.IntegerField(required=False, help_text="The version that was live then, 0 for none.")
    message = serializers.CharField(required=False, allow_blank=True, default="")


class AgentRollBackSerializer(Strict):
    to = serializers.IntegerField(help_text="The number of the version that shall answer again.")
    reason = serializers.CharField()
    revision = serializers.IntegerField(help_text="The agent's revision that was looked at.")


class AgentStateSerializer(AgentFields):
    """A draft or a version; a draft has a revision and problems, a version a number and an author."""

    number = serializers.IntegerField(required=False)
    message = serializers.CharField(required=False)
    author = serializers.CharField(required=False)
    created_at = serializers.DateTimeField(required=False)
    revision = serializers.IntegerField(required=False)
    problems = serializers.ListField(child=serializers.CharField(), required=False)


class AgentTurnSerializer(Strict):
    role = serializers.ChoiceField(["user", "assistant"])
    content = serializers.CharField(max_length=LONGEST, allow_blank=True, trim_whitespace=False)


class AgentTrySerializer(AgentFields):
    question = serializers.CharField(max_length=LONGEST)
    turns = serializers.ListField(
        child=AgentTurnSerializer(), max_length=MOST_TURNS, default=list, help_text="What was said before."
    )


class AgentTriedSerializer(serializers.Serializer[Any]):
    answer = serializers.CharField()
    turns = AgentTurnSerializer(many=True, help_text="The talk with this answer, to send with the next question.")
    request_id = serializers.CharField(help_text="Of the call, as the log has it.")
    model = serializers.CharField(help_text="The exact version that answered.")
    cost_micros = serializers.IntegerField()


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


def state_of(definition: Definition) -> dict[str, Any]:
    state = fields_of(definition)
    if isinstance(definition, AgentVersion):
        state |= {
            "number": definition.number,
            "message": definition.message,
            "author": definition.author_name,
            "created_at": definition.created_at,
        }
    if isinstance(definition, AgentDraft):
        state |= {
            "revision": definition.revision,
            "problems": problems(definition.agent.team, definition),
        }
    return state


class AgentVersionStateSerializer(serializers.BaseSerializer[AgentVersion]):
    def to_representation(self, instance: AgentVersion) -> dict[str, Any]:
        return state_of(instance)
