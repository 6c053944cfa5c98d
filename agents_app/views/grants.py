"""Grant tools to a draft, revoke grants, and set the limits of its runs."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from agents_app import access
from agents_app.forms.grants import GrantForm, LimitsForm
from agents_app.grants.pinned import tools_of
from agents_app.models import Agent
from agents_app.queries import grants as queries
from agents_app.queries.paging import search_in
from agents_app.services import drafts
from agents_app.views.frame import frame
from console.core.forms import posted, refusals_at, status_of
from console.core.htmx import go, is_htmx
from console.teams.access import needs
from console.teams.callers import TeamRequest


@needs("build")
@require_safe
def choose_tool(request: TeamRequest, slug: str) -> HttpResponse:
    agent = access.agent_for(request.caller, slug, to="edit")
    words, number = search_in(request.GET)
    page = queries.grantable(agent, agent.draft, words, number)
    context = {**frame(request, agent, "grants"), "page": page, "words": words}
    template = "agents/grants/choose.html"
    return render(request, f"{template}#list" if is_htmx(request) else template, context)


@needs("build")
def grant(request: TeamRequest, slug: str, tool: str) -> HttpResponse:
    """Say what the agent may call a tool with."""
    agent = access.agent_for(request.caller, slug, to="edit")
    row = tools_of(agent.team, [tool]).get(tool)
    if row is None:
        raise Http404("The team has no such tool.")
    form = GrantForm(posted(request), draft=agent.draft, tool=row)
    if form.is_valid():
        others = [other for other in agent.draft.grants if other["tool"] != tool]
        with refusals_at(form):
            _save(request, agent, form, grants=[*others, form.grant()])
            return go(request, reverse("agents:edit", args=[slug]), f"Granted {tool} in the draft.")
    context = {**frame(request, agent, "grants"), "form": form, "tool": row}
    return render(request, "agents/grants/grant.html", context, status=status_of(form))


@needs("build")
@require_POST
def withdraw(request: TeamRequest, slug: str, tool: str) -> HttpResponse:
    agent = access.agent_for(request.caller, slug, to="edit")
    others = [other for other in agent.draft.grants if other["tool"] != tool]
    if len(others) == len(agent.draft.grants):
        raise Http404("The draft grants no such tool.")
    drafts.save_draft(actor=request.caller.actor, agent=agent, seen_revision=agent.draft.revision, grants=others)
    message = f"The draft grants {tool} no more. What is live changes when you publish."
    return go(request, reverse("agents:edit", args=[slug]), message)


@needs("build")
def limits(request: TeamRequest, slug: str) -> HttpResponse:
    agent = access.agent_for(request.caller, slug, to="edit")
    form = LimitsForm(posted(request), draft=agent.draft)
    if form.is_valid():
        with refusals_at(form):
            _save(request, agent, form, **form.definition())
            return go(request, reverse("agents:edit", args=[slug]), "Saved in the draft.")
    context = {**frame(request, agent, "limits"), "form": form}
    return render(request, "agents/grants/limits.html", context, status=status_of(form))


def _save(request: TeamRequest, agent: Agent, form: GrantForm | LimitsForm, **fields: Any) -> None:
    seen = form.cleaned_data["seen_revision"]
    drafts.save_draft(actor=request.caller.actor, agent=agent, seen_revision=seen, **fields)
