"""The pages of an agent: the list, one agent, one version, two compared, where it is used."""

import json
import shlex
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from agents_app import access
from agents_app import where_used as uses
from agents_app.agent_templates import TEMPLATES
from agents_app.models import Agent, AgentDraft, AgentVersion
from agents_app.queries import detail
from agents_app.queries.choices import collections_of
from agents_app.queries.grants import granted
from agents_app.queries.listing import listing
from agents_app.queries.paging import search_in
from agents_app.tools.schemas import example_of
from agents_app.views.frame import ACTIVE, frame
from console.core import parsing
from console.core.htmx import is_htmx
from console.knowledge.models import Collection
from console.teams.access import in_scope, needs, teams_for
from console.teams.callers import TeamRequest
from prompts_app.access import prompts_for


@needs("view_team")
@require_safe
def agents(request: TeamRequest) -> HttpResponse:
    """The agents of the caller's teams and those shared with them; `?team=` narrows to one team's own."""
    visible = in_scope(request, access.agents_for(request.caller))
    words, number = search_in(request.GET)
    page, rows = listing(visible, words, number)
    may_build = request.caller.may("build")
    context = {
        "active": ACTIVE,
        "page": page,
        "rows": rows,
        "words": words,
        "may_build": may_build,
        "templates": TEMPLATES.values(),
    }
    return render(request, "agents/list.html#list" if is_htmx(request) else "agents/list.html", context)


@needs("view_team")
@require_safe
def agent(request: TeamRequest, slug: str) -> HttpResponse:
    """What answers now, or what is being built while nothing does."""
    row = access.agent_for(request.caller, slug)
    return state_page(request, row, row.live or row.draft)


@needs("view_team")
@require_safe
def version(request: TeamRequest, slug: str, number: int) -> HttpResponse:
    agent = access.agent_for(request.caller, slug, to="inspect")
    return state_page(request, agent, access.version_for(agent, number))


def state_page(request: TeamRequest, agent: Agent, state: AgentVersion | AgentDraft) -> HttpResponse:
    """Show one state of an agent: a version, or its draft."""
    context: dict[str, Any] = {
        **frame(request, agent, "agent"),
        "shown": state,
        "number": state.number if isinstance(state, AgentVersion) else None,
        "instructions": detail.instructions(agent, state),
        "limits": detail.shown_limits(state),
        "granted": granted(agent, state),
        "documents": _documents(agent, state),
        "can_open_prompt": prompts_for(request.caller).filter(slug=state.prompt_slug).exists(),
        "moves": detail.moves_of(agent),
        "base_url": settings.BASE_URL,
    }
    if agent.live is not None and agent.live.input_schema and agent.live.grants:
        example = json.dumps({"input": example_of(agent.live.input_schema, "…")}, ensure_ascii=False)
        context["example"] = shlex.quote(example)  # names and values are whoever's who built the agent
    return render(request, "agents/detail.html", context)


def _documents(agent: Agent, state: AgentVersion | AgentDraft) -> list[tuple[str, Collection | None]]:
    """Return the names it answers from, each with the collection that its team means, which all of the team see."""
    collections = {collection.slug: collection for collection in collections_of(agent.team)} if state.knowledge else {}
    return [(slug, collections.get(slug)) for slug in state.knowledge]


@needs("view_team")
@require_safe
def compare(request: TeamRequest, slug: str) -> HttpResponse:
    """Two versions beside each other; the newest with the one before unless the address says which."""
    agent = access.agent_for(request.caller, slug, to="inspect")
    context = frame(request, agent, "compare")
    newest = context["versions"][0].number if context["versions"] else 1
    new = access.version_for(agent, parsing.number(request.GET.get("b", ""), newest))
    old = access.version_for(agent, parsing.number(request.GET.get("a", ""), max(1, new.number - 1)))
    context |= {
        "old": old,
        "new": new,
        "numbers": [version.number for version in context["versions"]],
        "was": f"v{old.number}",
        "now": f"v{new.number}",
        "differences": detail.differences(old, new, agent.team_id),
    }
    return render(request, "agents/compare.html", context)


@needs("view_team")
@require_safe
def where_used(request: TeamRequest, slug: str) -> HttpResponse:
    agent = access.agent_for(request.caller, slug, to="inspect")
    all_uses = uses.uses_of(agent)
    mine = set(teams_for(request.caller).values_list("pk", flat=True))
    visible = [use for use in all_uses if use.team_id in mine]
    context = {**frame(request, agent, "where_used"), "uses": visible, "hidden": len(all_uses) - len(visible)}
    return render(request, "agents/where_used.html", context)
