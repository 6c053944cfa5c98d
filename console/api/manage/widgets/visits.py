"""Visitors' conversations: read, answer, take over from the assistant, give back."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from console.api.manage.base import listed
from console.api.manage.widgets.shapes import (
    TakeOverSerializer,
    VisitAnswerSerializer,
    VisitMessageSerializer,
    VisitSerializer,
)
from console.api.manage.widgets.widgets import WidgetEndpoint
from console.chat import access
from console.chat.models import Conversation
from console.chat.queries import visits
from console.chat.services import handover
from console.core.errors import NotAllowed
from console.teams.models import User


class VisitEndpoint(WidgetEndpoint):
    """A view of what visitors say. Keys need the scope for content, as for the log; people answer, keys only read."""

    def person(self) -> User:
        if self.caller.user is None:
            raise NotAllowed("Only a person can answer visitors; a key cannot.", code="person_required")
        return self.caller.user

    def visit(self, widget_id: uuid.UUID, pk: uuid.UUID, to: str = "read") -> Conversation:
        return access.visit_for(self.caller, widget_id, pk, to)

    def shown_visit(self, talk: Conversation) -> Response:
        row = Conversation.objects.select_related("visitor", "taken_by").get(pk=talk.pk)
        return Response(VisitSerializer(row).data)


class Visits(VisitEndpoint):
    @extend_schema(
        operation_id="list_widget_conversations",
        summary="List visitors' conversations, newest first",
        responses=listed(VisitSerializer),
    )
    def get(self, request: Any, widget_id: uuid.UUID) -> Response:
        widget = self.widget(widget_id, "read")
        return self.page(access.visits_of(widget).select_related("visitor", "taken_by"), VisitSerializer)


class OneVisit(VisitEndpoint):
    @extend_schema(
        operation_id="widget_conversation",
        summary="Show a visitor's conversation",
        responses=VisitSerializer,
    )
    def get(self, request: Any, widget_id: uuid.UUID, pk: uuid.UUID) -> Response:
        return self.shown_visit(self.visit(widget_id, pk))


class VisitMessages(VisitEndpoint):
    needs_to = {"POST": "use_models"}

    @extend_schema(
        operation_id="list_widget_messages",
        summary="List what was said, newest first",
        responses=listed(VisitMessageSerializer),
    )
    def get(self, request: Any, widget_id: uuid.UUID, pk: uuid.UUID) -> Response:
        return self.page(visits.messages_of(self.visit(widget_id, pk)), VisitMessageSerializer)

    @extend_schema(
        operation_id="answer_visitor",
        summary="Answer the visitor, in a conversation one has taken over",
        request=VisitAnswerSerializer,
        responses={201: VisitMessageSerializer},
    )
    def post(self, request: Any, widget_id: uuid.UUID, pk: uuid.UUID) -> Response:
        talk = self.visit(widget_id, pk, "answer")
        text = self.read(VisitAnswerSerializer)["text"]
        message = handover.say(person=self.person(), conversation=talk, text=text)
        return Response(VisitMessageSerializer(message).data, status=201)


class TakeOver(VisitEndpoint):
    needs = "use_models"

    @extend_schema(
        operation_id="take_over",
        summary="Answer a visitor in the assistant's place",
        request=TakeOverSerializer,
        responses=VisitSerializer,
    )
    def post(self, request: Any, widget_id: uuid.UUID, pk: uuid.UUID) -> Response:
        talk, person = self.visit(widget_id, pk, "answer"), self.person()
        holder_seen = self.read(TakeOverSerializer).get("seen")
        holder = talk.taken_by
        seen_id = holder.pk if holder_seen and holder and holder.email == holder_seen else None
        handover.take_over(actor=self.actor, person=person, conversation=talk, seen=seen_id)
        return self.shown_visit(talk)


class GiveBack(VisitEndpoint):
    needs = "use_models"

    @extend_schema(
        operation_id="give_back",
        summary="Let the assistant answer again",
        request=None,
        responses=VisitSerializer,
    )
    def post(self, request: Any, widget_id: uuid.UUID, pk: uuid.UUID) -> Response:
        talk = self.visit(widget_id, pk, "answer")
        handover.give_back(actor=self.actor, person=self.person(), conversation=talk)
        return self.shown_visit(talk)
