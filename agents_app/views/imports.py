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
    operations, chosen = [], set(request.POST.getlist("operations"))
    if is_post and form.is_valid():
        cleaned = form.cleaned_data
        try:
            document = form.document() or imports.fetch_document(cleaned["url"])
            operations = imports.read_operations(document, server=cleaned["server"], found_at=cleaned["url"])
            if request.POST.get("do") == "import":
                tools = imports.import_operations(
                    actor=request.caller.actor,
                    team=cleaned["team"],
                    document=document,
                    chosen=chosen,
                    server=cleaned["server"],
                    found_at=cleaned["url"],
                    secret=cleaned["secret"],
                )
                message = f"Created {plural(len(tools), 'tool')}. Try them, then grant them to an agent."
                return go(request, reverse("agents:tools"), message)
            form.carry(document)
        except Refusal as refusal:
            refuse(form, refusal)
            if operations:
                form.carry(document)
    has_failed = is_post and bool(form.errors)
    context = {
        **frame(request, "tools"),
        "form": form,
        "found": [(operation, operation.key in chosen) for operation in operations],
        "usable": sum(not operation.trouble for operation in operations),
        "needs_secret": any(operation.config.get("secret") for operation in operations),
    }
    return render(request, "agents/tools/import.html", context, status=422 if has_failed else 200)
