"""Usage figures."""

import uuid
from typing import Any, NamedTuple

from django.conf import settings
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint
from console.audit.redaction import kept_name
from console.core.clock import now
from console.core.errors import BadInput
from console.core.lanes import Lane
from console.pages import costs as bills
from console.teams.access import teams_for
from console.teams.models import Environment
from usage_app import amounts
from usage_app.models import Metric
from usage_app.queries import dashboard
from usage_app.queries.costs import CUTS, Spent
from usage_app.queries.lanes import LaneUse
from usage_app.queries.lanes import lanes as lanes_of


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
    before = FiguresSerializer(help_text="Of the equal stretch before it, up to the same hour of its last day.")
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


class LaneStepSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    requests = serializers.IntegerField()
    first_token_p95_us = serializers.IntegerField(allow_null=True)


class LaneFiguresSerializer(serializers.Serializer[Any]):
    lane = serializers.ChoiceField(choices=Lane.choices)
    requests = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]
    refusals = serializers.IntegerField()
    p95_us = serializers.IntegerField(allow_null=True, help_text="Latency in microseconds.")
    first_token_p50_us = serializers.IntegerField(allow_null=True)
    first_token_p95_us = serializers.IntegerField(allow_null=True)
    steps = LaneStepSerializer(many=True, help_text="Those with calls, by the summary's grain.")


class LanesSerializer(serializers.Serializer[Any]):
    period = serializers.CharField()
    environment = serializers.CharField()
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    target_us = serializers.IntegerField(help_text="Of the interactive lane's first token, p95.")
    lanes = LaneFiguresSerializer(many=True, help_text="Every lane, the fastest first.")


def _lane(use: LaneUse) -> dict[str, Any]:
    return {
        "lane": use.lane,
        "requests": use.requests,
        "errors": use.errors,
        "refusals": use.refusals,
        "p95_us": use.p95,
        "first_token_p50_us": use.first_token_p50,
        "first_token_p95_us": use.first_token_p95,
        "steps": [
            {"at": at, "requests": requests, "first_token_p95_us": use.first_token_at[at]}
            for at, requests in sorted(use.requests_at.items())
        ],
    }


class _Asked(NamedTuple):
    """Of which time, whose and which environment's calls figures are wanted."""

    span: dashboard.Span
    team_ids: list[uuid.UUID]
    environment: str


def _parse_query(view: Endpoint, period: str) -> _Asked:
    scope = view.asked_team("view_usage")
    teams = [scope] if scope else list(teams_for(view.caller, "view_usage"))
    span = dashboard.span(view.choice("period", dashboard.SPANS, period), now())
    environment = view.choice("environment", Environment.values, Environment.PRODUCTION)
    return _Asked(span, [team.pk for team in teams], environment)


class Lanes(Endpoint):
    needs = "view_usage"

    @extend_schema(
        summary="How quick and how busy each lane was, as the page of lanes shows it",
        parameters=[
            OpenApiParameter("team", str, description="Only this team, by its short name."),
            OpenApiParameter("period", str, enum=list(dashboard.SPANS), default="24h"),
            OpenApiParameter("environment", str, enum=Environment.values, default=Environment.PRODUCTION.value),
        ],
        responses=LanesSerializer,
    )
    def get(self, request: Any) -> Response:
        span, team_ids, environment = _parse_query(self, "24h")
        content = {
            "period": span.name,
            "environment": environment,
            "start": span.start,
            "end": span.end,
            "target_us": settings.GATEWAY_INTERACTIVE_TARGET_MS * 1000,
            "lanes": [_lane(use) for use in lanes_of(span, team_ids=team_ids, environment=environment)],
        }
        return Response(LanesSerializer(content).data)


class Summary(Endpoint):
    needs = "view_usage"

    @extend_schema(
        summary="What was used in a period, as the overview shows it",
        parameters=[
            OpenApiParameter("team", str, description="Only this team, by its short name."),
            OpenApiParameter("period", str, enum=list(dashboard.SPANS), default="7d"),
            OpenApiParameter("environment", str, enum=Environment.values, default=Environment.PRODUCTION.value),
        ],
        responses=SummarySerializer,
    )
    def get(self, request: Any) -> Response:
        span, team_ids, environment = _parse_query(self, "7d")
        usage = dashboard.dashboard(span, team_ids=team_ids, environment=environment)
        content = {
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
        return Response(SummarySerializer(content).data)


class SpentSerializer(serializers.Serializer[Any]):
    requests = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]
    refusals = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost = serializers.CharField(help_text="Decimal string in currency units.")


