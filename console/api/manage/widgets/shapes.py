"""Serializers of widgets and their visitors' conversations."""

from typing import Any

from rest_framework import serializers

from console.api.manage.base import Strict
from console.chat.models import Conversation, Message, Position, Widget
from console.chat.queries import visits
from console.chat.queries.widgets import snippet_of


class WidgetSerializer(serializers.ModelSerializer[Widget]):
    """Needs `team` and `agent` at hand."""

    team = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]
    agent = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]
    has_identity_secret = serializers.SerializerMethodField()
    snippet = serializers.SerializerMethodField(help_text="The one line a site adds.")

    class Meta:
        model = Widget
        fields = [
            "id", "public_id", "team", "agent", "name", "title", "greeting", "colour", "position",
            "suggested_questions", "language", "origins", "limits", "needs_identity", "has_identity_secret",
            "is_enabled", "snippet", "revision", "created_at",
        ]  # fmt: skip

    def get_has_identity_secret(self, widget: Widget) -> bool:
        return bool(widget.identity_secret)

    def get_snippet(self, widget: Widget) -> str:
        return snippet_of(widget)


class _WidgetFields(Strict):
    """What a widget is. What is left out stays as it is."""

    agent = serializers.CharField(required=False, help_text="The short name of an agent that answers the team.")
    name = serializers.CharField(required=False)
    title = serializers.CharField(required=False, allow_blank=True)
    greeting = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    colour = serializers.CharField(required=False, help_text="#0b6074")
    position = serializers.ChoiceField(Position.choices, required=False)
    suggested_questions = serializers.ListField(child=serializers.CharField(), required=False)
    language = serializers.CharField(required=False, help_text="Of the fixed texts: en, de, fr, es")
    origins = serializers.ListField(child=serializers.CharField(), required=False, help_text="https://shop.example")
    limits = serializers.DictField(required=False, help_text="Its own limits, all of them; null is the usual one.")
    needs_identity = serializers.BooleanField(required=False)


class NewWidgetSerializer(_WidgetFields):
    team = serializers.CharField()
    agent = serializers.CharField()
    name = serializers.CharField()


class WidgetChangeSerializer(_WidgetFields):
    revision = serializers.IntegerField(help_text="The widget's revision this change was made on.")


class WidgetSwitchSerializer(Strict):
    enabled = serializers.BooleanField()


class WidgetSecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="What the site signs identities with. Shown once.")


class VisitSerializer(serializers.Serializer[Any]):
    """A visitor's conversation."""

    id = serializers.UUIDField(source="pk")
    visitor = serializers.SerializerMethodField()
    identity = serializers.CharField(source="visitor.identity")
    origin = serializers.CharField(source="visitor.origin")
    title = serializers.CharField()
    taken_by = serializers.CharField(source="taken_by.email", default=None)
    taken_at = serializers.DateTimeField()
    person_wanted_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()

    def get_visitor(self, talk: Conversation) -> str:
        return visits.name_of(talk)


class VisitMessageSerializer(serializers.ModelSerializer[Message]):
    helped = serializers.BooleanField(source="given", default=None, help_text="What the visitor said of it.")

    class Meta:
        model = Message
        fields = [
            "id", "parent", "role", "status", "text", "trouble", "author_name", "model", "prompt_tokens",
            "completion_tokens", "cost_micros", "request_id", "helped", "created_at",
        ]  # fmt: skip


class VisitAnswerSerializer(Strict):
    text = serializers.CharField(trim_whitespace=False)


class TakeOverSerializer(Strict):
    seen = serializers.EmailField(
        required=False, allow_null=True, help_text="Who had it when you decided; nobody unless given."
    )
