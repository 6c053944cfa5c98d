"""One message: read, stop, regenerate, edit, switch branch, rate."""

import uuid
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from console.api.manage.base import AnyForm
from console.api.manage.chat.base import ChatEndpoint
from console.api.manage.chat.conversations import shown_message
from console.api.manage.chat.shapes import AnswerFeedbackSerializer, ChatMessageSerializer, MessageChangeSerializer
from console.chat.downloads import file_of
from console.chat.services import messages
from console.chat.services.feedback import give_feedback, withdraw_feedback


class OneMessage(ChatEndpoint):
    @extend_schema(
        operation_id="message",
        summary="Show a message: an answer grows while its status is `writing`",
        responses=ChatMessageSerializer,
    )
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        return Response(shown_message(self.message(pk)))


class File(ChatEndpoint):
    content_negotiation_class = AnyForm

    @extend_schema(
        operation_id="file_of_message",
        summary="What was sent of a file: an image's bytes, or text",
        responses={(200, "image/png"): OpenApiTypes.BINARY},
    )
    def get(self, request: Any, pk: uuid.UUID, place: int) -> HttpResponse:
        return file_of(self.message(pk), place)


class Stop(ChatEndpoint):
    @extend_schema(
        operation_id="stop_answer",
        summary="End an answer where it is",
        request=None,
        responses=ChatMessageSerializer,
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        return Response(shown_message(messages.stop(answer=self.message(pk, "change"))))


class Again(ChatEndpoint):
    @extend_schema(
        operation_id="regenerate_answer",
        summary="Have the same question answered again, beside the answer there is",
        request=None,
        responses={201: ChatMessageSerializer},
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        message = self.message(pk, "change")
        answer = messages.regenerate(answer=message, speaker=self.speaker(message.conversation))
        return Response(shown_message(answer), status=201)


class Edit(ChatEndpoint):
    @extend_schema(
        operation_id="edit_message",
        summary="Say something else in a message's place: a new branch, the old one stays",
        request=MessageChangeSerializer,
        responses={201: ChatMessageSerializer},
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        message = self.message(pk, "change")
        body = self.read(MessageChangeSerializer)
        attachments = [file for place, file in enumerate(message.attachments) if place not in body["without_files"]]
        speaker = self.speaker(message.conversation)
        answer = messages.edit(message=message, speaker=speaker, text=body["text"], attachments=attachments)
        return Response(shown_message(answer), status=201)


class Show(ChatEndpoint):
    @extend_schema(
        operation_id="show_branch",
        summary="Show the branch a message is on, at its newest end",
        request=None,
        responses={204: None},
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        messages.show(message=self.message(pk, "change"))
        return Response(status=204)


class AnswerFeedback(ChatEndpoint):
    @extend_schema(
        operation_id="give_feedback",
        summary="Say whether an answer helped, or change one's mind",
        request=AnswerFeedbackSerializer,
        responses={204: None},
    )
    def put(self, request: Any, pk: uuid.UUID) -> Response:
        message = self.message(pk)
        give_feedback(person=self.person, answer=message, **self.read(AnswerFeedbackSerializer))
        return Response(status=204)

    @extend_schema(operation_id="withdraw_feedback", summary="Take one's feedback back", responses={204: None})
    def delete(self, request: Any, pk: uuid.UUID) -> Response:
        withdraw_feedback(person=self.person, answer=self.message(pk))
        return Response(status=204)
