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
from agents_app.queries.paging import asked
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
    shown = in_scope(request, access.agents_for(request.caller))
    words, number = asked(request.GET)
    page, rows = listing(shown, words, number)
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
    found = access.agent_for(request.caller, slug)
    return state_page(request, found, found.live or found.draft)


@needs("view_team")
@require_safe
def version(request: TeamRequest, slug: str, number: int) -> HttpResponse:
    found = access.agent_for(request.caller, slug, to="inspect")
    return state_page(request, found, access.version_for(found, number))


def state_page(request: TeamRequest, agent: Agent, shown: AgentVersion | AgentDraft) -> HttpResponse:
    """Show one state of an agent: a version, or its draft."""
    context: dict[str, Any] = {
        **frame(request, agent, "agent"),
        "shown": shown,
        "number": shown.number if isinstance(shown, AgentVersion) else None,
        "instructions": detail.instructions(agent, shown),
        "limits": detail.shown_limits(shown),
        "granted": granted(agent, shown),
        "documents": _documents(agent, shown),
        "can_open_prompt": prompts_for(request.caller).filter(slug=shown.prompt_slug).exists(),
        "moves": detail.moves_of(agent),
        "base_url": settings.BASE_URL,
    }
    if agent.live is not None and agent.live.input_schema and agent.live.grants:
        example = json.dumps({"input": example_of(agent.live.input_schema, "…")}, ensure_ascii=False)
        context["example"] = shlex.quote(example)  # names and values are whoever's who built the agent
    return render(request, "agents/detail.html", context)


def _documents(agent: Agent, shown: AgentVersion | AgentDraft) -> list[tuple[str, Collection | None]]:
    """Return the names it answers from, each with the collection that its team means, which all of the team see."""
    meant = {one.slug: one for one in collections_of(agent.team)} if shown.knowledge else {}
    return [(slug, meant.get(slug)) for slug in shown.knowledge]


@needs("view_team")
@require_safe
def compare(request: TeamRequest, slug: str) -> HttpResponse:
    """Two versions beside each other; the newest with the one before unless the address says which."""
    found = access.agent_for(request.caller, slug, to="inspect")
    context = frame(request, found, "compare")
    newest = context["versions"][0].number if context["versions"] else 1
    new = access.version_for(found, parsing.number(request.GET.get("b", ""), newest))
    old = access.version_for(found, parsing.number(request.GET.get("a", ""), max(1, new.number - 1)))
    context |= {
        "old": old,
        "new": new,
        "numbers": [one.number for one in context["versions"]],
        "was": f"v{old.number}",
        "now": f"v{new.number}",
        "differences": detail.differences(old, new, found.team_id),
    }
    return render(request, "agents/compare.html", context)


@needs("view_team")
@require_safe
def where_used(request: TeamRequest, slug: str) -> HttpResponse:
    found = access.agent_for(request.caller, slug, to="inspect")
    all_uses = uses.uses_of(found)
    mine = set(teams_for(request.caller).values_list("pk", flat=True))
    shown = [use for use in all_uses if use.team_id in mine]
    context = {**frame(request, found, "where_used"), "uses": shown, "hidden": len(all_uses) - len(shown)}
    return render(request, "agents/where_used.html", context)
