"""The costs of a month."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from console.core.clock import now
from console.core.errors import BadInput
from console.pages import costs as bills
from console.teams.access import needs, scope_of
from console.teams.callers import TeamRequest
from usage_app.queries.costs import CUTS, first_month, labels_of, month_after, month_before
from usage_app.services.costs import export_costs

_MOST_LABELS = 20


@needs("view_usage")
@require_safe
def costs(request: TeamRequest) -> HttpResponse:
    """A month, cut by team unless `by` says otherwise; a month written otherwise than 2026-10 is the present one."""
    today = now().date()
    scope = scope_of(request, "view_usage")
    teams = bills.teams_billed(request.caller, request.GET.get("team", ""))
    by = request.GET.get("by", "")
    if by not in bills.BY and not bills.label_in(by):
        by = "alias" if scope else "team"
    try:
        month = bills.month_of(request.GET.get("month", ""), today, "month")
    except BadInput:
        month = today.replace(day=1)
    labels = (
        labels_of([team.pk for team in teams], [month, month_before(month)]) if by.startswith(bills.METADATA) else []
    )
    if by == bills.METADATA and labels:
        by = f"{by}.{labels[0]}"
    label = bills.label_in(by)
    first = first_month([team.pk for team in teams])
    context = {
        "active": "costs",
        "scope": scope,
        "by": by,
        "cut": label or bills.BY[by],
        "label": label,
        "labels": labels[:_MOST_LABELS],
        "cuts": bills.BY.items(),
        "bill": bills.bill(teams, month, by, today) if by != bills.METADATA else None,
        "month": month,
        "month_words": f"{month:%Y-%m}",
        "earlier": f"{month_before(month):%Y-%m}" if first and first < month else "",
        "later": f"{month_after(month):%Y-%m}" if month_after(month) <= today else "",
        "is_present": month_after(month) > today,
        "is_empty": first is None,
        "may_see_log": all(request.caller.may("view_audit", team.pk) for team in teams),
        "most_end_users": bills.SHOWN_END_USERS,
        "most_in_file": bills.MOST_END_USERS,
    }
    return render(request, "pages/costs.html", context)


@needs("view_usage")
@require_safe
def export(request: TeamRequest) -> HttpResponse:
    """Return a month, or those from `month` to `to`, as CSV: what the page is cut by, or else every cut there is."""
    today = now().date()
    teams = bills.teams_billed(request.caller, request.GET.get("team", ""))
    month = bills.month_of(request.GET.get("month", ""), today, "month")
    last = bills.month_of(request.GET.get("to", "") or f"{month:%Y-%m}", today, "to")
    span = bills.span_of(month, last)
    asked = request.GET.get("by", "")
    by = [asked] if asked == bills.TOUCHPOINT or bills.is_named(asked) else list(CUTS)
    lines = bills.lines_of(teams, by, since=span["since"], until=span["until"])
    export_costs(
        actor=request.caller.actor,
        team=scope_of(request, "view_usage"),
        rows=len(lines),
        chosen={"from": f"{month:%Y-%m}", "to": f"{last:%Y-%m}", "by": by},
    )
    response = HttpResponse(bills.as_csv(lines, by), content_type="text/csv; charset=utf-8")
    name = f"costs-{month:%Y-%m}" + (f"-to-{last:%Y-%m}" if last != month else "")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response["Cache-Control"] = "no-store"
    return response
