"""The overview: usage, cost, latency, and what needs attention."""

import uuid

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from console.catalog.models import Alias
from console.core.clock import now
from console.pages import attention, charts
from console.pages.views.docs import own_url
from console.teams.access import SIGNED_IN, needs, scope_for, teams_for
from console.teams.callers import TeamRequest
from console.teams.models import Environment
from usage_app.queries import dashboard
from usage_app.queries.quotas import of_teams

SPANS = [("24h", "24 h"), ("7d", "7 days"), ("30d", "30 days")]


def _first_alias(team_ids: list[uuid.UUID]) -> Alias | None:
    """Return an alias that the teams may call and that answers in production."""
    pinned = Alias.objects.filter(pins__environment=Environment.PRODUCTION)
    return pinned.filter(Q(teams=None) | Q(teams__in=team_ids)).order_by("created_at", "id").first()


@needs(SIGNED_IN)
@require_safe
def overview(request: TeamRequest) -> HttpResponse:
    moment = now()
    caller = request.caller
    scope = scope_for(caller, request.GET.get("team", ""), "view_usage")
    teams = [scope] if scope else list(teams_for(caller, "view_usage"))
    ids = [team.pk for team in teams]
    environment = request.GET.get("environment", Environment.PRODUCTION)
    if environment not in Environment.values:
        environment = Environment.PRODUCTION
    span = dashboard.span(request.GET.get("span", ""), moment)
    usage = dashboard.dashboard(span, team_ids=ids, environment=environment)
    quotas = of_teams(ids, now=moment)
    needing = attention.items(caller, teams, quotas, now=moment)
    context = {
        "active": "overview",
        "now": moment,
        "scope": scope,
        "environment": environment,
        "environments": Environment.choices,
        "span": span,
        "spans": SPANS,
        "usage": usage,
        "kpis": charts.kpis(usage),
        "cost_chart": charts.cost(usage, teams),
        "latency_chart": charts.latency(usage),
        "attention": needing,
        "chart_height": min(420, max(236, 72 * len(needing) - 60)),  # as tall as the list beside it
        "burns": charts.burns(quotas, moment),
    }
    # A stranger to the console sees how to make the first call, not a page of zeroes.
    if usage.is_empty and not dashboard.has_usage(ids):
        context |= {
            "is_fresh": True,
            "base_url": own_url(request),
            "alias": _first_alias(ids),
            "may_see": caller.may("view_team"),
            "may_ask": caller.may("use_models"),
            "may_make_keys": caller.may("manage_keys"),
        }
    return render(request, "pages/overview.html", context)
