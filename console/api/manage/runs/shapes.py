"""Serializers of runs, steps, questions and approvals.

What somebody said or a tool gave is null for those who may not read content.
"""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents_app import access
from agents_app.explanations import cited
from agents_app.models import Approval, Run, RunQuestion, Step
from agents_app.queries.approvals import last_like
from agents_app.services.approvals import why_not_decide
from console.teams.callers import Caller
from console.teams.rights import rights_of_actor

NOT_SHOWN = "Null for those who may not read content."


class RunErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()


class RunAgainSerializer(serializers.Serializer[Any]):
    run = serializers.CharField()
    step = serializers.IntegerField(allow_null=True, help_text="The first step that was done anew; null for all.")


class RunSerializer(serializers.Serializer[Any]):
    """A run. Needs `agent__team`, `team` and `version` at hand, and `caller` in the context."""

    id = serializers.CharField(source="public_id")
    agent = serializers.CharField(source="agent.slug")
    version = serializers.IntegerField(source="version.number", default=None, help_text="Null for a draft.")
    team = serializers.CharField(source="team.slug", help_text="The team that pays.")
    state = serializers.ChoiceField(Run.State.choices)
    waits_for = serializers.CharField()
    title = serializers.CharField(help_text="How its message begins.")
    trigger = serializers.ChoiceField(Run.Trigger.choices)
    trigger_name = serializers.CharField()
    started_by = serializers.CharField(source="actor_name")
    environment = serializers.CharField()
    error = serializers.SerializerMethodField()
    again = serializers.SerializerMethodField(help_text="The run this one repeats.")
    called_by = serializers.SerializerMethodField(help_text="The run one of whose tools started this one.")
    is_simulated = serializers.BooleanField()
    is_step_by_step = serializers.BooleanField()
    limits = serializers.DictField()
    steps_done = serializers.IntegerField()
    model_calls = serializers.IntegerField()
    tool_calls = serializers.IntegerField()
    tokens = serializers.IntegerField()
    cost_micros = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField()
    forgotten_at = serializers.DateTimeField(help_text="When what it was given, read and said was removed.")

    def may_read(self, run: Run) -> bool:
        return access.may_read(self.context["caller"], run)

    @extend_schema_field(RunErrorSerializer(allow_null=True))
    def get_error(self, run: Run) -> dict[str, str] | None:
        return {"code": run.code, "message": run.trouble} if run.code or run.trouble else None

    @extend_schema_field(RunAgainSerializer(allow_null=True))
    def get_again(self, run: Run) -> dict[str, Any] | None:
        return {"run": f"run_{run.parent_id.hex}", "step": run.parent_step} if run.parent_id else None

    def get_called_by(self, run: Run) -> str | None:
        return f"run_{run.called_by_id.hex}" if run.called_by_id else None


class RunStepSerializer(serializers.ModelSerializer[Step]):
    """A step; `may_read` in the context says whether with its content."""

    tool = serializers.CharField(source="tool_name")
    arguments = serializers.SerializerMethodField(help_text=NOT_SHOWN)
    output = serializers.SerializerMethodField(help_text=NOT_SHOWN)
    decisions = serializers.JSONField(help_text="What the rules said of the call: effect, rule, reason; newest last.")

    class Meta:
        model = Step
        fields = [
            "number", "turn", "kind", "state", "tool", "arguments", "decisions", "output", "is_error", "trouble",
            "note", "model", "prompt_tokens", "completion_tokens", "cost_micros", "request_id", "attempts",
            "is_taken_over", "created_at", "intended_at", "ended_at",
        ]  # fmt: skip

    def get_arguments(self, step: Step) -> Any:
        return step.arguments if self.context["may_read"] else None

    def get_output(self, step: Step) -> Any:
        return step.output if self.context["may_read"] else None


class RunDetailSerializer(RunSerializer):
    """A run with what it was given, did and said."""

    input = serializers.SerializerMethodField(help_text=NOT_SHOWN)
    output = serializers.SerializerMethodField(help_text=NOT_SHOWN)
    steps = serializers.SerializerMethodField()
    approvals = serializers.SerializerMethodField(help_text="Ids of what it waits for.")

    def get_input(self, run: Run) -> Any:
        return run.input if self.may_read(run) else None

    def get_output(self, run: Run) -> Any:
        return run.output if self.may_read(run) else None

    @extend_schema_field(RunStepSerializer(many=True))
    def get_steps(self, run: Run) -> Any:
        rows = Step.objects.filter(run=run).order_by("number")
        return RunStepSerializer(rows, many=True, context={"may_read": self.may_read(run)}).data

    def get_approvals(self, run: Run) -> list[str]:
        rows = Approval.objects.filter(run=run, state=Approval.State.WAITING).order_by("expires_at", "pk")
        return [str(pk) for pk in rows.values_list("pk", flat=True)]


