"""Conversations: list, create, read, change, delete, export."""

import uuid
from typing import Any

from django.db import transaction
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from console.api.manage.base import listed
from console.api.manage.chat.base import ChatEndpoint
from console.api.manage.chat.shapes import (
    ChatMessageSerializer,
    ConversationChangeSerializer,
    ConversationSerializer,
    NewConversationSerializer,
    NewMessageSerializer,
    StartedSerializer,
)
from console.api.pagination import page_of
from console.chat import access, files, requests
from console.chat.models import Conversation, Message
from console.chat.queries.attached import files_without
from console.chat.queries.listing import said_in
from console.chat.services import conversations, messages
from console.core.downloads import download
from console.core.errors import NotFound


def shown_message(message: Message) -> dict[str, Any]:
    rows = Message.objects.select_related("agent_version__agent").defer("attachments")
    return dict(ChatMessageSerializer(rows.annotate(files=files_without("data")).get(pk=message.pk)).data)


class Conversations(ChatEndpoint):
    needs_to = {"POST": "use_models"}

    @extend_schema(
        operation_id="list_conversations",
        summary="List conversations one may read, newest first",
        parameters=[
            OpenApiParameter("q", str, description="Only those whose title or messages have these words."),
            OpenApiParameter("agent", str, description="Only those with this assistant."),
            OpenApiParameter("archived", bool, description="Only archived ones; without it, only the others."),
        ],
        responses=listed(ConversationSerializer),
    )
    def get(self, request: Any) -> Response:
        parameters = request.query_params
        rows = access.conversations_for(self.caller).filter(leaf__isnull=False)
        if agent := parameters.get("agent"):
            rows = rows.filter(agent__slug=agent)
        rows = rows.filter(archived_at__isnull=not self.flag("archived"))
        if words := parameters.get("q", ""):
            rows = rows.filter(said_in(words[:200]))
        conversations, after = page_of(request, rows.select_related("agent", "team", "owner"))
        data = ConversationSerializer(conversations, many=True, context={"person": self.person})
        return Response({"data": data.data, "next": after})

    @extend_schema(
        operation_id="start_conversation",
        summary="Start a conversation with its first message",
        request=NewConversationSerializer,
        responses={201: StartedSerializer},
    )
    def post(self, request: Any) -> Response:
        body = self.read(NewConversationSerializer)
        agent = access.agents_to_talk_to(self.caller).filter(slug=body["agent"]).first()
        if agent is None:
            raise NotFound("There is no such assistant, or you may not use it.", param="agent")
        attachments = files.of_values(body["files"], sees=bool(body["files"]) and requests.sees(agent))
        with transaction.atomic():
            conversation = conversations.start_conversation(
                owner=self.person, team=access.team_for_agent(self.caller, agent), agent=agent
            )
            answer = messages.send(
                conversation=conversation,
                speaker=self.speaker(conversation),
                text=body["text"],
                attachments=attachments,
            )
        content = {"conversation": _conversation_data(self, conversation.pk), "answer": shown_message(answer)}
        return Response(content, status=201)


def _conversation_data(view: ChatEndpoint, pk: uuid.UUID) -> dict[str, Any]:
    return dict(ConversationSerializer(view.conversation(pk), context={"person": view.person}).data)


class OneConversation(ChatEndpoint):
    @extend_schema(operation_id="conversation", summary="Show a conversation", responses=ConversationSerializer)
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        return Response(_conversation_data(self, pk))

    @extend_schema(
        operation_id="change_conversation",
        summary="Rename, pin, archive or share a conversation",
        request=ConversationChangeSerializer,
        responses=ConversationSerializer,
    )
    def patch(self, request: Any, pk: uuid.UUID) -> Response:
        conversation = self.conversation(pk, "change")
        body = self.read(ConversationChangeSerializer)
        with transaction.atomic():
            if "title" in body:
                conversations.rename(conversation=conversation, title=body["title"])
            if "is_pinned" in body:
                conversations.pin(conversation=conversation, is_pinned=body["is_pinned"])
            if "is_archived" in body:
                conversations.archive(conversation=conversation, is_archived=body["is_archived"])
            if "is_shared" in body:
                conversations.share(actor=self.actor, conversation=conversation, is_shared=body["is_shared"])
        return Response(_conversation_data(self, pk))

    @extend_schema(
        operation_id="delete_conversation",
        summary="Delete a conversation with its messages",
        responses={204: None},
    )
    def delete(self, request: Any, pk: uuid.UUID) -> Response:
        conversations.delete(actor=self.actor, conversation=self.conversation(pk, "change"))
        return Response(status=204)


class Messages(ChatEndpoint):
    @extend_schema(
        operation_id="list_messages",
        summary="List the messages of every branch, newest first",
        responses=listed(ChatMessageSerializer),
    )
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        conversation: Conversation = self.conversation(pk)
        rows = Message.objects.filter(conversation=conversation).select_related("agent_version__agent")
        rows = rows.defer("attachments").annotate(files=files_without("text", "data"))
        return self.page(rows, ChatMessageSerializer)

    @extend_schema(
        operation_id="send_message",
        summary="Say something at the end of the branch shown",
        request=NewMessageSerializer,
        responses={201: ChatMessageSerializer},
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        conversation = self.conversation(pk, "change")
        body = self.read(NewMessageSerializer)
        attachments = files.of_values(body["files"], sees=bool(body["files"]) and requests.sees(conversation.agent))
        answer = messages.send(
            conversation=conversation, speaker=self.speaker(conversation), text=body["text"], attachments=attachments
        )
        return Response(shown_message(answer), status=201)


class Export(ChatEndpoint):
    @extend_schema(
        operation_id="export_conversation",
        summary="Export the branch shown as Markdown, or every branch as JSON",
        parameters=[OpenApiParameter("as", str, enum=["json", "markdown"], description="json, unless said otherwise.")],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Any, pk: uuid.UUID) -> HttpResponseBase:
        conversation = self.conversation(pk)
        if self.choice("as", ["json", "markdown"], "json") == "json":
            chunks = conversations.export_json(actor=self.actor, conversation=conversation)
            return download(request._request, chunks, f"conversation-{conversation.pk}.json", "application/json")
        return Response({"markdown": conversations.export_markdown(actor=self.actor, conversation=conversation)})
