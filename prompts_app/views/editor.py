"""Edit a prompt: the editor of its next version, its live preview, and the draft that is kept."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from console.core.errors import Refusal
from console.core.htmx import go, is_htmx
from console.teams.access import needs
from console.teams.callers import TeamRequest
from prompts_app import access, tabs, three_way
from prompts_app.errors import StalePrompt
from prompts_app.forms import editor as editing
from prompts_app.forms.editor import Editor
from prompts_app.models import Draft, Prompt, PromptVersion
from prompts_app.queries.comparison import Sides, sides
from prompts_app.services import drafts, versions
from prompts_app.views import editor_page


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
    typed.leave_out_gone()
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
            editor_page.note(typed, refusal)
        else:
            message = f"Saved version {saved.number}. Nobody gets it until a label points at it."
            return go(request, reverse("prompts:version", args=[slug, saved.number]), message)
    return _edit_page(request, prompt, typed, status=422)


def _version_or_none(prompt: Prompt, number: int | None) -> PromptVersion | None:
    return access.version_for(prompt, number) if number else None


def _begin(request: TeamRequest, prompt: Prompt) -> tuple[Editor, Draft | None]:
    """Return what to edit: the person's own draft, else the version asked for, else the newest."""
    number = request.GET.get("from", "")
    begun = access.version_for(prompt, int(number)) if number.isdecimal() and len(number) < 9 else prompt.head
    draft = drafts.draft_of(prompt, request.caller.user) if request.caller.user and not number else None
    if draft is not None:
        return editing.from_draft(prompt.kind, draft), draft
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
        **editor_page.editor_context(typed, slug=slug, number=prompt.next_number, team=prompt.team),
        "prompt": prompt,
        "draft": draft,
        "others": drafts.others_drafting(prompt, request.caller.user),
        "compared": compared,
        "action_url": reverse("prompts:edit", args=[slug]),
        "check_url": reverse("prompts:check", args=[slug]),
        "draft_url": reverse("prompts:draft", args=[slug]),
        "draft_actions": _draft_actions(request, prompt),
    }
    return render(request, editor_page.template(request), context, status=status)


def _draft_actions(request: TeamRequest, prompt: Prompt) -> list[tabs.Action]:
    """Return what can be done with a draft besides saving it, by whoever writes it."""
    if request.caller.user is None:
        return []
    return [one for one in tabs.ACTIONS if one.draft_url(prompt) and request.caller.may(one.right, prompt.team_id)]


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
def check(request: TeamRequest, slug: str) -> HttpResponse:
    prompt = access.prompt_for(request.caller, slug, to="edit")
    typed = editing.from_post(prompt.kind, request.POST)
    return editor_page.live(request, typed, slug=slug, number=prompt.next_number, team=prompt.team)


@needs("build")
@require_POST
def draft(request: TeamRequest, slug: str) -> HttpResponse:
    """Keep what was typed, or drop it; `go-…` keeps it and leads to what can be done with it."""
    prompt = access.prompt_for(request.caller, slug, to="edit")
    person = request.caller.user
    if person is None:
        raise Http404("Only people have drafts.")
    if request.POST.get("do") == "drop":
        drafts.drop_draft(actor=request.caller.actor, prompt=prompt)
        return go(request, reverse("prompts:edit", args=[slug]), "Dropped your draft.")
    typed = editing.from_post(prompt.kind, request.POST)
    base = _version_or_none(prompt, typed.was or typed.base)
    kept = drafts.keep_draft(actor=request.caller.actor, prompt=prompt, base=base, **typed.draft)
    for action in _draft_actions(request, prompt):
        if request.POST.get("do") == f"go-{action.label}":
            return go(request, action.draft_url(prompt))
    context = {"kept": kept, "others": drafts.others_drafting(prompt, person)}
    return render(request, "prompts/_draft_state.html", context)