class RunQuestionSerializer(serializers.ModelSerializer[RunQuestion]):
    """A question about a run; `numbers` in the context are those of its steps."""

    steps = serializers.SerializerMethodField(help_text="The numbers of the steps the answer cites.")

    class Meta:
        model = RunQuestion
        fields = [
            "id",
            "question",
            "answer",
            "steps",
            "asked_by_name",
            "model",
            "request_id",
            "cost_micros",
            "created_at",
        ]

    def get_steps(self, question: RunQuestion) -> list[int]:
        parts = cited(question.answer, self.context["numbers"])
        return sorted({number for _, number in parts if number is not None})


class ComparedStepSerializer(serializers.Serializer[Any]):
    is_same = serializers.BooleanField(help_text="Whether both did the same with the same.")
    old = RunStepSerializer(allow_null=True)
    new = RunStepSerializer(allow_null=True)


class ComparedFigureSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    old = serializers.IntegerField()
    new = serializers.IntegerField()


class RunComparisonSerializer(serializers.Serializer[Any]):
    old = RunSerializer()
    new = RunSerializer()
    figures = ComparedFigureSerializer(many=True)
    steps = ComparedStepSerializer(many=True)


def may_read_call(caller: Caller, approval: Approval) -> bool:
    """Return whether the caller sees the exact arguments: people who see the approval do, keys with a scope for it."""
    if caller.user is not None:
        return True
    return caller.may("approve", approval.team_id) or access.may_read(caller, approval.run)


class ApprovalSerializer(serializers.ModelSerializer[Approval]):
    """Needs `run__agent__team`, `run__version` and `team` at hand, and `caller` in the context."""

    run = serializers.CharField(source="run.public_id")
    step = serializers.IntegerField(source="step.number")
    agent = serializers.CharField(source="run.agent.slug")
    version = serializers.IntegerField(source="run.version.number", default=None)
    team = serializers.CharField(source="team.slug")
    tool = serializers.CharField(source="tool_name")
    arguments = serializers.SerializerMethodField(help_text=f"All of them, exactly. {NOT_SHOWN}")
    answer = serializers.SerializerMethodField(help_text=NOT_SHOWN)
    reason = serializers.SerializerMethodField(help_text=f"What the model said of it. {NOT_SHOWN}")
    form = serializers.SerializerMethodField(help_text=f"What a question asks for. {NOT_SHOWN}")
    requested_by = serializers.CharField(source="run.actor_name")
    why_not = serializers.SerializerMethodField(help_text="Why the caller may not decide it; empty when they may.")

    class Meta:
        model = Approval
        fields = [
            "id", "run", "step", "agent", "version", "team", "kind", "state", "tool", "arguments", "sha256", "editable",
            "is_for_others", "rule", "reason", "form", "answer", "cost_micros", "requested_by", "why_not", "expires_at",
            "told_at", "escalate_at", "escalated_at", "message", "decided_by_name", "decided_at", "created_at",
        ]  # fmt: skip

    def get_arguments(self, approval: Approval) -> dict[str, Any] | None:
        return approval.arguments if may_read_call(self.context["caller"], approval) else None

    def get_answer(self, approval: Approval) -> dict[str, Any] | None:
        return approval.answer if may_read_call(self.context["caller"], approval) else None

    def get_reason(self, approval: Approval) -> str | None:
        return approval.reason if may_read_call(self.context["caller"], approval) else None

    def get_form(self, approval: Approval) -> dict[str, Any] | None:
        return approval.form if may_read_call(self.context["caller"], approval) else None

    def get_why_not(self, approval: Approval) -> str:
        rights_in = self.context.get("rights_in", rights_of_actor)
        return why_not_decide(self.context["caller"].actor, approval, rights_in)


class LastApprovedSerializer(serializers.ModelSerializer[Approval]):
    run = serializers.CharField(source="run.public_id")

    class Meta:
        model = Approval
        fields = ["id", "run", "arguments", "decided_by_name", "decided_at"]


class ApprovalDetailSerializer(ApprovalSerializer):
    last_approved = serializers.SerializerMethodField(help_text="The last call of the same kind that was approved.")

    class Meta(ApprovalSerializer.Meta):
        fields = [*ApprovalSerializer.Meta.fields, "last_approved"]

    @extend_schema_field(LastApprovedSerializer(allow_null=True))
    def get_last_approved(self, approval: Approval) -> Any:
        caller = self.context["caller"]
        last = last_like(approval, access.approvals_for(caller))
        if last is None or not may_read_call(caller, last):
            return None
        return LastApprovedSerializer(last).data
