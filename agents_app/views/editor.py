"""Create an agent, and edit its draft."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from agents_app import access
from agents_app.agent_templates import TEMPLATES, Template, kind_expected
from agents_app.definition import fields_of, run_limits
from agents_app.forms.agents import NewAgentForm
from agents_app.forms.draft import DraftForm
from agents_app.models import Agent, AgentDraft
from agents_app.queries import choices, detail
from agents_app.queries.grants import granted
from agents_app.services import agents, drafts
from agents_app.services.from_template import create_from_template
from agents_app.tryout import Tried, talk_with_draft, turns_from
from agents_app.views.frame import ACTIVE, frame
from console.core.errors import Overtaken, Refusal
from console.core.forms import posted, refusals_at, refuse, status_of
from console.core.htmx import go, is_htmx
from console.teams.access import needs
from console.teams.callers import TeamRequest


@needs("build")
def new_agent(request: TeamRequest) -> HttpResponse:
    teams = access.building_teams(request.caller)
    chosen = TEMPLATES.get(request.POST.get("template") or request.GET.get("template", ""))
    initial = {"team": request.GET.get("team", "")} | (_named_as(chosen) if chosen else {})
    form = NewAgentForm(posted(request), teams=teams, initial=initial)
    if form.is_valid():
        with refusals_at(form):
            agent = _create_agent(request, form)
            message = "See what it still lacks." if chosen else "Say what it is."
            return go(request, reverse("agents:edit", args=[agent.slug]), f"Created {agent.name}. {message}")
    context = {"active": ACTIVE, "form": form, "templates": TEMPLATES.values(), "chosen": chosen}
    return render(request, "agents/new.html", context, status=status_of(form))


def _named_as(template: Template) -> dict[str, str]:
    """Return what a template is called; its short name may be taken, which the form then says."""
    return {
        "template": template.slug,
        "name": template.name,
        "slug": template.slug,
        "description": template.description,
    }


def _create_agent(request: TeamRequest, form: NewAgentForm) -> Agent:
    cleaned = dict(form.cleaned_data)
    if template := cleaned.pop("template"):
        return create_from_template(actor=request.caller.actor, template=template, **cleaned)
    return agents.create_agent(actor=request.caller.actor, **cleaned)


@needs("build")
def edit(request: TeamRequest, slug: str) -> HttpResponse:
    """Save the draft, and perhaps continue to its next page; or preview and try what is typed, which saves nothing."""
    agent = access.agent_for(request.caller, slug, to="edit")
    if request.method != "POST":
        form = DraftForm(agent=agent, draft=agent.draft)
        if made := request.GET.get("prompt", "")[:300]:  # the one that was just written for it
            form.initial["prompt_slug"] = made
        return _page(request, agent, form)
    form = DraftForm(request.POST, agent=agent, draft=agent.draft)
    if request.POST.get("do") in _PIECES:
        return _looked_at(request, agent, form)
    if not form.is_valid():
        return _page(request, agent, form, status=422)
    fields = form.definition()
    try:
        drafts.save_draft(
            actor=request.caller.actor, agent=agent, seen_revision=form.cleaned_data["seen_revision"], **fields
        )
    except Refusal as refusal:
        refuse(form, refusal)
        typed = AgentDraft(**fields_of(agent.draft) | fields)
        theirs = detail.differences(typed, agent.draft, agent.team_id) if isinstance(refusal, Overtaken) else []
        return _page(request, agent, form, status=status_of(form), theirs=theirs)
    if (page := _next_page(agent, request.POST.get("do", ""))) is not None:
        return go(request, page)
    return go(request, reverse("agents:edit", args=[slug]), f"Saved the draft of {agent.name}.")


# What is typed is saved before a page of its own is opened, so that coming back from it finds everything.
_PAGES = {"publish": "agents:publish", "grant": "agents:choose_tool", "limits": "agents:limits"}


def _next_page(agent: Agent, do: str) -> str | None:
    """Return the page a saved draft continues to, if any: `grant:` and a name is that tool's, `make:` makes it."""
    if do == "prompt":
        return f"{reverse('prompts:new_prompt')}?{urlencode({'team': agent.team.slug, 'agent': agent.slug})}"
    if do in _PAGES:
        return reverse(_PAGES[do], args=[agent.slug])
    does, _, tool = do.partition(":")
    if not any(grant["tool"] == tool for grant in agent.draft.grants):
        return None
    if does == "grant":
        return reverse("agents:grant", args=[agent.slug, tool])
    if does == "make":
        named = {"team": agent.team.slug, "slug": tool, "kind": kind_expected(tool), "agent": agent.slug}
        return f"{reverse('agents:new_tool')}?{urlencode({name: value for name, value in named.items() if value})}"
    return None


# What only looks at a draft, and the piece of the page each comes back with.
_PIECES = {"look": "variables", "preview": "preview", "try": "tried"}


def _looked_at(request: TeamRequest, agent: Agent, form: DraftForm) -> HttpResponse:
    """Show the variables of the prompt that is typed, the instructions it makes, or what a draft like that answers."""
    do = request.POST["do"]
    more: dict[str, Any] = {}
    is_whole = form.is_valid()
    typed = AgentDraft(**form.definition()) if is_whole else None
    if typed is not None:
        more["instructions"] = detail.instructions(agent, typed)
    else:
        more["instructions"] = detail.ShownState("", [], 0, "Some fields hold what cannot be used; they say what.")
    if do == "try":
        more["tried"] = _tried(request, agent, typed)
    if do == "preview" and is_htmx(request):
        form = DraftForm(agent=agent, draft=agent.draft)
    status = 200 if is_htmx(request) or is_whole else 422
    return _page(request, agent, form, status=status, partial=_PIECES[do], **more)


def _tried(request: TeamRequest, agent: Agent, typed: AgentDraft | None) -> Tried:
    turns, question = turns_from(request.POST.get("said", "")), request.POST.get("question", "")
    if request.POST.get("afresh"):
        turns = []
    if typed is None:
        return Tried(turns, "Some fields hold what cannot be used; they say what.", question)
    assert request.caller.user is not None
    return talk_with_draft(
        person=request.caller.user,
        agent=agent,
        definition=typed,
        turns=turns,
        question=question,
        client_address=request.client_address,
    )


def _page(
    request: TeamRequest, agent: Agent, form: DraftForm, *, status: int = 200, partial: str = "", **more: Any
) -> HttpResponse:
    context: dict[str, Any] = {
        **frame(request, agent, "edit"),
        "form": form,
        "prompt_names": choices.prompt_names(agent.team),
        "instructions": detail.instructions(agent, agent.draft),
        "granted": granted(agent, agent.draft),
        "run_limits": run_limits(agent.draft),
        "tried": Tried(),
        "may_read_log": request.caller.may("view_audit", agent.team_id),
        **more,
    }
    template = f"agents/edit.html#{partial}" if partial and is_htmx(request) else "agents/edit.html"
    return render(request, template, context, status=status)
