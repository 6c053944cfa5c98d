"""Tools."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agents_app import access
from agents_app.models import Tool
from agents_app.services import imports, servers, tool_tryout, tools
from agents_app.tools.registry import KINDS
from console.api.manage.base import Endpoint, Strict, listed
from console.teams import access as teams_access


class ToolSerializer(serializers.ModelSerializer[Tool]):
    team = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]
    has_secret = serializers.SerializerMethodField(help_text="Whether one is set; it is never shown.")
    server = serializers.PrimaryKeyRelatedField(read_only=True)  # type: ignore[var-annotated]

    class Meta:
        model = Tool
        fields = [
            "id", "slug", "team", "name", "kind", "description", "parameters", "config", "has_secret", "server",
            "effect", "is_idempotent", "timeout_seconds", "most_bytes", "digest", "suspended", "is_enabled",
            "revision", "created_at",
        ]  # fmt: skip

    def get_has_secret(self, tool: Tool) -> bool:
        return bool(tool.secret)


class _ToolFields(Strict):
    name = serializers.CharField(required=False)
    description = serializers.CharField(required=False)
    parameters = serializers.DictField(required=False, help_text="JSON schema of the arguments.")
    config = serializers.DictField(required=False, help_text="What the kind takes; docs/tools.md says what.")
    secret = serializers.CharField(
        required=False, allow_blank=True, help_text="Kept encrypted, never shown; empty takes it away."
    )
    effect = serializers.ChoiceField(Tool.Effect.choices, required=False)
    is_idempotent = serializers.BooleanField(required=False)
    timeout_seconds = serializers.IntegerField(required=False)
    most_bytes = serializers.IntegerField(required=False)


class NewToolSerializer(_ToolFields):
    team = serializers.CharField()
    kind = serializers.CharField(help_text=", ".join(slug for slug in KINDS if slug != "mcp"))
    slug = serializers.CharField(help_text="What the model calls it.")


class ToolChangeSerializer(_ToolFields):
    revision = serializers.IntegerField(required=False, help_text="The revision this change was made on.")
    is_enabled = serializers.BooleanField(required=False)


class ToolTrySerializer(Strict):
    arguments = serializers.DictField(required=False, default=dict)


class ToolTriedSerializer(serializers.Serializer[Any]):
    content = serializers.CharField(help_text="What the model would read.")
    is_error = serializers.BooleanField()
    note = serializers.CharField()


class ToolReviewSerializer(Strict):
    digest = serializers.CharField(help_text="Of what the server says now, as it was looked at.")


class ToolDocumentSerializer(Strict):
    document = serializers.CharField(help_text="OpenAPI 3.0, 3.1 or 3.2, JSON or YAML, as a text.")
    server = serializers.CharField(required=False, allow_blank=True, default="", help_text="The API's address.")


class ToolImportSerializer(ToolDocumentSerializer):
    team = serializers.CharField()
    operations = serializers.ListField(child=serializers.CharField(), help_text="`GET /orders/{id}`")
    secret = serializers.CharField(required=False, allow_blank=True, default="")


class ToolOperationSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    config = serializers.DictField()
    parameters = serializers.DictField()
    trouble = serializers.CharField(help_text="Why it cannot be a tool; empty when it can.")


class ToolOperationsSerializer(serializers.Serializer[Any]):
    data = ToolOperationSerializer(many=True)  # type: ignore[assignment]


class ToolsMadeSerializer(serializers.Serializer[Any]):
    data = ToolSerializer(many=True)  # type: ignore[assignment]


class Tools(Endpoint):
    needs = "view_team"
    needs_to = {"POST": "build"}

    @extend_schema(
        operation_id="list_tools",
        summary="List tools, newest first",
        parameters=[OpenApiParameter("team", str), OpenApiParameter("slug", str)],
        responses=listed(ToolSerializer),
    )
    def get(self, request: Any) -> Response:
        rows = access.tools_for(self.caller)
        if slug := request.query_params.get("slug"):
            rows = rows.filter(slug=slug)
        return self.page(self.of_team(rows), ToolSerializer)

    @extend_schema(summary="Make a tool", request=NewToolSerializer, responses={201: ToolSerializer})
    def post(self, request: Any) -> Response:
        body = self.read(NewToolSerializer)
        body["team"] = teams_access.team_for(self.caller, body["team"], to="build")
        tool = tools.create_tool(actor=self.actor, **body)
        return Response(ToolSerializer(tool).data, status=201)


class OneTool(Endpoint):
    needs = "view_team"
    needs_to = {"PATCH": "build", "DELETE": "build"}

    @extend_schema(summary="Show a tool", responses=ToolSerializer)
    def get(self, request: Any, pk: UUID) -> Response:
        return Response(ToolSerializer(access.tool_for(self.caller, pk)).data)

    @extend_schema(summary="Change a tool, or switch it off", request=ToolChangeSerializer, responses=ToolSerializer)
    def patch(self, request: Any, pk: UUID) -> Response:
        tool = access.tool_for(self.caller, pk, to="edit")
        body = self.read(ToolChangeSerializer)
        enabled, revision = body.pop("is_enabled", None), body.pop("revision", None)
        with transaction.atomic():  # all of it or nothing
            tool = tools.change_tool(actor=self.actor, tool=tool, seen_revision=revision, **body)
            if enabled is not None:
                tool = tools.enable_tool(actor=self.actor, tool=tool, enabled=enabled)
        return Response(ToolSerializer(tool).data)

    @extend_schema(summary="Remove a tool no agent is granted", responses={204: None})
    def delete(self, request: Any, pk: UUID) -> Response:
        tools.delete_tool(actor=self.actor, tool=access.tool_for(self.caller, pk, to="edit"))
        return Response(status=204)


class Try(Endpoint):
    needs = "build"
    calls_out = True

    @extend_schema(
        operation_id="try_tool", summary="Call a tool for real, as you", request=ToolTrySerializer,
        responses=ToolTriedSerializer,
    )  # fmt: skip
    def post(self, request: Any, pk: UUID) -> Response:
        tool = access.tool_for(self.caller, pk, to="edit")
        body = self.read(ToolTrySerializer)
        answer = tool_tryout.try_tool(actor=self.actor, tool=tool, arguments=body["arguments"])
        return Response({"content": answer.content, "is_error": answer.is_error, "note": answer.note})


class Review(Endpoint):
    needs = "build"

    @extend_schema(
        operation_id="review_tool",
        summary="Accept what a server says of its tool now",
        request=ToolReviewSerializer,
        responses=ToolSerializer,
    )
    def post(self, request: Any, pk: UUID) -> Response:
        tool = access.tool_for(self.caller, pk, to="edit")
        body = self.read(ToolReviewSerializer)
        tool = servers.review_tool(actor=self.actor, tool=tool, seen_digest=body["digest"])
        return Response(ToolSerializer(tool).data)


class Operations(Endpoint):
    needs = "build"

    @extend_schema(
        operation_id="read_operations",
        summary="List the operations of an OpenAPI document; nothing is made or called",
        request=ToolDocumentSerializer,
        responses=ToolOperationsSerializer,
    )
    def post(self, request: Any) -> Response:
        operations = imports.read_operations(**self.read(ToolDocumentSerializer))
        return Response({"data": ToolOperationSerializer(operations, many=True).data})


class Import(Endpoint):
    needs = "build"

    @extend_schema(
        operation_id="import_tools",
        summary="Make tools of operations of an OpenAPI document, all or none",
        request=ToolImportSerializer,
        responses={201: ToolsMadeSerializer},
    )
    def post(self, request: Any) -> Response:
        body = self.read(ToolImportSerializer)
        team = teams_access.team_for(self.caller, body["team"], to="build")
        tools = imports.import_operations(
            actor=self.actor,
            team=team,
            document=body["document"],
            chosen=body["operations"],
            server=body["server"],
            secret=body["secret"],
        )
        return Response({"data": ToolSerializer(tools, many=True).data}, status=201)


urlpatterns = [
    path("tools/", Tools.as_view(), name="tools"),
    path("tools/operations/", Operations.as_view(), name="read_operations"),
    path("tools/import/", Import.as_view(), name="import_tools"),
    path("tools/<uuid:pk>/", OneTool.as_view(), name="tool"),
    path("tools/<uuid:pk>/try/", Try.as_view(), name="try_tool"),
    path("tools/<uuid:pk>/review/", Review.as_view(), name="review_tool"),
]
