"""Tools: list, choose a kind, create, change, try, disable, review, remove."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from agents_app import access
from agents_app.agent_templates import start_of
from agents_app.forms.tools import FORMS, TryForm
from agents_app.grants.pinned import lost_by
from agents_app.models import Tool
from agents_app.queries import choices
from agents_app.queries import tools as queries
from agents_app.queries.paging import search_in
from agents_app.services import servers, tool_tryout
from agents_app.services import tools as services
from agents_app.tools.base import Kind, written_json
from agents_app.tools.form import ToolForm
from agents_app.tools.mcp.offers import offers_in
from agents_app.tools.registry import KINDS
from agents_app.tools.schemas import example_of
from agents_app.views.tool_frame import ACTIVE, ask, frame, url_of
from console.core.errors import Refusal
from console.core.forms import posted, refusals_at, refused_by, status_of
from console.core.htmx import go, is_htmx
from console.teams.access import in_scope, needs
from console.teams.callers import TeamRequest
from console.teams.models import Team


@needs("view_team")
@require_safe
def tools(request: TeamRequest) -> HttpResponse:
    visible = in_scope(request, access.tools_for(request.caller))
    words, number = search_in(request.GET)
    page, rows = queries.tool_rows(visible, words, number)
    context = {**frame(request, "tools"), "page": page, "rows": rows, "words": words}
    return render(request, "agents/tools/list.html#list" if is_htmx(request) else "agents/tools/list.html", context)


@needs("build")
def new_tool(request: TeamRequest) -> HttpResponse:
    """Choose a kind, then fill in its form; `?kind=` names it, `?slug=` what the model is to call it.

    `?agent=` names the draft that lacks the tool, and is gone back to.
    """
    slug = request.GET.get("kind", "")
    if not slug:
        return render(request, "agents/tools/choose.html", {**frame(request, "tools"), "kinds": KINDS.values()})
    kind = KINDS.get(slug)
    if kind is None or kind.unavailable or kind.slug == "mcp":
        raise Http404("There is no such kind of tool.")
    teams = access.building_teams(request.caller)
    start = {name: request.GET.get(name, "") for name in ("team", "slug")}
    start["name"] = start["slug"].replace("_", " ").capitalize()
    start |= start_of(start["slug"]) if "agent" in request.GET else {}
    waiting = access.agents_for(request.caller, to="edit").filter(slug=request.GET.get("agent", "")).first()
    if waiting is not None and slug == "completion":
        start["alias"] = waiting.draft.alias
    form = FORMS.get(slug, ToolForm)(posted(request), kind=kind, teams=teams, initial=start)
    if form.is_valid():
        with refusals_at(form):
            tool = services.create_tool(actor=request.caller.actor, kind=slug, **form.changes())
            if waiting is not None and waiting.team_id == tool.team_id:
                message = f"Created {tool.name}, which {waiting.name} may call as its grant says."
                return go(request, reverse("agents:edit", args=[waiting.slug]), message)
            return go(request, url_of(tool), f"Created {tool.name}. Try it, then grant it to an agent.")
    context = {**frame(request, "tools"), "form": form, "kind": kind, "waiting": waiting}
    context |= _named(kind, *([waiting.team] if waiting else teams))
    return render(request, "agents/tools/form.html", context, status=status_of(form))


def _named(kind: Kind, *teams: Team) -> dict[str, Any]:
    """Return what a tool of this kind can name, to be offered while somebody types."""
    if kind.slug == "queue":
        return {"queue_names": choices.queues_of(*teams)}
    if kind.slug != "completion":
        return {}
    return {"alias_names": choices.aliases_of(*teams), "prompt_names": choices.prompt_names(*teams)}


@needs("view_team")
@require_safe
def tool(request: TeamRequest, tool_id: UUID) -> HttpResponse:
    return _page(request, access.tool_for(request.caller, tool_id))


def _page(request: TeamRequest, row: Tool, *, status: int = 200, **more: Any) -> HttpResponse:
    kind = KINDS[row.kind]
    may_edit = request.caller.may("build", row.team_id)
    context = {
        **frame(request, "tools"),
        "tool": row,
        "kind": kind,
        "lost": lost_by(row, row.team),
        "parameters": written_json(row.parameters),
        "config": written_json(row.config),
        "agents": services.agents_with(row),
        "may_edit": may_edit,
        "may_try": may_edit and not kind.needs_run and row.is_callable,
        "form": TryForm(initial={"arguments": example_of(row.parameters)}),
        **more,
    }
    return render(request, "agents/tools/tool.html", context, status=status)


@needs("build")
@require_POST
def try_tool(request: TeamRequest, tool_id: UUID) -> HttpResponse:
    """Call the tool for real, with the arguments typed."""
    row = access.tool_for(request.caller, tool_id, to="edit")
    form = TryForm(request.POST)
    if form.is_valid():
        try:
            arguments = form.cleaned_data["arguments"] or {}
            result = tool_tryout.try_tool(actor=request.caller.actor, tool=row, arguments=arguments)
        except Refusal as refusal:
            form.add_error("arguments", refusal.message)
        else:
            row.refresh_from_db()
            return _page(request, row, form=form, result=result)
    return _page(request, row, form=form, status=422)


@needs("build")
def edit_tool(request: TeamRequest, tool_id: UUID) -> HttpResponse:
    row = access.tool_for(request.caller, tool_id, to="edit")
    kind = KINDS[row.kind]
    form = FORMS.get(row.kind, ToolForm)(posted(request), kind=kind, tool=row)
    if row.server_id:  # what the server says of it is not ours to write
        del form.fields["description"]
    if form.is_valid():
        changes = form.changes()
        if row.server_id:
            changes.pop("config")
        with refusals_at(form):
            services.change_tool(actor=request.caller.actor, tool=row, **changes)
            return go(request, url_of(row), f"Changed {changes['name']}.")
    context = {**frame(request, "tools"), "form": form, "kind": kind, "tool": row, **_named(kind, row.team)}
    return render(request, "agents/tools/form.html", context, status=status_of(form))


@needs("build")
@require_POST
def enable_tool(request: TeamRequest, tool_id: UUID) -> HttpResponse:
    row = access.tool_for(request.caller, tool_id, to="edit")
    enabled = request.POST.get("enabled") == "1"
    services.enable_tool(actor=request.caller.actor, tool=row, enabled=enabled)
    message = f"Agents may call {row.name} again." if enabled else f"No agent calls {row.name} any more."
    return go(request, url_of(row), message)


@needs("build")
def review_tool(request: TeamRequest, tool_id: UUID) -> HttpResponse:
    """Show what the server says now beside what was reviewed; accept it."""
    row = access.tool_for(request.caller, tool_id, to="edit")
    if row.server is None:
        raise Http404("Only tools of a server are reviewed.")
    offer = next((one for one in offers_in(row.server.found) if one.name == row.config["name"]), None)
    seen = request.POST.get("seen_digest", "")
    refused = refused_by(request, lambda: servers.review_tool(actor=request.caller.actor, tool=row, seen_digest=seen))
    if refused is None:
        return go(request, url_of(row), f"{row.slug} may be called again, as its server says now.")
    context = {
        **frame(request, "servers"),
        "tool": row,
        "offer": offer,
        "refused": refused,
        "was": written_json(row.parameters),
        "now": written_json(offer.schema) if offer else "",
    }
    return render(request, "agents/tools/review.html", context, status=409 if refused else 200)


@needs("build")
def remove_tool(request: TeamRequest, tool_id: UUID) -> HttpResponse:
    row = access.tool_for(request.caller, tool_id, to="edit")
    refused = refused_by(request, lambda: services.delete_tool(actor=request.caller.actor, tool=row))
    if refused is None:
        return go(request, reverse("agents:tools"), f"Removed {row.name}.")
    lost = "No agent can be granted it any more. Its secret goes with it; records of calls stay."
    return ask(request, ACTIVE, "Remove", row.name, lost, url_of(row), refused)
