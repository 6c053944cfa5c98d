"""The list of schedules, and the explanation of a cron expression."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from console.core.errors import BadInput
from console.core.schedules import check_cron, in_words
from console.evals import access
from console.evals.queries import schedules as queries
from console.teams.access import in_scope, needs
from console.teams.callers import TeamRequest

_MOST = 500


@needs("view_team")
@require_safe
def evaluations(request: TeamRequest) -> HttpResponse:
    rows = in_scope(request, access.schedules_for(request.caller), "prompt__team")
    shown = queries.with_states(rows)[:_MOST]
    first = queries.most_pressing(shown)
    order = {"drifted": 0, "failing": 1, "paused": 3}
    context = {
        "active": "evaluations",
        "schedules": sorted(shown, key=lambda one: (order.get(one.state, 2), one.schedule.prompt.slug)),
        "open": sum(one.incident is not None for one in shown),
        "may_build": request.caller.may("build"),
        "first": first,
        "history": queries.history(first.schedule) if first else None,
        "failing": queries.failing_of(first.last) if first else [],
    }
    return render(request, "evals/evaluations.html", context)


@needs("view_team")
@require_safe
def cron_words(request: TeamRequest) -> HttpResponse:
    """Say what an expression means, while it is typed."""
    cron = " ".join(request.GET.get("cron", "").split())
    time_zone = request.GET.get("time_zone", "").strip() or "UTC"
    try:
        check_cron(cron, time_zone)
        context = {"words": in_words(cron, time_zone)}
    except BadInput as wrong:
        context = {"trouble": wrong.message if cron else ""}
    return render(request, "evals/_cron_words.html", context)
