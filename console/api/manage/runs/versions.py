"""Differences between two versions of an agent, and the history of its live version."""

from typing import Any

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agents_app import access
from agents_app.models import AgentMove, Definition
from agents_app.queries import detail
from console.api.manage.base import Endpoint, listed
from console.core.errors import BadInput
from console.core.parsing import number

DRAFT = "draft"


class DifferenceSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="What differs: Instructions, Alias, Tool …, a limit …")
    was = serializers.CharField(help_text="Empty: the older one says nothing about it.")
    now = serializers.CharField()


class AgentComparisonSerializer(serializers.Serializer[Any]):
    a = serializers.CharField(help_text="The older one: the number of a version.")
    b = serializers.CharField(help_text="The newer one: a number, or draft.")
    differences = DifferenceSerializer(many=True)


class AgentMoveSerializer(serializers.ModelSerializer[AgentMove]):
    was = serializers.IntegerField(source="from_version.number", default=None)
    to = serializers.IntegerField(source="to_version.number", default=None)

    class Meta:
        model = AgentMove
        fields = ["id", "was", "to", "reason", "moved_by_name", "moved_at"]


class Compare(Endpoint):
    needs = "view_team"

    @extend_schema(
        operation_id="compare_agent_versions",
        summary="What two versions, or a version and the draft, say differently: wording, grants, limits and the rest",
        parameters=[
            OpenApiParameter("a", str, description="A version's number; what is live unless given."),
            OpenApiParameter("b", str, description="A version's number, or draft; the draft unless given."),
        ],
        responses=AgentComparisonSerializer,
    )
    def get(self, request: Any, slug: str) -> Response:
        agent = access.agent_for(self.caller, slug, "inspect")
        live = str(agent.live.number) if agent.live else DRAFT
        names = {"a": request.query_params.get("a", live), "b": request.query_params.get("b", DRAFT)}

        def state(param: str) -> Definition:
            name = names[param]
            if name == DRAFT:
                return agent.draft
            version = number(name, None)
            if version is None:
                raise BadInput(f"{param} is the number of a version, or draft.", param=param)
            return access.version_for(agent, version)

        differences = detail.differences(state("a"), state("b"), agent.team_id)
        return Response(names | {"differences": DifferenceSerializer(differences, many=True).data})


class Moves(Endpoint):
    needs = "view_team"

    @extend_schema(
        operation_id="list_agent_moves",
        summary="List which version answered from when on, who decided it and why, newest first",
        responses=listed(AgentMoveSerializer),
    )
    def get(self, request: Any, slug: str) -> Response:
        agent = access.agent_for(self.caller, slug, "inspect")
        rows = AgentMove.objects.filter(agent=agent).select_related("from_version", "to_version")
        return self.page(rows, AgentMoveSerializer)


urlpatterns = [
    path("agents/<slug:slug>/compare/", Compare.as_view(), name="compare_agent_versions"),
    path("agents/<slug:slug>/moves/", Moves.as_view(), name="agent_moves"),
]
