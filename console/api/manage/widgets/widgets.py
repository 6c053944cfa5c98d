"""Widgets: settings, switching on and off, and the secret of signed identities."""

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agents_app import access as agents_access
from console.api.manage.base import Endpoint, listed
from console.api.manage.widgets.shapes import (
    NewWidgetSerializer,
    WidgetChangeSerializer,
    WidgetSecretSerializer,
    WidgetSerializer,
    WidgetSwitchSerializer,
)
from console.chat import access
from console.chat.models import Widget
from console.chat.services import widgets
from console.teams import access as teams_access


class WidgetEndpoint(Endpoint):
    """A view below one widget."""

    needs = "view_team"

    def widget(self, pk: uuid.UUID, to: str = "view") -> Widget:
        return access.widget_for(self.caller, pk, to)

    def answer(self, widget: Widget, *, status: int = 200) -> Response:
        row = Widget.objects.select_related("team", "agent").get(pk=widget.pk)
        return Response(WidgetSerializer(row).data, status=status)

    def fields(self, serializer: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        body = self.read(serializer)
        if "agent" in body:
            body["agent"] = agents_access.agent_for(self.caller, body["agent"])
        return body


class Widgets(WidgetEndpoint):
    needs_to = {"POST": "build"}

    @extend_schema(
        operation_id="list_widgets",
        summary="List widgets, newest first",
        parameters=[OpenApiParameter("team", str, description="Only this team's.")],
        responses=listed(WidgetSerializer),
    )
    def get(self, request: Any) -> Response:
        rows = access.widgets_for(self.caller).select_related("team", "agent")
        return self.page(self.of_team(rows), WidgetSerializer)

    @extend_schema(summary="Create a widget", request=NewWidgetSerializer, responses={201: WidgetSerializer})
    def post(self, request: Any) -> Response:
        body = self.fields(NewWidgetSerializer)
        body["team"] = teams_access.team_for(self.caller, body["team"], to="build")
        return self.answer(widgets.create_widget(actor=self.actor, **body), status=201)


class OneWidget(WidgetEndpoint):
    needs_to = {"PATCH": "build", "DELETE": "build"}

    @extend_schema(summary="Show a widget", responses=WidgetSerializer)
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        return self.answer(self.widget(pk))

    @extend_schema(summary="Change a widget", request=WidgetChangeSerializer, responses=WidgetSerializer)
    def patch(self, request: Any, pk: uuid.UUID) -> Response:
        widget = self.widget(pk, "edit")
        body = self.fields(WidgetChangeSerializer)
        revision = body.pop("revision")
        return self.answer(widgets.change_widget(actor=self.actor, widget=widget, seen_revision=revision, **body))

    @extend_schema(summary="Delete a widget with what its visitors said", responses={204: None})
    def delete(self, request: Any, pk: uuid.UUID) -> Response:
        widgets.delete_widget(actor=self.actor, widget=self.widget(pk, "edit"))
        return Response(status=204)


class Switch(WidgetEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="switch_widget",
        summary="Switch a widget on or off",
        request=WidgetSwitchSerializer,
        responses=WidgetSerializer,
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        widget = self.widget(pk, "edit")
        is_enabled = self.read(WidgetSwitchSerializer)["enabled"]
        return self.answer(widgets.enable_widget(actor=self.actor, widget=widget, is_enabled=is_enabled))


class IdentitySecret(WidgetEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="make_widget_secret",
        summary="Make the secret for identities, in place of the one before",
        request=None,
        responses={201: WidgetSecretSerializer},
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        _, text = widgets.make_identity_secret(actor=self.actor, widget=self.widget(pk, "edit"))
        return Response({"secret": text}, status=201)

    @extend_schema(
        operation_id="forget_widget_secret",
        summary="Forget the secret for identities",
        responses={204: None},
    )
    def delete(self, request: Any, pk: uuid.UUID) -> Response:
        widgets.forget_identity_secret(actor=self.actor, widget=self.widget(pk, "edit"))
        return Response(status=204)
