"""What was used, in figures."""

from typing import Any

from django.conf import settings
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint
from console.core.clock import now
from console.core.errors import BadInput
from console.teams.access import scope_for, teams_for
from console.teams.models import Environment
from usage_app import amounts
from usage_app.models import Metric
from usage_app.queries import dashboard


class FiguresSerializer(serializers.Serializer[Any]):
    requests = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]
    refusals = serializers.IntegerField()
    tokens = serializers.IntegerField()
    cost = serializers.CharField(help_text="Decimal string in currency units.")
    p50_us = serializers.IntegerField(allow_null=True, help_text="Latency in microseconds.")
    p95_us = serializers.IntegerField(allow_null=True)


class StepSerializer(FiguresSerializer):
    at = serializers.DateTimeField()


class TopSerializer(FiguresSerializer):
    name = serializers.CharField()


class SummarySerializer(serializers.Serializer[Any]):
    period = serializers.CharField()
    environment = serializers.CharField()
    currency = serializers.CharField()
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    now = FiguresSerializer(help_text="Of the period.")
    before = FiguresSerializer(help_text="Of the equal stretch before it.")
    steps = StepSerializer(many=True, help_text="By hour for 24h, by day otherwise.")
    aliases = TopSerializer(many=True, help_text="What cost most first.")
    models = TopSerializer(many=True)


def _figures(figures: dashboard.Figures) -> dict[str, Any]:
    return {
        "requests": figures.requests,
        "errors": figures.errors,
        "refusals": figures.refusals,
        "tokens": figures.tokens,
        "cost": amounts.for_input(Metric.COST, figures.cost_micros),
        "p50_us": figures.p50,
        "p95_us": figures.p95,
    }


def _choice(request: Any, name: str, choices: list[str], default: str) -> str:
    value: str = request.query_params.get(name, default)
    if value not in choices:
        raise BadInput(f"{name} must be one of {', '.join(choices)}.", param=name)
    return value


class Summary(Endpoint):
    needs = "view_usage"

    @extend_schema(
        tags=["usage"],
        summary="What was used in a period, as the overview shows it",
        parameters=[
            OpenApiParameter("team", str, description="Only this team, by its short name."),
            OpenApiParameter("period", str, enum=list(dashboard.SPANS), default="7d"),
            OpenApiParameter("environment", str, enum=Environment.values, default=Environment.PRODUCTION.value),
        ],
        responses=SummarySerializer,
    )
    def get(self, request: Any) -> Response:
        scope = scope_for(self.caller, request.query_params.get("team", ""), "view_usage")
        teams = [scope] if scope else list(teams_for(self.caller, "view_usage"))
        span = dashboard.span(_choice(request, "period", list(dashboard.SPANS), "7d"), now())
        environment = _choice(request, "environment", list(Environment.values), Environment.PRODUCTION)
        usage = dashboard.dashboard(span, team_ids=[team.pk for team in teams], environment=environment)
        said = {
            "period": span.name,
            "environment": environment,
            "currency": settings.CURRENCY,
            "start": span.start,
            "end": span.end,
            "now": _figures(usage.now),
            "before": _figures(usage.before),
            "steps": [{"at": at, **_figures(figures)} for at, figures in usage.steps.items()],
            "aliases": [{"name": top.name, **_figures(top.figures)} for top in usage.aliases],
            "models": [{"name": top.name, **_figures(top.figures)} for top in usage.models],
        }
        return Response(SummarySerializer(said).data)


urlpatterns = [path("usage/summary/", Summary.as_view(), name="usage_summary")]
