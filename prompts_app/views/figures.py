"""Compare the figures of a prompt's versions."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from console.core import parsing
from console.teams.access import needs
from console.teams.callers import TeamRequest
from console.teams.models import Environment
from prompts_app import access
from prompts_app.queries.figures import SPANS, figures
from prompts_app.views.frame import frame

_RATED = """curl -X PUT {}/api/calls/req_…/rating/ \\
  -H "Authorization: Bearer $FACET_KEY" -H "Content-Type: application/json" \\
  -d '{{"rating": "good", "comment": "It names the right plan."}}'"""


@needs("view_usage")
@require_safe
def figures_page(request: TeamRequest, slug: str) -> HttpResponse:
    """Of the calls of the reader's teams: what another team does with a shared prompt is its own business."""
    row = access.prompt_for(request.caller, slug)
    days = parsing.number(request.GET.get("days", ""), SPANS[0])
    days = days if days in SPANS else SPANS[0]
    environment = request.GET.get("environment", "")
    environment = environment if environment in Environment.values else Environment.PRODUCTION
    context = {
        **frame(request, row, "figures"),
        "rows": figures(row, days=days, environment=environment, teams=access.teams_counted(request.caller)),
        "days": days,
        "spans": SPANS,
        "environment": environment,
        "environments": Environment.choices,
        "sees_log": request.caller.may("view_audit"),
        "example": _RATED.format(settings.BASE_URL),
    }
    return render(request, "prompts/figures.html", context)
