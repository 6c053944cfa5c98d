"""Publish, roll back, remove a label; request a review where the team requires one."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from console.core import parsing
from console.core.errors import BadInput, Refusal
from console.core.forms import posted, refusals_at, status_of
from console.core.htmx import go, is_htmx
from console.teams.access import needs, teams_for
from console.teams.callers import TeamRequest
from console.teams.models import Membership
from console.teams.roles import DECIDERS
from prompts_app import access, gates, where_used
from prompts_app.forms.prompts import ReasonForm, RemoveLabelForm
from prompts_app.models import USUAL_LABELS, Label, Prompt, PromptVersion, Review
from prompts_app.queries import usage_groups
from prompts_app.queries.comparison import compare
from prompts_app.queries.detail import in_order
from prompts_app.services import labels, reviews
from prompts_app.text.refs import check_label
from prompts_app.views.frame import ACTIVE
from prompts_app.views.pages import text_page

_FIRST = "First publication"


@needs("build")
def publish(request: TeamRequest, slug: str) -> HttpResponse:
    """Show what is live, what would be, and whom it reaches; then point the label there.

    A protected label without an approval asks for a review with the same form.
    """
    prompt = access.prompt_for(request.caller, slug, to="publish")
    given = request.POST if request.method == "POST" else request.GET
    version = _version(prompt, given.get("version", ""))
    name, wrong = _label_name(given.get("label", ""))
    now = Label.objects.filter(prompt=prompt, name=name).select_related("version").first()
    revision = now.revision if now else 0
    if request.method != "POST" or wrong:
        form = ReasonForm(initial={"seen_revision": revision, "reason": _reason(given.get("reason", ""), now)})
        return _publish_page(request, prompt, version, name, now, form, wrong=wrong, status=422 if wrong else 200)
    form = ReasonForm(request.POST, initial={"seen_revision": revision})
    if form.is_valid():
        with refusals_at(form):
            said, url = _publish_or_ask(request, prompt, version, name, form)
            return go(request, url, said)
    # htmx swaps 422 and leaves 409 alone.
    status = 422 if is_htmx(request) else status_of(form)
    return _publish_page(request, prompt, version, name, now, form, status=status)


def _reason(text: str, now: Label | None) -> str:
    """Return what was typed before another label was chosen; a first publication is reason enough."""
    if text and text != _FIRST:
        return text
    return "" if now else _FIRST


def _publish_or_ask(
    request: TeamRequest, prompt: Prompt, version: PromptVersion, name: str, form: ReasonForm
) -> tuple[str, str]:
    actor, given = request.caller.actor, form.cleaned_data
    rule = labels.rule_for(prompt, name)
    if rule and rule.needs_review and labels.approval_for(prompt, name, version) is None:
        review = reviews.request_review(actor=actor, prompt=prompt, version=version, label=name, **given)
        url = reverse("prompts:review", args=[prompt.slug, review.pk])
        return f"Asked for a review of v{version.number} for {name}.", url
    labels.publish(actor=actor, prompt=prompt, version=version, label=name, **given)
    url = reverse("prompts:version", args=[prompt.slug, version.number])
    return f"Published v{version.number} of {prompt.slug} to {name}.", url


def _version(prompt: Prompt, text: str) -> PromptVersion:
    if (number := parsing.number(text, None)) is not None:
        return access.version_for(prompt, number)
    assert prompt.head is not None
    return prompt.head


def _label_name(text: str) -> tuple[str, str]:
    """Return the label that was chosen and what is wrong with its name; production unless somebody says."""
    text = text.strip()
    if not text:
        return "production", ""
    try:
        return check_label(text), ""
    except BadInput as refusal:
        return "production", refusal.message


def _publish_page(
    request: TeamRequest,
    prompt: Prompt,
    version: PromptVersion,
    name: str,
    now: Label | None,
    form: ReasonForm,
    *,
    wrong: str = "",
    status: int = 200,
) -> HttpResponse:
    rule = labels.rule_for(prompt, name)
    approval = labels.approval_for(prompt, name, version) if rule and rule.needs_review else None
    must_ask = bool(rule and rule.needs_review and approval is None)
    going_on = Review.objects.filter(prompt=prompt, label=name, status__in=["open", "changes"])
    waiting = going_on.select_related("version").first()
    others = [label.name for label in in_order(list(prompt.labels.all())) if label.name not in USUAL_LABELS]
    context: dict[str, Any] = {
        "active": ACTIVE,
        "prompt": prompt,
        "version": version,
        "label": name,
        "label_names": list(dict.fromkeys([*USUAL_LABELS, *others, name])),
        "now": now,
        "is_there": bool(now and now.version_id == version.pk),
        "form": form,
        "wrong": wrong,
        "comparison": compare(now.version if now else None, version, is_inline=True, is_folded=True) if now else None,
        "reaches": usage_groups.groups(
            where_used.uses_of(prompt),
            access.prompts_for(request.caller),
            teams_for(request.caller),
            request.caller.may,
        ),
        "rule": rule,
        "approval": approval,
        "waiting": waiting,
        "is_waiting": bool(waiting and waiting.status == Review.Status.OPEN),
        "must_ask": must_ask,
        "nobody_decides": must_ask and not _has_deciders(request, prompt),
        "objections": gates.objections(version, name) if rule and rule.needs_green_tests else [],
        "action_url": reverse("prompts:publish", args=[prompt.slug]),
    }
    template = "prompts/publish.html"
    if is_htmx(request):
        template += "#form" if request.method == "POST" or request.GET.get("in") == "dialog" else "#dialog"
    return render(request, template, context, status=status)


def _has_deciders(request: TeamRequest, prompt: Prompt) -> bool:
    """Return whether the team has somebody besides the reader who may approve."""
    members = Membership.objects.filter(team=prompt.team_id, role__in=DECIDERS, user__is_active=True)
    return members.exclude(user=request.caller.user).exists()


@needs("build")
@require_POST
def roll_back(request: TeamRequest, slug: str) -> HttpResponse:
    """Undo the last move of a label, in one click."""
    prompt = access.prompt_for(request.caller, slug, to="publish")
    name = request.POST.get("label", "")[:40]
    label = access.label_for(prompt, name)
    seen = request.POST.get("seen_revision", "")
    to = labels.version_before(prompt, name)
    reason = request.POST.get("reason", "").strip() or f"Rolled back from v{label.version.number}"
    back = reverse("prompts:prompt", args=[slug])
    try:
        labels.roll_back(
            actor=request.caller.actor,
            prompt=prompt,
            label=name,
            reason=reason,
            seen_revision=parsing.number(seen, -1),
        )
    except Refusal as refusal:
        return _refused(request, prompt, refusal)
    return go(request, back, f"Rolled {name} back to v{to.number if to else '?'}, from the next call on.")


def _refused(request: TeamRequest, prompt: Prompt, refusal: Refusal) -> HttpResponse:
    """Say on the prompt's own page why a label stayed where it was."""
    assert prompt.head is not None
    prompt.head.prompt = prompt
    return text_page(request, prompt, prompt.head, refused=refusal.message, status=refusal.status)


@needs("build")
def remove_label(request: TeamRequest, slug: str, label: str) -> HttpResponse:
    """Ask why, then take a label off: whoever names it is refused from then on."""
    prompt = access.prompt_for(request.caller, slug, to="publish")
    row = access.label_for(prompt, label)
    form = RemoveLabelForm(posted(request), initial={"seen_revision": row.revision})
    if form.is_valid():
        with refusals_at(form):
            labels.remove_label(actor=request.caller.actor, prompt=prompt, label=label, **form.cleaned_data)
            return go(request, reverse("prompts:prompt", args=[slug]), f"Removed {label} from {slug}.")
    context = {"active": ACTIVE, "prompt": prompt, "row": row, "form": form}
    return render(request, "prompts/remove_label.html", context, status=status_of(form))
