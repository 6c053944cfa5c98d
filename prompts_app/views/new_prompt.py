"""Create a prompt: the editor, its live preview, and the draft that is kept."""

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_POST

from console.core.errors import Refusal
from console.core.forms import refuse
from console.core.htmx import go
from console.teams.access import needs, scope_of
from console.teams.callers import TeamRequest
from console.teams.models import Team
from prompts_app import access
from prompts_app.forms import editor as editing
from prompts_app.forms.editor import Editor
from prompts_app.forms.prompts import KIND_WORDS, NewPromptForm
from prompts_app.models import Draft, Kind
from prompts_app.services import drafts, prompts
from prompts_app.text.refs import parse_ref
from prompts_app.views import editor_page

_ABOUT = ("slug", "team", "visibility", "description", "tags")


@needs("build")
def new_prompt(request: TeamRequest) -> HttpResponse:
    teams = access.owning_teams(request.caller)
    kind = _kind(request.POST.get("kind", request.GET.get("kind", "")))
    if request.method != "POST" and (named := request.GET.get("copy_of", "")[:300]):
        return _new_page(request, *_copied(request, named, teams), teams, copy_of=named)
    if request.method != "POST":
        if draft := drafts.draft_of(None, request.caller.user):
            return _new_page(request, *_begun_new(draft, teams), teams, draft=draft)
        folder = request.GET.get("folder", "").strip("/")[:190]
        scope = scope_of(request)
        first = {"slug": f"{folder}/" if folder else "", "team": scope.slug if scope else None}
        return _new_page(request, NewPromptForm(teams=teams, initial=first), editing.blank(kind), teams)
    typed = editing.from_post(kind, request.POST)
    wish = request.POST.get("do", "save")
    if wish != "save":
        kind = wish.removeprefix("kind-") if wish.removeprefix("kind-") in Kind.values else kind
        typed = _as_kind(typed, kind)
        typed.apply(wish, request.POST.get("include", ""))
        form = NewPromptForm(teams=teams, initial=request.POST.dict())
        return _new_page(request, form, typed, teams)
    form = NewPromptForm(request.POST, teams=teams)
    typed.leave_out_gone()
    specs, parameters = typed.variable_specs(), typed.parameters()
    if form.is_valid() and not typed.has_errors:
        try:
            made = prompts.create_prompt(
                actor=request.caller.actor,
                kind=kind,
                content=typed.content,
                variables=specs,
                parameters=parameters,
                message=typed.message,
                **form.cleaned_data,
            )
        except Refusal as refusal:
            if refusal.param in form.fields:
                refuse(form, refusal)
            else:
                editor_page.note(typed, refusal)
        else:
            drafts.drop_draft(actor=request.caller.actor, prompt=None)
            if back := _agent_url(request):
                message = f"Created {made.slug}, version 1. It is filled in here: save the draft to use it."
                return go(request, f"{back}?{urlencode({'prompt': made.slug})}", message)
            return go(request, reverse("prompts:prompt", args=[made.slug]), f"Created {made.slug}, version 1.")
    return _new_page(request, form, typed, teams, status=422)


def _agent_url(request: TeamRequest) -> str:
    """Return the draft of the agent that the prompt is written for, as `?agent=` says, if any."""
    try:
        return reverse("agents:edit", args=[request.GET.get("agent", "")])
    except NoReverseMatch:
        return ""


def _kind(text: str) -> str:
    return text if text in Kind.values else str(Kind.TEXT)


def _begun_new(draft: Draft, teams: Any) -> tuple[NewPromptForm, Editor]:
    """Return a new prompt as it was left: what was typed about it, and its text."""
    typed = editing.from_draft(_kind(draft.about.get("kind", "")), draft)
    return NewPromptForm(teams=teams, initial=draft.about), typed


def _copied(request: TeamRequest, named: str, teams: Any) -> tuple[NewPromptForm, Editor]:
    """Return a new prompt that begins as another one, or a version of it, says."""
    ref = parse_ref(named)
    prompt = access.prompt_for(request.caller, ref.slug if ref else named)
    begun = access.version_for(prompt, ref.number) if ref and ref.number else prompt.head
    assert begun is not None
    about = {"slug": f"{prompt.slug[:195]}-copy", "description": prompt.description, "tags": prompt.tags}
    if teams.filter(pk=prompt.team_id).exists():
        about["team"] = prompt.team.slug
    return (
        NewPromptForm(teams=teams, initial=about),
        editing.from_parts(prompt.kind, begun.content, begun.variables, begun.parameters, message=f"As {begun}"),
    )


def _as_kind(typed: Editor, kind: str) -> Editor:
    """Turn what was typed into another kind of prompt, keeping every word."""
    if kind == typed.kind:
        return typed
    if kind == Kind.CHAT:
        typed.messages[0].role = "system"
        typed.messages.append(editing.MessageRow("user", ""))
    elif typed.kind == Kind.CHAT:
        typed.messages = [editing.MessageRow("", "\n\n".join(row.text for row in typed.messages if row.text.strip()))]
    typed.kind = kind
    return typed


def _new_page(
    request: TeamRequest,
    form: NewPromptForm,
    typed: Editor,
    teams: Any,
    *,
    draft: Draft | None = None,
    copy_of: str = "",
    status: int = 200,
) -> HttpResponse:
    back = _agent_url(request)
    context = {
        **editor_page.editor_context(typed, slug="new", number=1, team=_team_of(request, teams)),
        "form": form,
        "kinds": [(str(kind), kind.label, words) for kind, words in KIND_WORDS.items()],
        "draft": draft,
        "copy_of": copy_of,
        "has_other_draft": bool(copy_of) and drafts.draft_of(None, request.caller.user) is not None,
        "draft_url": reverse("prompts:new_draft"),
        "action_url": reverse("prompts:new_prompt")
        + (f"?{urlencode({'agent': request.GET['agent']})}" if back else ""),
        "cancel_url": back,
        "check_url": reverse("prompts:check_new"),
    }
    return render(request, editor_page.template(request), context, status=status)


def _team_of(request: TeamRequest, teams: Any) -> Team:
    """Return the team that was chosen, else the first in which the person may build."""
    chosen = (request.POST.get("team") or request.GET.get("team") or "").replace("\0", "")
    found: Team | None = (teams.filter(slug=chosen).first() if chosen else None) or teams.first()
    if found is None:
        raise Http404("There is no team in which you may build prompts.")
    return found


@needs("build")
@require_POST
def check_new(request: TeamRequest) -> HttpResponse:
    typed = editing.from_post(_kind(request.POST.get("kind", "")), request.POST)
    team = _team_of(request, access.owning_teams(request.caller))
    return editor_page.live(request, typed, slug="new", number=1, team=team)


@needs("build")
@require_POST
def new_draft(request: TeamRequest) -> HttpResponse:
    """Keep what was typed of a prompt that is not there yet, or drop it."""
    if request.caller.user is None:
        raise Http404("Only people have drafts.")
    if request.POST.get("do") == "drop":
        drafts.drop_draft(actor=request.caller.actor, prompt=None)
        return go(request, reverse("prompts:new_prompt"), "Dropped your draft.")
    typed = editing.from_post(_kind(request.POST.get("kind", "")), request.POST)
    about = {"kind": typed.kind, **{name: request.POST.get(name, "") for name in _ABOUT}}
    kept = drafts.keep_draft(actor=request.caller.actor, prompt=None, base=None, about=about, **typed.draft)
    return render(request, "prompts/_draft_state.html", {"kept": kept})
