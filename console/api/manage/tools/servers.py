"""MCP servers."""

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agents_app import access
from agents_app.models import Tool, ToolServer
from agents_app.services import servers
from console.api.manage.base import Endpoint, Strict, listed
from console.api.manage.tools.tools import ToolSerializer
from console.teams import access as teams_access


class ToolServerSerializer(serializers.ModelSerializer[ToolServer]):
    team = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]
    has_secret = serializers.SerializerMethodField(help_text="Whether a token is set; it is never shown.")
    offers = serializers.JSONField(source="found", help_text="What it said when it was last asked.")

    class Meta:
        model = ToolServer
        fields = [
            "id", "slug", "team", "name", "transport", "address", "has_secret", "offers", "is_enabled", "trouble",
            "checked_at", "revision", "created_at",
        ]  # fmt: skip

    def get_has_secret(self, server: ToolServer) -> bool:
        return bool(server.secret)


class NewToolServerSerializer(Strict):
    team = serializers.CharField()
    slug = serializers.CharField(help_text="Stands before its tools' names.")
    name = serializers.CharField(required=False)
    transport = serializers.ChoiceField(ToolServer.Transport.choices, required=False)
    address = serializers.CharField(help_text="A URL, or the name of a program in the deployment's settings.")
    secret = serializers.CharField(required=False, allow_blank=True, help_text="Its bearer token.")


class ToolServerChangeSerializer(Strict):
    name = serializers.CharField(required=False)
    address = serializers.CharField(required=False)
    secret = serializers.CharField(required=False, allow_blank=True)
    is_enabled = serializers.BooleanField(required=False)
    revision = serializers.IntegerField(required=False, help_text="The revision this change was made on.")


class ToolTakeSerializer(Strict):
    name = serializers.CharField(help_text="As the server offers it.")
    digest = serializers.CharField(required=False, allow_blank=True, default="", help_text="Of what was looked at.")
    effect = serializers.ChoiceField(Tool.Effect.choices, required=False, default=Tool.Effect.WRITE)
    is_idempotent = serializers.BooleanField(required=False, default=False)


class Servers(Endpoint):
    needs = "view_team"
    needs_to = {"POST": "build"}

    @extend_schema(
        operation_id="list_tool_servers",
        summary="List tool servers, newest first",
        parameters=[OpenApiParameter("team", str)],
        responses=listed(ToolServerSerializer),
    )
    def get(self, request: Any) -> Response:
        rows = access.servers_for(self.caller)
        return self.page(self.of_team(rows), ToolServerSerializer)

    @extend_schema(
        summary="Connect a tool server; nothing is asked of it", request=NewToolServerSerializer,
        responses={201: ToolServerSerializer},
    )  # fmt: skip
    def post(self, request: Any) -> Response:
        body = self.read(NewToolServerSerializer)
        body["team"] = teams_access.team_for(self.caller, body["team"], to="build")
        server = servers.create_server(actor=self.actor, **body)
        return Response(ToolServerSerializer(server).data, status=201)


class OneServer(Endpoint):
    needs = "view_team"
    needs_to = {"PATCH": "build", "DELETE": "build"}

    @extend_schema(summary="Show a tool server", responses=ToolServerSerializer)
    def get(self, request: Any, pk: UUID) -> Response:
        return Response(ToolServerSerializer(access.server_for(self.caller, pk)).data)

    @extend_schema(summary="Change a tool server", request=ToolServerChangeSerializer, responses=ToolServerSerializer)
    def patch(self, request: Any, pk: UUID) -> Response:
        server = access.server_for(self.caller, pk, to="edit")
        body = self.read(ToolServerChangeSerializer)
        revision = body.pop("revision", None)
        server = servers.change_server(actor=self.actor, server=server, seen_revision=revision, **body)
        return Response(ToolServerSerializer(server).data)

    @extend_schema(summary="Remove a tool server without tools", responses={204: None})
    def delete(self, request: Any, pk: UUID) -> Response:
        servers.delete_server(actor=self.actor, server=access.server_for(self.caller, pk, to="edit"))
        return Response(status=204)


class Look(Endpoint):
    needs = "build"
    calls_out = True

    @extend_schema(
        operation_id="look_at_tool_server",
        summary="Ask a tool server what it offers now",
        request=None,
        responses=ToolServerSerializer,
    )
    def post(self, request: Any, pk: UUID) -> Response:
        server = access.server_for(self.caller, pk, to="edit")
        return Response(ToolServerSerializer(servers.look(actor=self.actor, server=server)).data)


class Take(Endpoint):
    needs = "build"

    @extend_schema(
        operation_id="take_tool",
        summary="Add an offered tool to the team",
        request=ToolTakeSerializer,
        responses={201: ToolSerializer},
    )
    def post(self, request: Any, pk: UUID) -> Response:
        server = access.server_for(self.caller, pk, to="edit")
        body = self.read(ToolTakeSerializer)
        tool = servers.take_tool(actor=self.actor, server=server, seen_digest=body.pop("digest"), **body)
        return Response(ToolSerializer(tool).data, status=201)


urlpatterns = [
    path("tool-servers/", Servers.as_view(), name="tool_servers"),
    path("tool-servers/<uuid:pk>/", OneServer.as_view(), name="tool_server"),
    path("tool-servers/<uuid:pk>/look/", Look.as_view(), name="look_at_tool_server"),
    path("tool-servers/<uuid:pk>/tools/", Take.as_view(), name="take_tool"),
]
