"""Reviews: the list of open ones, one review with comments on its lines, and the decision."""

import uuid
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from console.core.errors import Refusal
from console.core.forms import refusals_at
from console.core.htmx import done, go, is_htmx
from console.teams.access import needs
from console.teams.callers import TeamRequest
from prompts_app import access, gates
from prompts_app.forms.prompts import CommentForm, DecisionForm
from prompts_app.models import Prompt, Review
from prompts_app.queries import reviews as queries
from prompts_app.queries.comparison import compare
from prompts_app.services import labels
from prompts_app.services import reviews as services
from prompts_app.views.frame import ACTIVE, may


@needs("view_team")
@require_safe
def reviews(request: TeamRequest) -> HttpResponse:
    """What waits for the reader, what they asked for themselves, and what was decided lately."""
    desk = queries.desk(request.caller, access.prompts_for(request.caller))
    context = {"active": ACTIVE, "desk": desk, "may_approve": request.caller.may("approve")}
    return render(request, "prompts/reviews.html", context)


@needs("view_team")
@require_safe
def review(request: TeamRequest, slug: str, review_id: uuid.UUID) -> HttpResponse:
    """One wish to publish: the change line by line, what was said about it, and the decision."""
    prompt, row = _review(request, slug, review_id)
    return _page(request, prompt, row, partial="change")


def _review(request: TeamRequest, slug: str, review_id: uuid.UUID) -> tuple[Prompt, Review]:
    prompt = access.prompt_for(request.caller, slug)
    return prompt, access.review_for(prompt, review_id)


def _page(
    request: TeamRequest,
    prompt: Prompt,
    row: Review,
    *,
    partial: str = "",
    status: int = 200,
    comment: CommentForm | None = None,
    decision: DecisionForm | None = None,
    refused: str = "",
) -> HttpResponse:
    context = {**review_context(request, prompt, row), "refused": refused}
    context["comment"] = comment or CommentForm()
    context["decision"] = decision or DecisionForm()
    template = "prompts/review.html"
    return render(
        request, f"{template}#{partial}" if partial and is_htmx(request) else template, context, status=status
    )


def review_context(request: TeamRequest, prompt: Prompt, row: Review, *, is_saying: bool = True) -> dict[str, Any]:
    caller = request.caller
    is_own = caller.user is not None and services.asked_for(row, caller.user)
    is_going_on = row.status in {Review.Status.OPEN, Review.Status.CHANGES}
    rule = labels.rule_for(prompt, row.label)
    now = prompt.labels.filter(name=row.label).select_related("version").first()
    is_stale = (now.revision if now else 0) != row.seen_revision
    allowed = may(request, prompt)
    is_approved = row.status == Review.Status.APPROVED
    unbacked = labels.why_unbacked(row) if is_approved else ""
    comparison = compare(row.from_version, row.version, is_inline=True)
    at = _place(request) if is_saying else None
    said = queries.remarks(row, comparison, at)
    return {
        "active": ACTIVE,
        "prompt": prompt,
        "review": row,
        "comparison": comparison,
        "at": at,
        "commented": said.messages,
        "general": said.general,
        "is_own": is_own,
        "is_stale": is_stale,
        "is_live": bool(now and now.version_id == row.version_id),
        "now": now,
        "objections": gates.objections(row.version, row.label) if rule and rule.needs_green_tests else [],
        "may": allowed,
        "can_decide": is_going_on and allowed.review and not is_own and not is_stale,
        "can_comment": is_going_on and (allowed.review or allowed.edit),
        "can_withdraw": is_going_on and allowed.edit,
        "unbacked": unbacked,
        "can_take_back": is_approved and allowed.review and not is_stale,
        "can_publish": is_approved and not unbacked and allowed.edit and not is_stale,
    }


def _place(request: TeamRequest) -> tuple[int, int] | None:
    """Return the line the reader wants to say something about: from `?at=0-12`, or of a remark that was refused."""
    message, line = request.POST.get("message_index", ""), request.POST.get("line", "")
    if request.method != "POST":
        message, _, line = request.GET.get("at", "").partition("-")
    if message.isdecimal() and line.isdecimal() and len(message) < 6 and len(line) < 8:
        return int(message), int(line)
    return None


@needs("view_team")
@require_POST
def comment(request: TeamRequest, slug: str, review_id: uuid.UUID) -> HttpResponse:
    prompt, row = _review(request, slug, review_id)
    allowed = may(request, prompt)
    if not (allowed.edit or allowed.review):
        raise PermissionDenied("Only people who build or approve in the team can comment.")
    form = CommentForm(request.POST)
    if form.is_valid():
        with refusals_at(form):
            services.comment(actor=request.caller.actor, review=row, **form.cleaned_data)
            context = {**review_context(request, prompt, row, is_saying=False), "comment": CommentForm()}
            url = reverse("prompts:review", args=[slug, review_id])
            return done(request, url, "prompts/review.html#change", context, "Added your comment.")
    return _page(request, prompt, row, partial="change", comment=form, status=422)


@needs("approve")
@require_POST
def decide(request: TeamRequest, slug: str, review_id: uuid.UUID) -> HttpResponse:
    """Approve, or ask for changes. Whoever asked cannot approve."""
    prompt = access.prompt_for(request.caller, slug, to="review")
    row = access.review_for(prompt, review_id)
    form = DecisionForm(request.POST)
    if form.is_valid():
        try:
            services.decide(actor=request.caller.actor, review=row, **form.cleaned_data)
        except Refusal as refusal:
            return _page(request, prompt, row, decision=form, refused=refusal.message, status=_status(request, refusal))
        message = "Approved." if form.cleaned_data["decision"] == "approve" else "Requested changes."
        return go(request, reverse("prompts:review", args=[slug, review_id]), message)
    return _page(request, prompt, row, decision=form, status=422)


@needs("approve")
@require_POST
def take_back(request: TeamRequest, slug: str, review_id: uuid.UUID) -> HttpResponse:
    """Take an approval back as long as nobody has published with it."""
    prompt = access.prompt_for(request.caller, slug, to="review")
    row = access.review_for(prompt, review_id)
    try:
        services.take_back(actor=request.caller.actor, review=row)
    except Refusal as refusal:
        return _page(request, prompt, row, refused=refusal.message, status=_status(request, refusal))
    message = f"Withdrew the approval. {row.label.capitalize()} stays as it is until somebody approves again."
    return go(request, reverse("prompts:review", args=[slug, review_id]), message)


@needs("build")
@require_POST
def withdraw(request: TeamRequest, slug: str, review_id: uuid.UUID) -> HttpResponse:
    prompt = access.prompt_for(request.caller, slug, to="edit")
    row = access.review_for(prompt, review_id)
    try:
        services.withdraw(actor=request.caller.actor, review=row)
    except Refusal as refusal:
        return _page(request, prompt, row, refused=refusal.message, status=_status(request, refusal))
    return go(request, reverse("prompts:prompt", args=[slug]), "Withdrew the review.")


def _status(request: TeamRequest, refusal: Refusal) -> int:
    return 422 if is_htmx(request) else refusal.status
