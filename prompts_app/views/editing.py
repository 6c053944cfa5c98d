"""Write a prompt: new, edit, look while typing, keep a draft."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from console.core.errors import Refusal
from console.core.forms import refuse
from console.core.htmx import go, is_htmx
from console.teams.access import needs, scope_for
from console.teams.callers import TeamRequest
from console.teams.models import Team
from prompts_app import access, three_way
from prompts_app.errors import BadText, StalePrompt
from prompts_app.forms import editor as editing
from prompts_app.forms.editor import Editor
from prompts_app.forms.prompts import KIND_WORDS, NewPromptForm
from prompts_app.models import Draft, Kind, Prompt, PromptVersion
from prompts_app.queries import preview
from prompts_app.queries.comparison import Sides, sides
from prompts_app.queries.text import ROLES
from prompts_app.services import drafts, prompts, versions
from prompts_app.text.variables import TYPES
from prompts_app.views.frame import ACTIVE


@needs("build")
def new_prompt(request: TeamRequest) -> HttpResponse:
    teams = access.owning_teams(request.caller)
    kind = request.POST.get("kind", request.GET.get("kind", ""))
    kind = kind if kind in Kind.values else str(Kind.TEXT)
    if request.method != "POST":
        if draft := drafts.draft_of(None, request.caller.user):
            return _new_page(request, *_begun_new(draft, teams), teams, draft=draft)
        folder = request.GET.get("folder", "").strip("/")[:190]
        scope = scope_for(request.caller, request.GET.get("team", ""))
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
                _note(typed, refusal)
        else:
            drafts.drop_draft(actor=request.caller.actor, prompt=None)
            return go(request, reverse("prompts:prompt", args=[made.slug]), f"Created {made.slug}, version 1.")
    return _new_page(request, form, typed, teams, status=422)


_ABOUT = ("slug", "team", "visibility", "description", "tags")


def _begun_new(draft: Draft, teams: Any) -> tuple[NewPromptForm, Editor]:
    """Return a new prompt as it was left: what was typed about it, and its text."""
    kind = draft.about.get("kind", "")
    typed = editing.from_parts(
        kind if kind in Kind.values else str(Kind.TEXT),
        draft.content,
        draft.variables,
        draft.parameters,
        message=draft.message,
    )
    return NewPromptForm(teams=teams, initial=draft.about), typed


@needs("build")
@require_POST
def new_draft(request: TeamRequest) -> HttpResponse:
    """Keep what was typed of a prompt that is not there yet, or drop it."""
    if request.caller.user is None:
        raise Http404("Only people have drafts.")
    if request.POST.get("do") == "drop":
        drafts.drop_draft(actor=request.caller.actor, prompt=None)
        return go(request, reverse("prompts:new_prompt"), "Dropped your draft.")
    kind = request.POST.get("kind", "")
    typed = editing.from_post(kind if kind in Kind.values else str(Kind.TEXT), request.POST)
    kept = drafts.keep_draft(
        actor=request.caller.actor,
        prompt=None,
        base=None,
        content=typed.content,
        variables=typed.raw_variables(),
        parameters=typed.raw_parameters(),
        message=typed.message,
        about={"kind": typed.kind, **{name: request.POST.get(name, "") for name in _ABOUT}},
    )
    return render(request, "prompts/_draft_state.html", {"kept": kept})


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
    status: int = 200,
) -> HttpResponse:
    team = _team_of(request, teams)
    if team is None:
        raise Http404("There is no team in which you may build prompts.")
    context = {
        **_editor_context(typed, slug="new", number=1, team=team),
        "form": form,
        "kinds": [(str(kind), kind.label, words) for kind, words in KIND_WORDS.items()],
        "draft": draft,
        "draft_url": reverse("prompts:new_draft"),
        "action_url": reverse("prompts:new_prompt"),
        "check_url": reverse("prompts:check_new"),
    }
    return render(request, _template(request), context, status=status)


def _team_of(request: TeamRequest, teams: Any) -> Team | None:
    chosen = (request.POST.get("team") or request.GET.get("team") or "").replace("\0", "")
    found: Team | None = (teams.filter(slug=chosen).first() if chosen else None) or teams.first()
    return found


def _template(request: TeamRequest) -> str:
    return "prompts/edit.html#editor" if is_htmx(request) else "prompts/edit.html"


def _editor_context(typed: Editor, *, slug: str, number: int, team: Team) -> dict[str, Any]:
    """Return what the editor shows: what was typed, and what it comes to."""
    return {
        "active": ACTIVE,
        "editor": typed,
        "look": _look(typed, slug=slug, number=number, team=team),
        "partials": preview.partials_to_offer([team.pk], besides=slug),
        "text_chars": settings.PROMPT_TEXT_CHARS,
        "roles": ROLES.items(),
        "types": TYPES,
    }


def _look(typed: Editor, *, slug: str, number: int, team: Team) -> preview.Look:
    """Look at the text as it stands, and give each of its variables a row."""
    typed.match_variables(preview.names_in(typed.content), {})
    for row in typed.variables:
        row.is_in_text = True
    found = preview.look(
        kind=typed.kind,
        slug=slug,
        number=number,
        team_id=team.pk,
        content=typed.content,
        specs=_quiet_specs(typed),
    )
    typed.match_variables(found.names, found.from_partials)
    if found.error and found.at is not None and found.at < len(typed.messages):
        typed.messages[found.at].error = typed.messages[found.at].error or found.error
    return found


def _quiet_specs(typed: Editor) -> list[dict[str, Any]]:
    """Return the declared variables as far as they can be read, without marking what cannot."""
    errors = [row.error for row in typed.variables]
    specs = typed.variable_specs()
    for row, error in zip(typed.variables, errors, strict=True):
        row.error = error
    for spec in specs:
        if spec["type"] == "choice" and not spec["choices"]:
            spec["type"] = "text"
    return specs


def _note(typed: Editor, refusal: Refusal) -> None:
    """Put a service's refusal where it belongs: at a message, a variable, a parameter, or above."""
    param = refusal.param or ""
    kind, _, rest = param.partition(".")
    row = next((row for row in typed.variables if kind == "variables" and row.name == rest.partition(".")[0]), None)
    if isinstance(refusal, BadText):
        typed.messages[min(refusal.message_index or 0, len(typed.messages) - 1)].error = refusal.message
    elif row is not None:
        row.error = refusal.message
    elif kind == "parameters" and rest:
        typed.parameter_errors[rest if rest in editing.NUMBERS else "more"] = refusal.message
    else:
        typed.errors.append(refusal.message)


