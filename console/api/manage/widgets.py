"""Widgets and their visitors' conversations over the management API: what the pages do, for programs."""

import uuid
from typing import Any

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agents_app import access as agents_access
from console.api.manage.base import Endpoint, Strict, listed
from console.chat import access
from console.chat.models import Conversation, Message, Position, Widget
from console.chat.queries import visits
from console.chat.queries.widgets import snippet_of
from console.chat.services import handing_over, widgets
from console.core.errors import NotAllowed
from console.teams import access as teams_access
from console.teams.models import User


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


class WidgetEndpoint(Endpoint):
    """A view below one widget."""

    needs = "view_team"

    def widget(self, pk: uuid.UUID, to: str = "view") -> Widget:
        return access.widget_for(self.caller, pk, to)

    def shown(self, widget: Widget, *, status: int = 200) -> Response:
        row = Widget.objects.select_related("team", "agent").get(pk=widget.pk)
        return Response(WidgetSerializer(row).data, status=status)

    def given(self, serializer: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        given = self.read(serializer)
        if "agent" in given:
            given["agent"] = agents_access.agent_for(self.caller, given["agent"])
        return given


class Widgets(WidgetEndpoint):
    needs_to = {"POST": "build"}

    @extend_schema(
        operation_id="list_widgets",
        tags=["widgets"],
        summary="List widgets, newest first",
        parameters=[OpenApiParameter("team", str, description="Only this team's.")],
        responses=listed(WidgetSerializer),
    )
    def get(self, request: Any) -> Response:
        rows = access.widgets_for(self.caller).select_related("team", "agent")
        if team := request.query_params.get("team"):
            rows = rows.filter(team=teams_access.team_for(self.caller, team))
        return self.page(rows, WidgetSerializer)

    @extend_schema(
        tags=["widgets"], summary="Create a widget", request=NewWidgetSerializer, responses={201: WidgetSerializer}
    )
    def post(self, request: Any) -> Response:
        given = self.given(NewWidgetSerializer)
        given["team"] = teams_access.team_for(self.caller, given["team"], to="build")
        return self.shown(widgets.create_widget(actor=self.actor, **given), status=201)


class OneWidget(WidgetEndpoint):
    needs_to = {"PATCH": "build", "DELETE": "build"}

    @extend_schema(tags=["widgets"], summary="Show a widget", responses=WidgetSerializer)
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        return self.shown(self.widget(pk))

    @extend_schema(
        tags=["widgets"], summary="Change a widget", request=WidgetChangeSerializer, responses=WidgetSerializer
    )
    def patch(self, request: Any, pk: uuid.UUID) -> Response:
        widget = self.widget(pk, "edit")
        given = self.given(WidgetChangeSerializer)
        seen = given.pop("revision")
        return self.shown(widgets.change_widget(actor=self.actor, widget=widget, seen_revision=seen, **given))

    @extend_schema(tags=["widgets"], summary="Delete a widget with what its visitors said", responses={204: None})
    def delete(self, request: Any, pk: uuid.UUID) -> Response:
        widgets.delete_widget(actor=self.actor, widget=self.widget(pk, "edit"))
        return Response(status=204)


class Switch(WidgetEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="switch_widget",
        tags=["widgets"],
        summary="Switch a widget on or off",
        request=WidgetSwitchSerializer,
        responses=WidgetSerializer,
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        widget = self.widget(pk, "edit")
        is_enabled = self.read(WidgetSwitchSerializer)["enabled"]
        return self.shown(widgets.enable_widget(actor=self.actor, widget=widget, is_enabled=is_enabled))


class IdentitySecret(WidgetEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="make_widget_secret",
        tags=["widgets"],
        summary="Make the secret for identities, in place of the one before",
        request=None,
        responses={201: WidgetSecretSerializer},
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        _, text = widgets.make_identity_secret(actor=self.actor, widget=self.widget(pk, "edit"))
        return Response({"secret": text}, status=201, headers={"Cache-Control": "no-store"})

    @extend_schema(
        operation_id="forget_widget_secret",
        tags=["widgets"],
        summary="Forget the secret for identities",
        responses={204: None},
    )
    def delete(self, request: Any, pk: uuid.UUID) -> Response:
        widgets.forget_identity_secret(actor=self.actor, widget=self.widget(pk, "edit"))
        return Response(status=204)


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
        tags=["widgets"],
        summary="List visitors' conversations, newest first",
        responses=listed(VisitSerializer),
    )
    def get(self, request: Any, widget_id: uuid.UUID) -> Response:
        widget = self.widget(widget_id, "read")
        return self.page(access.visits_of(widget).select_related("visitor", "taken_by"), VisitSerializer)


class OneVisit(VisitEndpoint):
    @extend_schema(
        operation_id="widget_conversation",
        tags=["widgets"],
        summary="Show a visitor's conversation",
        responses=VisitSerializer,
    )
    def get(self, request: Any, widget_id: uuid.UUID, pk: uuid.UUID) -> Response:
        return self.shown_visit(self.visit(widget_id, pk))


class VisitMessages(VisitEndpoint):
    needs_to = {"POST": "use_models"}

    @extend_schema(
        operation_id="list_widget_messages",
        tags=["widgets"],
        summary="List what was said, newest first",
        responses=listed(VisitMessageSerializer),
    )
    def get(self, request: Any, widget_id: uuid.UUID, pk: uuid.UUID) -> Response:
        return self.page(visits.messages_of(self.visit(widget_id, pk)), VisitMessageSerializer)

    @extend_schema(
        operation_id="answer_visitor",
        tags=["widgets"],
        summary="Answer the visitor, in a conversation one has taken over",
        request=VisitAnswerSerializer,
        responses={201: VisitMessageSerializer},
    )
    def post(self, request: Any, widget_id: uuid.UUID, pk: uuid.UUID) -> Response:
        talk = self.visit(widget_id, pk, "answer")
        text = self.read(VisitAnswerSerializer)["text"]
        said = handing_over.say(person=self.person(), conversation=talk, text=text)
        return Response(VisitMessageSerializer(said).data, status=201)


class TakeOver(VisitEndpoint):
    needs = "use_models"

    @extend_schema(
        operation_id="take_over",
        tags=["widgets"],
        summary="Answer a visitor in the assistant's place",
        request=TakeOverSerializer,
        responses=VisitSerializer,
    )
    def post(self, request: Any, widget_id: uuid.UUID, pk: uuid.UUID) -> Response:
        talk, person = self.visit(widget_id, pk, "answer"), self.person()
        seen = self.read(TakeOverSerializer).get("seen")
        holder = talk.taken_by
        seen_id = holder.pk if seen and holder and holder.email == seen else None
        handing_over.take_over(actor=self.actor, person=person, conversation=talk, seen=seen_id)
        return self.shown_visit(talk)


class GiveBack(VisitEndpoint):
    needs = "use_models"

    @extend_schema(
        operation_id="give_back",
        tags=["widgets"],
        summary="Let the assistant answer again",
        request=None,
        responses=VisitSerializer,
    )
    def post(self, request: Any, widget_id: uuid.UUID, pk: uuid.UUID) -> Response:
        talk = self.visit(widget_id, pk, "answer")
        handing_over.give_back(actor=self.actor, person=self.person(), conversation=talk)
        return self.shown_visit(talk)


_VISIT = "widgets/<uuid:widget_id>/conversations/<uuid:pk>/"
urlpatterns = [
    path("widgets/", Widgets.as_view(), name="widgets"),
    path("widgets/<uuid:pk>/", OneWidget.as_view(), name="widget"),
    path("widgets/<uuid:pk>/switch/", Switch.as_view(), name="switch_widget"),
    path("widgets/<uuid:pk>/identity-secret/", IdentitySecret.as_view(), name="widget_secret"),
    path("widgets/<uuid:widget_id>/conversations/", Visits.as_view(), name="visits"),
    path(_VISIT, OneVisit.as_view(), name="visit"),
    path(f"{_VISIT}messages/", VisitMessages.as_view(), name="visit_messages"),
    path(f"{_VISIT}take-over/", TakeOver.as_view(), name="take_over"),
    path(f"{_VISIT}give-back/", GiveBack.as_view(), name="give_back"),
]
