"""Serializers of prompts, versions, labels and reviews."""

from typing import Any

from rest_framework import serializers

from console.api.manage.base import Strict, seen_revision
from prompts_app.models import (
    Draft,
    Kind,
    Label,
    LabelMove,
    LabelRule,
    Prompt,
    PromptVersion,
    Review,
    ReviewComment,
    Visibility,
    Waiver,
)
from prompts_app.text.refs import Ref

_Anything = serializers.JSONField


class PromptSerializer(serializers.ModelSerializer[Prompt]):
    """Needs `team`, `head` and `labels` with their versions at hand."""

    team = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]
    head = serializers.IntegerField(source="head.number", help_text="The number of the newest version.")
    revision = serializers.IntegerField(
        source="settings_revision", help_text="Grows with every change of its settings."
    )
    labels = serializers.SerializerMethodField(help_text="The number each label points at, by name.")

    class Meta:
        model = Prompt
        fields = [
            "id", "slug", "team", "kind", "visibility", "description", "tags", "head", "labels", "is_required",
            "revision", "calls", "created_at", "changed_at",
        ]  # fmt: skip

    def get_labels(self, prompt: Prompt) -> dict[str, int]:
        return {label.name: label.version.number for label in prompt.labels.all()}


def _with_text(message: Any) -> Any:
    """Return a message with its `text`, which OpenAI's messages call `content`."""
    if not isinstance(message, dict) or "content" not in message:
        return message
    if "text" in message:
        raise serializers.ValidationError({"content": ["text and content are the same; give one of them."]})
    if not isinstance(message["content"], str):
        raise serializers.ValidationError({"content": ["The content of a prompt's message is one text."]})
    return {"text" if name == "content" else name: value for name, value in message.items()}


class MessageSerializer(Strict):
    role = serializers.CharField(default="", allow_blank=True, help_text="system, user or assistant in a chat.")
    text = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    content = serializers.CharField(required=False, allow_blank=True, help_text="Instead of text, as OpenAI says it.")

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(_with_text(data))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "text" not in attrs:
            raise serializers.ValidationError({"text": ["This field is required."]})
        return attrs


class VariableSerializer(Strict):
    name = serializers.CharField()
    type = serializers.CharField(default="text", help_text="text, number, choice or json")
    is_required = serializers.BooleanField(default=True)
    default = _Anything(default=None, allow_null=True)
    example = _Anything(default=None, allow_null=True)
    choices = serializers.ListField(child=serializers.CharField(), default=list)


class _Text(Strict):
    content = MessageSerializer(many=True)
    variables = VariableSerializer(
        many=True, default=list, help_text="What the text uses and this leaves out becomes a required text."
    )
    parameters = _Anything(default=dict, help_text="Defaults that lie under the pin's and the caller's own.")
    message = serializers.CharField(default="", allow_blank=True, max_length=500, help_text="Why it was written.")


class NewPromptSerializer(_Text):
    team = serializers.SlugField()
    slug = serializers.CharField(max_length=200, help_text="support/live-chat-answer")
    kind = serializers.ChoiceField(choices=Kind.choices, default=Kind.TEXT)
    visibility = serializers.ChoiceField(choices=Visibility.choices, default=Visibility.TEAM)
    description = serializers.CharField(default="", allow_blank=True, max_length=300)
    tags = serializers.ListField(child=serializers.CharField(max_length=40), default=list)


class NewVersionSerializer(_Text):
    parent = serializers.IntegerField(help_text="The number it was written on; 409 when there is a newer one.")  # type: ignore[assignment]


class PromptChangeSerializer(Strict):
    visibility = serializers.ChoiceField(choices=Visibility.choices, required=False)
    description = serializers.CharField(required=False, allow_blank=True, max_length=300)
    tags = serializers.ListField(child=serializers.CharField(max_length=40), required=False)
    is_required = serializers.BooleanField(required=False, help_text="Prompts of the teams covered must include it.")
    covers = serializers.ListField(
        child=serializers.SlugField(), required=False, help_text="Teams; empty: every team of the installation."
    )
    seen_revision = seen_revision()


class VersionSerializer(serializers.ModelSerializer[PromptVersion]):
    parent = serializers.IntegerField(source="parent.number", allow_null=True, default=None)  # type: ignore[assignment]
    includes = serializers.SerializerMethodField(help_text="Refs of the partials it names.")

    class Meta:
        model = PromptVersion
        fields = [
            "id", "number", "content", "variables", "parameters", "includes", "message", "parent", "author_name",
            "created_at",
        ]  # fmt: skip

    def get_includes(self, version: PromptVersion) -> list[str]:
        return [str(Ref(include["slug"], include["number"], include["label"])) for include in version.includes]


class LabelSerializer(serializers.ModelSerializer[Label]):
    version = serializers.IntegerField(source="version.number")

    class Meta:
        model = Label
        fields = ["name", "version", "revision", "moved_at"]


class LabelMoveSerializer(serializers.ModelSerializer[LabelMove]):
    from_version = serializers.IntegerField(source="from_version.number", allow_null=True, default=None)
    to_version = serializers.IntegerField(source="to_version.number", allow_null=True, default=None)

    class Meta:
        model = LabelMove
        fields = ["id", "label", "from_version", "to_version", "reason", "moved_by_name", "moved_at"]


class _Move(Strict):
    reason = serializers.CharField(max_length=500)
    seen_revision = serializers.IntegerField(
        help_text="The label's revision you decided on; 0 for a label that is not there yet."
    )


class PublishSerializer(_Move):
    version = serializers.IntegerField()


class MoveBackSerializer(_Move):
    """Roll a label back, or take it off."""


