"""Serializers of conversations and messages."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from console.api.manage.audit.shapes import SourceSerializer
from console.api.manage.base import Strict
from console.chat.models import Conversation, Message
from console.core.ids import request_id


class ConversationSerializer(serializers.ModelSerializer[Conversation]):
    """Needs `agent`, `team` and `owner` at hand."""

    agent = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]
    team = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]
    owner = serializers.CharField(help_text="The name of whose it is.")
    is_mine = serializers.SerializerMethodField(help_text="Whether the caller may change it, or only read along.")
    is_pinned = serializers.SerializerMethodField()
    is_archived = serializers.SerializerMethodField()
    is_shared = serializers.SerializerMethodField(help_text="Whether the members of its team may read it.")
    shown_until = serializers.UUIDField(source="leaf_id", help_text="The last message of the branch shown.")

    class Meta:
        model = Conversation
        fields = [
            "id", "title", "agent", "team", "owner", "is_mine", "is_pinned", "is_archived", "is_shared", "shown_until",
            "created_at", "last_at",
        ]  # fmt: skip

    def get_is_mine(self, conversation: Conversation) -> bool:
        return bool(conversation.owner_id == self.context["person"].pk)

    def get_is_pinned(self, conversation: Conversation) -> bool:
        return conversation.pinned_at is not None

    def get_is_archived(self, conversation: Conversation) -> bool:
        return conversation.archived_at is not None

    def get_is_shared(self, conversation: Conversation) -> bool:
        return conversation.shared_at is not None


class AttachedFileSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    media_type = serializers.CharField()
    bytes = serializers.IntegerField()
    text = serializers.CharField(required=False, help_text="In the answer for one message only.")
    href = serializers.CharField(help_text="Where what was sent of it is: an image's bytes, or text.")


class ChatMessageSerializer(serializers.ModelSerializer[Message]):
    """Needs `agent_version` with its agent at hand, and the files as `files_without` reads them."""

    conversation = serializers.UUIDField(source="conversation_id")
    parent = serializers.UUIDField(source="parent_id", allow_null=True)  # type: ignore[assignment]
    author = serializers.CharField(source="author_name")
    files = serializers.SerializerMethodField()
    sources = SourceSerializer(many=True, read_only=True)
    trouble = serializers.CharField(help_text="Why there is no (whole) answer, in words for people.")
    agent_version = serializers.SerializerMethodField()
    request = serializers.SerializerMethodField(help_text="Finds the call in the log.")

    class Meta:
        model = Message
        fields = [
            "id", "conversation", "parent", "role", "author", "status", "text", "files", "sources", "trouble",
            "created_at", "ended_at", "agent_version", "model", "request", "prompt_tokens", "completion_tokens",
            "cost_micros",
        ]  # fmt: skip

    @extend_schema_field(AttachedFileSerializer(many=True))
    def get_files(self, message: Message) -> list[dict[str, Any]]:
        files = message.files  # type: ignore[attr-defined]
        return [
            file | {"href": reverse("api:file_of_message", args=[message.pk, place])}
            for place, file in enumerate(files)
        ]

    def get_agent_version(self, message: Message) -> str | None:
        return str(message.agent_version) if message.agent_version else None

    def get_request(self, message: Message) -> str | None:
        return request_id(message.request_id) if message.request_id else None


class NewFileSerializer(Strict):
    name = serializers.CharField(max_length=300)
    text = serializers.CharField(
        required=False, trim_whitespace=False, help_text="A file's text; PDFs are read by the page only."
    )
    data = serializers.CharField(  # type: ignore[assignment]
        required=False, help_text="Or an image's bytes in base64, if the assistant's model accepts images."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("text" in attrs) == ("data" in attrs):
            raise serializers.ValidationError("A file has its text, or an image's data.")
        return attrs


class NewMessageSerializer(Strict):
    text = serializers.CharField(required=False, default="", allow_blank=True, trim_whitespace=False)
    files = NewFileSerializer(many=True, required=False, default=list)


class NewConversationSerializer(NewMessageSerializer):
    agent = serializers.CharField(help_text="The short name of an assistant the caller may use.")


class MessageChangeSerializer(Strict):
    text = serializers.CharField(allow_blank=True, trim_whitespace=False)
    without_files = serializers.ListField(
        child=serializers.IntegerField(min_value=0), required=False, default=list, help_text="Their places, from 0."
    )


class ConversationChangeSerializer(Strict):
    title = serializers.CharField(required=False, max_length=120)
    is_pinned = serializers.BooleanField(required=False)
    is_archived = serializers.BooleanField(required=False)
    is_shared = serializers.BooleanField(required=False)


class AnswerFeedbackSerializer(Strict):
    is_good = serializers.BooleanField()
    comment = serializers.CharField(required=False, default="", allow_blank=True, max_length=1000)


class StartedSerializer(serializers.Serializer[Any]):
    conversation = ConversationSerializer()
    answer = ChatMessageSerializer(help_text="Being written; read it again until its status is another one.")
