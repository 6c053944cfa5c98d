"""Import tools from an OpenAPI document."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from agents_app import access
from agents_app.forms.imports import DocumentForm
from agents_app.services import imports
from agents_app.views.tool_frame import frame
from console.core.errors import Refusal
from console.core.formatting import plural
from console.core.forms import refuse
from console.core.htmx import go
from console.teams.access import needs
from console.teams.callers import TeamRequest


@needs("build")
def import_tools(request: TeamRequest) -> HttpResponse:
    """One page in two steps: the second carries the document along, so nothing is kept of it."""
    teams = access.building_teams(request.caller)
    is_post = request.method == "POST"
    form = DocumentForm(
        request.POST if is_post else None,
        request.FILES if is_post else None,
        teams=teams,
        initial={"team": request.GET.get("team", "")},
    )
    found, chosen = [], set(request.POST.getlist("operations"))
    if is_post and form.is_valid():
        given = form.cleaned_data
        try:
            document = form.document() or imports.fetch_document(given["url"])
            found = imports.read_operations(document, server=given["server"], found_at=given["url"])
            if request.POST.get("do") == "import":
                made = imports.import_operations(
                    actor=request.caller.actor,
                    team=given["team"],
                    document=document,
                    chosen=chosen,
                    server=given["server"],
                    found_at=given["url"],
                    secret=given["secret"],
                )
                message = f"Created {plural(len(made), 'tool')}. Try them, then grant them to an agent."
                return go(request, reverse("agents:tools"), message)
            form.carry(document)
        except Refusal as refusal:
            refuse(form, refusal)
            if found:
                form.carry(document)
    has_failed = is_post and bool(form.errors)
    context = {
        **frame(request, "tools"),
        "form": form,
        "found": [(one, one.key in chosen) for one in found],
        "usable": sum(not one.trouble for one in found),
        "needs_secret": any(one.config.get("secret") for one in found),
    }
    return render(request, "agents/tools/import.html", context, status=422 if has_failed else 200)
