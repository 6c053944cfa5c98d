"""The inbox of approvals, and the form for decisions."""

import math
import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agents_app import access
from agents_app.models import Approval
from agents_app.queries import approvals as queries
from agents_app.services import approvals as services
from agents_app.views.run_start import read_fields
from agents_app.views.runs import cards_of, have
from console.core import strict_json
from console.core.clock import now
from console.core.errors import BadInput, Refusal
from console.core.formatting import plural
from console.core.htmx import go, is_htmx
from console.core.ids import parse_id
from console.teams.access import needs, scope_of
from console.teams.callers import TeamRequest

ACTIVE = "approvals"
_MORE_TIME = 3600


@needs("view_team")
@require_safe
def approvals(request: TeamRequest) -> HttpResponse:
    """What waits for the caller, the most pressing open; or what was decided."""
    scope = scope_of(request)
    visible = access.approvals_for(request.caller)
    mine = access.approvals_for(request.caller, to="decide")
    if scope:
        visible, mine = visible.filter(team=scope), mine.filter(team=scope)
    rows = list(queries.waiting(mine)[: queries.MOST_WAITING])
    is_piece = is_htmx(request) and request.GET.get("piece") == "waiting"
    if is_piece and request.GET.get("have", "") == have(rows):
        return HttpResponse(status=204)
    cards = cards_of(request, rows)
    context = {
        "active": ACTIVE,
        "cards": cards,
        "has_several": len(_calls_of(cards)) > 1,
        "have": have(rows),
        "decided": queries.decided(visible),
        "week": queries.week(visible),
        "shows_decided": request.GET.get("show") == "decided",
    }
    return render(request, "agents/approvals/list.html#waiting" if is_piece else "agents/approvals/list.html", context)


_VERBS = {"approve": "approved", "reject": "rejected"}


def _calls_of(cards: list[queries.Card]) -> list[queries.Card]:
    """Return what can be decided together: calls. A question, and what became of a call, need words of their own."""
    return [card for card in cards if card.approval.kind == Approval.Kind.CALL and not card.why_not]


@needs("view_team")
@require_http_methods(["GET", "HEAD", "POST"])
def several(request: TeamRequest) -> HttpResponse:
    """Calls that wait for the caller, each with its exact arguments, to be decided together."""
    scope, status, context = scope_of(request), 200, {"active": ACTIVE, "ticks_all": request.GET.get("tick") == "all"}
    if request.method == "POST":
        decisions, verb = _ticked(request), _VERBS.get(request.POST.get("decision", ""))
        context["typed"] = request.POST.get("message", "")
        if not decisions or verb is None:
            status, context["ticked"] = 422, [decision.seen_sha256 for decision in decisions]
            context["message"] = "Approve or reject what is ticked." if decisions else "Tick at least one call."
        else:
            refused = services.decide_several(
                actor=request.caller.actor,
                decisions=decisions,
                find=lambda approval_id: access.approval_for(request.caller, approval_id),
            )
            message = f"{plural(len(decisions) - len(refused), 'call')} {verb}."
            if not refused:
                return go(request, reverse("agents:approvals"), message)
            visible = access.approvals_for(request.caller).select_related("run__agent").in_bulk(list(refused))
            context["refused"] = [(visible.get(approval_id), str(why)) for approval_id, why in refused.items()]
            status, context["message"] = 409, message
    mine = access.approvals_for(request.caller, to="decide")
    rows = queries.waiting(mine.filter(team=scope) if scope else mine)[: queries.MOST_WAITING]
    context["cards"] = _calls_of(cards_of(request, list(rows)))
    return render(request, "agents/approvals/several.html", context, status=status)


def _ticked(request: TeamRequest) -> list[services.Decision]:
    """Return the decisions of a form whose ticks carry an approval's id and the digest of what was shown."""
    is_approved, message = request.POST.get("decision") == "approve", request.POST.get("message", "")
    found = {}
    for tick in request.POST.getlist("approval")[: queries.MOST_WAITING]:
        text, _, digest = tick.partition(" ")
        if approval_id := parse_id(text):
            found[approval_id] = services.Decision(approval_id, is_approved, digest, message)
    return list(found.values())


@needs("view_team")
@require_safe
def approval(request: TeamRequest, approval_id: uuid.UUID) -> HttpResponse:
    """One approval: what mails and notices link to."""
    row = access.approval_for(request.caller, approval_id)
    return render(request, "agents/approvals/detail.html", _page(request, row))


def _page(request: TeamRequest, row: Approval, **more: Any) -> dict[str, Any]:
    why_not, visible = services.why_not_decide(request.caller.actor, row), access.approvals_for(request.caller)
    card = queries.card(row, why_not, queries.last_like(row, visible), more.get("typed"))
    return {"active": ACTIVE, "card": card, "is_open": row.state == "waiting", **more}


@needs("view_team")
@require_POST
def decide(request: TeamRequest, approval_id: uuid.UUID) -> HttpResponse:
    """Approve, or reject, exactly what the person saw."""
    row = access.approval_for(request.caller, approval_id)
    is_approved = request.POST.get("decision") == "approve"
    try:
        services.decide_approval(
            actor=request.caller.actor,
            approval=row,
            is_approved=is_approved,
            seen_sha256=request.POST.get("seen_sha256", ""),
            message=request.POST.get("message", ""),
            edited_arguments=_edited(request, row) if is_approved else None,
            answer=_answer(request, row) if is_approved else None,
        )
    except Refusal as refusal:
        row = access.approval_for(request.caller, approval_id)
        context = _page(request, row, refused=refusal.message, typed=request.POST)
        return render(request, "agents/approvals/detail.html", context, status=refusal.status)
    message = "Approved. The run continues." if is_approved else "Rejected. The agent is informed."
    back = reverse("agents:run", args=[row.run.public_id])
    if request.POST.get("back") == "inbox":
        back = reverse("agents:approvals")
    return go(request, back, message)


@needs("view_team")
@require_POST
def extend(request: TeamRequest, approval_id: uuid.UUID) -> HttpResponse:
    """Give it an hour more than it has."""
    row = access.approval_for(request.caller, approval_id)
    message, left = "Extended by one hour.", max(0, math.ceil((row.expires_at - now()).total_seconds()))
    try:
        services.extend_approval(actor=request.caller.actor, approval=row, seconds=left + _MORE_TIME)
    except Refusal as refusal:
        message = refusal.message
    return go(request, reverse("agents:approval", args=[row.pk]), message)


def _edited(request: TeamRequest, approval: Approval) -> dict[str, Any] | None:
    """Return the arguments as the person left them; None where there is nothing to edit."""
    if approval.kind != Approval.Kind.CALL or not approval.editable:
        return None
    edited = dict(approval.arguments)
    for name in approval.editable:
        text = request.POST.get(f"argument-{name}")
        if text is None or name not in edited:
            continue
        try:
            edited[name] = strict_json.typed(text, name[:60])
        except BadInput as wrong:
            raise BadInput(
                f"{name[:60]} must be JSON: a text in double quotes, a number, true or false; not {text[:60]}. "
                f"{wrong.message}",
                param=name[:60],
            ) from None
    return edited


def _answer(request: TeamRequest, approval: Approval) -> dict[str, Any] | None:
    """Return what a question's form, or the question what became of a call, came to."""
    if approval.kind == Approval.Kind.OUTCOME:
        return {"outcome": request.POST.get("outcome", ""), "result": request.POST.get("result", "")}
    if approval.kind != Approval.Kind.QUESTION:
        return None
    return read_fields(queries.fields_of(approval.form), request.POST)
