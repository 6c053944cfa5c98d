"""The page of lanes, which shows that chats do not wait behind batch work."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from console.core.clock import now
from console.pages import lane_charts
from console.pages.views.overview import SPANS
from console.teams.access import needs, scope_of, teams_for
from console.teams.callers import TeamRequest
from console.teams.models import Environment
from usage_app.queries import dashboard
from usage_app.queries.lanes import lanes as lanes_of


@needs("view_usage")
@require_safe
def lanes(request: TeamRequest) -> HttpResponse:
    scope = scope_of(request, "view_usage")
    ids = [scope.pk] if scope else [team.pk for team in teams_for(request.caller, "view_usage")]
    environment = request.GET.get("environment", Environment.PRODUCTION)
    if environment not in Environment.values:
        environment = Environment.PRODUCTION
    span = dashboard.span(request.GET.get("span", "24h"), now())
    found = lanes_of(span, team_ids=ids, environment=environment)
    return render(
        request,
        "pages/lanes.html",
        {
            "active": "lanes",
            "scope": scope,
            "environment": environment,
            "environments": Environment.choices,
            "span": span,
            "spans": SPANS,
            "lanes": found,
            "is_empty": not any(lane.requests for lane in found),
            "first_tokens": lane_charts.first_tokens(span, found),
            "calls": lane_charts.calls(span, found),
            "target_us": settings.GATEWAY_INTERACTIVE_TARGET_MS * 1000,
        },
    )