@needs("build")
@require_POST
def check_new(request: TeamRequest) -> HttpResponse:
    """Answer the editor of a new prompt with what the text comes to so far."""
    team = _team_of(request, access.owning_teams(request.caller))
    if team is None:
        raise Http404("There is no team in which you may build prompts.")
    kind = request.POST.get("kind", "")
    typed = editing.from_post(kind if kind in Kind.values else str(Kind.TEXT), request.POST)
    return _live(request, typed, slug="new", number=1, team=team)


@needs("build")
@require_POST
def check(request: TeamRequest, slug: str) -> HttpResponse:
    prompt = access.prompt_for(request.caller, slug, to="edit")
    typed = editing.from_post(prompt.kind, request.POST)
    return _live(request, typed, slug=slug, number=_next(prompt), team=prompt.team)


def _live(request: TeamRequest, typed: Editor, *, slug: str, number: int, team: Team) -> HttpResponse:
    context = {"editor": typed, "look": _look(typed, slug=slug, number=number, team=team), "types": TYPES}
    return render(request, "prompts/_live.html", context)


def _next(prompt: Prompt) -> int:
    return prompt.head.number + 1 if prompt.head else 1


@needs("build")
def edit(request: TeamRequest, slug: str) -> HttpResponse:
    """Write the next version. A save on an older version shows all three sides and keeps what was typed."""
    prompt = access.prompt_for(request.caller, slug, to="edit")
    if request.method != "POST":
        typed, draft = _begin(request, prompt)
        return _edit_page(request, prompt, typed, draft=draft)
    typed = editing.from_post(prompt.kind, request.POST)
    wish = request.POST.get("do", "save")
    if wish == "merge":
        return _edit_page(request, prompt, _merged(prompt, typed))
    if wish != "save":
        typed.apply(wish, request.POST.get("include", ""))
        return _edit_page(request, prompt, typed)
    specs, parameters = typed.variable_specs(), typed.parameters()
    if not typed.has_errors:
        try:
            saved = versions.save_version(
                actor=request.caller.actor,
                prompt=prompt,
                content=typed.content,
                variables=specs,
                parameters=parameters,
                message=typed.message,
                parent=_version_or_none(prompt, typed.base),
            )
        except StalePrompt:
            # Saving again saves on top of theirs. htmx swaps 422 and leaves 409 alone.
            prompt = access.prompt_for(request.caller, slug, to="edit")
            return _edit_page(request, prompt, typed, status=422 if is_htmx(request) else 409)
        except Refusal as refusal:
            _note(typed, refusal)
        else:
            said = f"Saved version {saved.number}. Nobody gets it until a label points at it."
            return go(request, reverse("prompts:version", args=[slug, saved.number]), said)
    return _edit_page(request, prompt, typed, status=422)