class RuleSerializer(serializers.ModelSerializer[LabelRule]):
    team = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]

    class Meta:
        model = LabelRule
        fields = ["id", "team", "label", "needs_review", "needs_green_tests"]


class RuleChangeSerializer(Strict):
    team = serializers.SlugField()
    label = serializers.CharField(max_length=40)  # type: ignore[assignment]
    needs_review = serializers.BooleanField()
    needs_green_tests = serializers.BooleanField(default=False, help_text="Neither of the two ends the rule.")


class ReviewSerializer(serializers.ModelSerializer[Review]):
    prompt = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]
    version = serializers.IntegerField(source="version.number")
    from_version = serializers.IntegerField(source="from_version.number", allow_null=True, default=None)

    class Meta:
        model = Review
        fields = [
            "id", "prompt", "label", "version", "from_version", "seen_revision", "reason", "status",
            "requested_by_name", "requested_at", "decided_by_name", "decided_at", "decision_note",
        ]  # fmt: skip


class CommentSerializer(serializers.ModelSerializer[ReviewComment]):
    class Meta:
        model = ReviewComment
        fields = ["id", "message_index", "line", "text", "author_name", "created_at"]


class OneReviewSerializer(ReviewSerializer):
    comments = CommentSerializer(many=True)

    class Meta(ReviewSerializer.Meta):
        fields = [*ReviewSerializer.Meta.fields, "comments"]


class NewReviewSerializer(PublishSerializer):
    label = serializers.CharField(max_length=40)  # type: ignore[assignment]


class NewCommentSerializer(Strict):
    text = serializers.CharField(max_length=2000)
    message_index = serializers.IntegerField(default=None, allow_null=True)
    line = serializers.IntegerField(default=None, allow_null=True)


class DecisionSerializer(Strict):
    decision = serializers.ChoiceField(choices=["approve", "changes"])
    note = serializers.CharField(default="", allow_blank=True, max_length=1000)


class WaiverSerializer(serializers.ModelSerializer[Waiver]):
    partial = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[assignment, var-annotated]

    class Meta:
        model = Waiver
        fields = ["id", "partial", "reason", "given_by_name", "given_at"]


class NewWaiverSerializer(Strict):
    partial = serializers.CharField(max_length=200)  # type: ignore[assignment]
    reason = serializers.CharField(max_length=500)


class DraftSerializer(serializers.ModelSerializer[Draft]):
    base = serializers.IntegerField(source="base.number", allow_null=True, default=None)

    class Meta:
        model = Draft
        fields = ["base", "content", "variables", "parameters", "message", "changed_at"]


class DraftChangeSerializer(Strict):
    base = serializers.IntegerField(default=None, allow_null=True)
    content = serializers.ListField(child=serializers.DictField())
    variables = serializers.ListField(child=serializers.DictField(), default=list)
    parameters = serializers.DictField(default=dict)
    message = serializers.CharField(default="", allow_blank=True, max_length=500)

    def validate_content(self, content: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [_with_text(message) for message in content]


class RenderSerializer(Strict):
    version = serializers.IntegerField(default=None, allow_null=True)
    label = serializers.CharField(default=None, allow_null=True, max_length=40)  # type: ignore[assignment]
    variables = serializers.DictField(child=_Anything(allow_null=True), default=dict)
    environment = serializers.ChoiceField(
        choices=["production", "sandbox"], required=False, help_text="The key's own unless given."
    )
    draft = serializers.BooleanField(default=False, help_text="Your own draft instead of a version.")


class RenderedSerializer(serializers.Serializer[Any]):
    prompt = serializers.CharField(help_text="support/answer@7; of a draft the name alone")
    messages = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))
    took_part = serializers.ListField(child=serializers.DictField(), help_text="The prompt, then its partials.")
    parameters = serializers.DictField()


class UseSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    name = serializers.CharField()
    team = serializers.CharField(allow_blank=True)
    holds = serializers.BooleanField(help_text="The prompt cannot be deleted while this is there.")
    calls = serializers.IntegerField()
    detail = serializers.CharField(allow_blank=True)


class WhereUsedSerializer(serializers.Serializer[Any]):
    data = UseSerializer(many=True)  # type: ignore[assignment]
    hidden = serializers.IntegerField(help_text="Uses by teams that are not the caller's.")


class ComparisonSerializer(serializers.Serializer[Any]):
    a = serializers.IntegerField()
    b = serializers.IntegerField()
    messages = serializers.ListField(child=serializers.DictField())
    variables = serializers.ListField(child=serializers.DictField())
    parameters = serializers.ListField(child=serializers.DictField())


class VersionFiguresSerializer(serializers.Serializer[Any]):
    """What the calls of one version came to; null where there were none to divide by."""

    version = serializers.IntegerField(source="number")
    labels = serializers.ListField(child=serializers.CharField(), help_text="That point at it now.")
    requests = serializers.IntegerField(source="calls")
    errors = serializers.IntegerField()  # type: ignore[assignment]
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    cost_micros = serializers.IntegerField()
    cost_micros_each = serializers.IntegerField(source="cost_each", allow_null=True, help_text="Cost of a call.")
    latency_p50_us = serializers.IntegerField(source="p50", allow_null=True)
    latency_p95_us = serializers.IntegerField(source="p95", allow_null=True)
    good = serializers.IntegerField(help_text="Ratings that called an answer good.")
    bad = serializers.IntegerField()
    scored = serializers.IntegerField(help_text="How many of the ratings have a score.")
    score = serializers.FloatField(allow_null=True, help_text="The mean of those.")


class PromptFiguresSerializer(serializers.Serializer[Any]):
    days = serializers.IntegerField()
    since = serializers.DateField(help_text="The first of these days, UTC.")
    environment = serializers.CharField()
    data = VersionFiguresSerializer(many=True)  # type: ignore[assignment]
