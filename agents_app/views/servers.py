"""MCP servers: connect, refresh their tools, adopt tools, change, remove."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from agents_app import access
from agents_app.forms.tools import ServerForm
from agents_app.models import Tool, ToolServer
from agents_app.queries import tools as queries
from agents_app.services import servers as services
from agents_app.views.tool_frame import ask, frame, url_of
from console.core.errors import Refusal
from console.core.formatting import plural
from console.core.forms import posted, refusals_at, refused_by, status_of
from console.core.htmx import go
from console.teams.access import in_scope, needs
from console.teams.callers import TeamRequest


@needs("view_team")
@require_safe
def servers(request: TeamRequest) -> HttpResponse:
    visible = in_scope(request, access.servers_for(request.caller))
    context = {**frame(request, "servers"), "servers": queries.server_rows(visible)}
    return render(request, "agents/tools/servers.html", context)


@needs("build")
def new_server(request: TeamRequest) -> HttpResponse:
    teams = access.building_teams(request.caller)
    form = ServerForm(posted(request), teams=teams, initial={"team": request.GET.get("team", "")})
    if form.is_valid():
        with refusals_at(form):
            server = services.create_server(actor=request.caller.actor, **form.changes())
            # Asked at once: whoever typed an address wants to know whether anybody answers there, and what it offers.
            server = services.look(actor=request.caller.actor, server=server)
            offers = f"It offers {plural(len(server.found), 'tool')}; add those that agents may be granted."
            return go(request, url_of(server), f"Connected {server.name}. {offers}" if not server.trouble else "")
    context = {**frame(request, "servers"), "form": form}
    return render(request, "agents/tools/server_form.html", context, status=status_of(form))


@needs("view_team")
@require_safe
def server(request: TeamRequest, server_id: UUID) -> HttpResponse:
    return _page(request, access.server_for(request.caller, server_id))


def _page(request: TeamRequest, row: ToolServer, *, refused: str = "", status: int = 200) -> HttpResponse:
    context = {
        **frame(request, "servers"),
        "server": row,
        "offered": queries.offered(row),
        "may_edit": request.caller.may("build", row.team_id),
        "refused": refused,
    }
    return render(request, "agents/tools/server.html", context, status=status)


@needs("build")
@require_POST
def look(request: TeamRequest, server_id: UUID) -> HttpResponse:
    """Ask the server now what it offers."""
    row = access.server_for(request.caller, server_id, to="edit")
    row = services.look(actor=request.caller.actor, server=row)
    count = len(row.found)
    message = "" if row.trouble else f"{row.name} offers {plural(count, 'tool')}."
    return go(request, url_of(row), message)


@needs("build")
@require_POST
def take_tool(request: TeamRequest, server_id: UUID) -> HttpResponse:
    """Take one offer over as a tool of the team."""
    row = access.server_for(request.caller, server_id, to="edit")
    is_read = request.POST.get("effect") == Tool.Effect.READ
    try:
        tool = services.take_tool(
            actor=request.caller.actor,
            server=row,
            name=request.POST.get("name", ""),
            seen_digest=request.POST.get("seen_digest", ""),
            effect=Tool.Effect.READ if is_read else Tool.Effect.WRITE,
            is_idempotent=is_read,
        )
    except Refusal as refusal:
        return _page(request, row, refused=refusal.message, status=409)
    return go(request, url_of(row), f"{tool.slug} can be granted to agents now.")


@needs("build")
def edit_server(request: TeamRequest, server_id: UUID) -> HttpResponse:
    row = access.server_for(request.caller, server_id, to="edit")
    form = ServerForm(posted(request), server=row)
    if form.is_valid():
        with refusals_at(form):
            services.change_server(actor=request.caller.actor, server=row, **form.changes())
            return go(request, url_of(row), f"Changed {form.cleaned_data['name']}.")
    context = {**frame(request, "servers"), "form": form, "server": row}
    return render(request, "agents/tools/server_form.html", context, status=status_of(form))


@needs("build")
def remove_server(request: TeamRequest, server_id: UUID) -> HttpResponse:
    row = access.server_for(request.caller, server_id, to="edit")
    refused = refused_by(request, lambda: services.delete_server(actor=request.caller.actor, server=row))
    if refused is None:
        return go(request, reverse("agents:servers"), f"Removed {row.name}.")
    lost = "Its token is deleted. Remove its tools first."
    return ask(request, "servers", "Remove", row.name, lost, url_of(row), refused)