def _version_or_none(prompt: Prompt, number: int | None) -> PromptVersion | None:
    return access.version_for(prompt, number) if number else None


def _begin(request: TeamRequest, prompt: Prompt) -> tuple[Editor, Draft | None]:
    """Return what to edit: the person's own draft, else the version asked for, else the newest."""
    number = request.GET.get("from", "")
    begun = access.version_for(prompt, int(number)) if number.isdecimal() and len(number) < 9 else prompt.head
    draft = drafts.draft_of(prompt, request.caller.user) if request.caller.user and not number else None
    if draft is not None:
        base = draft.base.number if draft.base else None
        typed = editing.from_parts(
            prompt.kind, draft.content, draft.variables, draft.parameters, message=draft.message, base=base
        )
        return typed, draft
    if begun is None:
        return editing.blank(prompt.kind), None
    base = prompt.head.number if prompt.head else None
    return editing.from_parts(prompt.kind, begun.content, begun.variables, begun.parameters, base=base), None


def _edit_page(
    request: TeamRequest,
    prompt: Prompt,
    typed: Editor,
    *,
    draft: Draft | None = None,
    status: int = 200,
) -> HttpResponse:
    """Show the editor. When somebody saved since it was begun, all three sides stand above it."""
    slug = prompt.slug
    compared = _sides(prompt, typed)
    context = {
        **_editor_context(typed, slug=slug, number=_next(prompt), team=prompt.team),
        "prompt": prompt,
        "next_number": _next(prompt),
        "draft": draft,
        "others": drafts.others_drafting(prompt, request.caller.user),
        "compared": compared,
        "action_url": reverse("prompts:edit", args=[slug]),
        "check_url": reverse("prompts:check", args=[slug]),
        "draft_url": reverse("prompts:draft", args=[slug]),
    }
    return render(request, _template(request), context, status=status)


def _merged(prompt: Prompt, typed: Editor) -> Editor:
    """Put both people's changes into the editor, to be read before they are saved."""
    compared = _sides(prompt, typed)
    if compared and compared.is_mergeable:
        for row, message in zip(typed.messages, compared.messages, strict=True):
            row.text = three_way.merge(message.regions)
        known = {row.name for row in typed.variables}
        theirs = editing.from_parts(prompt.kind, [], compared.theirs.variables, {})
        typed.variables += [row for row in theirs.variables if row.name not in known]
        typed.was = None
    return typed


def _sides(prompt: Prompt, typed: Editor) -> Sides | None:
    """Compare what was typed with what somebody saved since it was begun; None when nobody did."""
    head = prompt.head
    if head is None or typed.base is None:
        return None
    if typed.base != head.number:
        typed.was, typed.base = typed.was or typed.base, head.number
    if typed.was is None or typed.was >= head.number:
        return None
    return sides(access.version_for(prompt, typed.was), head, typed.content)


@needs("build")
@require_POST
def draft(request: TeamRequest, slug: str) -> HttpResponse:
    """Keep what was typed, or drop it."""
    prompt = access.prompt_for(request.caller, slug, to="edit")
    person = request.caller.user
    if person is None:
        raise Http404("Only people have drafts.")
    if request.POST.get("do") == "drop":
        drafts.drop_draft(actor=request.caller.actor, prompt=prompt)
        return go(request, reverse("prompts:edit", args=[slug]), "Dropped your draft.")
    typed = editing.from_post(prompt.kind, request.POST)
    kept = drafts.keep_draft(
        actor=request.caller.actor,
        prompt=prompt,
        base=_version_or_none(prompt, typed.was or typed.base),
        content=typed.content,
        variables=typed.raw_variables(),
        parameters=typed.raw_parameters(),
        message=typed.message,
    )
    context = {"kept": kept, "others": drafts.others_drafting(prompt, person)}
    return render(request, "prompts/_draft_state.html", context)