class CostLineSerializer(SpentSerializer):
    month = serializers.CharField(help_text="Such as 2026-10.")
    team = serializers.CharField(required=False, help_text="Its short name; this and what follows where `by` asks.")
    environment = serializers.CharField(required=False)
    type = serializers.CharField(required=False)
    alias = serializers.CharField(required=False)
    model = serializers.CharField(required=False)
    kind = serializers.CharField(
        required=False,
        help_text="Of a touchpoint: key, widget or agent; else, for what is none of them. Of end users: end_user, "
        "others or nobody. Of metadata: value, others or without.",
    )
    name = serializers.CharField(required=False)
    owner = serializers.CharField(required=False)


class CostsSerializer(serializers.Serializer[Any]):
    currency = serializers.CharField()
    by = serializers.ListField(child=serializers.CharField())
    data = CostLineSerializer(  # type: ignore[assignment]
        many=True, help_text="By month; in each, what cost most first."
    )
    total = SpentSerializer()


class Costs(Endpoint):
    needs = "view_usage"

    @extend_schema(
        summary="What was spent, month by month, as the page of costs shows it",
        description="Every environment counts, tests and copies to a shadow too. Single touchpoints are known for 100 "
        "days; what they spent before is in the line of the kind `else`. Of end users come one month's "
        f"{bills.MOST_END_USERS:,} that cost most, and what the others spent and what was nobody's in lines of the "
        "kinds `others` and `nobody`. Of the values of a name in the metadata come as many of each month, and lines of "
        "the kinds `others` and `without`.",
        parameters=[
            OpenApiParameter("team", str, description="Only this team, by its short name."),
            OpenApiParameter("from", str, description="The first month, such as 2026-10; the present one if left out."),
            OpenApiParameter("to", str, description=f"The last; as `from` if left out. {bills.MOST_MONTHS} at most."),
            OpenApiParameter(
                "by",
                str,
                default="team",
                description=f"One or more of {', '.join(CUTS)}, with commas between them; or {bills.TOUCHPOINT}, "
                f"{bills.END_USER} or {bills.METADATA}.… alone, such as {bills.METADATA}.project.",
            ),
            OpenApiParameter("end_user", str, description="Only this one's lines, of several months if need be."),
        ],
        responses=CostsSerializer,
    )
    def get(self, request: Any) -> Response:
        parameters = self.request.query_params
        grouping = parameters.get("by", "team")
        by = [grouping] if bills.label_in(grouping) else list(dict.fromkeys(grouping.split(",")))
        end_user = kept_name("", parameters.get("end_user", ""))
        if by != [bills.TOUCHPOINT] and not (len(by) == 1 and bills.is_named(by[0])) and not set(by) <= set(CUTS):
            alone = f"{bills.TOUCHPOINT}, {bills.END_USER} or {bills.METADATA}.… alone"
            raise BadInput(f"by is some of {', '.join(CUTS)}, or {alone}.", param="by")
        if end_user and by != [bills.END_USER]:
            raise BadInput(f"end_user is for by={bills.END_USER}.", param="end_user")
        since = bills.month_of(parameters.get("from", ""), now().date(), "from")
        last = bills.month_of(parameters.get("to", "") or f"{since:%Y-%m}", since, "to")
        teams = bills.teams_billed(self.caller, parameters.get("team", ""))
        span = bills.span_of(since, last)
        lines = bills.lines_of(teams, by, since=span["since"], until=span["until"], end_user=end_user)
        answer = {
            "currency": settings.CURRENCY,
            "by": by,
            "data": [words | bills.figures(spent) for words, spent in lines],
            "total": bills.figures(sum((spent for _, spent in lines), Spent())),
        }
        return Response(CostsSerializer(answer).data)


urlpatterns = [
    path("usage/costs/", Costs.as_view(), name="usage_costs"),
    path("usage/summary/", Summary.as_view(), name="usage_summary"),
    path("usage/lanes/", Lanes.as_view(), name="usage_lanes"),
]
