"""Import and export of the inventory."""

from dataclasses import asdict

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from console.core.errors import Refusal
from console.core.formatting import plural
from console.core.forms import refuse
from console.core.htmx import go
from console.teams.access import needs, scope_of, teams_for
from console.teams.callers import TeamRequest
from console.touchpoints import access, spreadsheet
from console.touchpoints.errors import BadList
from console.touchpoints.export import as_csv, as_dict
from console.touchpoints.forms import ImportForm
from console.touchpoints.services import legacy as services
from console.touchpoints.services.exports import export_list
from console.touchpoints.views.inventory import ACTIVE, inventory_of, wanted_of


@needs(access.VIEW)
@require_safe
def export(request: TeamRequest, form: str) -> HttpResponse:
    """Return what the page shows with the same filters, whole."""
    wanted = wanted_of(request)
    rows = inventory_of(request).found(wanted)
    scope = scope_of(request, access.VIEW)
    chosen = {name: value for name, value in asdict(wanted).items() if value}
    export_list(actor=request.caller.actor, team=scope, form=form, rows=len(rows), chosen=chosen)
    if form == "json":
        response: HttpResponse = JsonResponse({"data": [as_dict(row) for row in rows]})
    else:
        response = HttpResponse(as_csv(rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="touchpoints.{form}"'
    response["Cache-Control"] = "no-store"
    return response


@needs(access.EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def import_list(request: TeamRequest) -> HttpResponse:
    """List many at once from CSV: all of them or none, and what was sent stays in the form."""
    teams = teams_for(request.caller, access.EDIT).order_by("name")
    is_sent = request.method == "POST"
    form = ImportForm(
        request.POST if is_sent else None,
        request.FILES if is_sent else None,
        teams=teams,
        initial={"team": request.GET.get("team", "")},
    )
    problems: list[str] = []
    if is_sent and form.is_valid():
        try:
            made, skipped = services.import_legacy(
                actor=request.caller.actor,
                team=form.cleaned_data["team"],
                rows=spreadsheet.read(form.cleaned_data["csv"]),
                skip_known=form.cleaned_data["skip_known"],
            )
        except BadList as refusal:
            problems = refusal.problems
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            beside = f" {skipped:,} {'was' if skipped == 1 else 'were'} already listed." if skipped else ""
            message = f"Listed {plural(made, 'place')}.{beside}"
            return go(request, f"{reverse('touchpoints:touchpoints')}?state=to_migrate", message)
    context = {"active": ACTIVE, "form": form, "problems": problems[:50], "more": max(0, len(problems) - 50)}
    return render(request, "touchpoints/import.html", context, status=422 if is_sent else 200)
