"""Conversations of visitors for the widget's team: read, take over, answer, give back."""

import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_POST, require_safe

from console.chat import access
from console.chat.errors import TakenByOther
from console.chat.forms import MessageForm
from console.chat.models import Conversation
from console.chat.queries import visits as queries
from console.chat.services import handover
from console.chat.views.page import cannot_send
from console.core.errors import Refusal
from console.core.htmx import go, is_htmx
from console.core.ids import parse_id
from console.teams.access import needs
from console.teams.callers import TeamRequest
from usage_app.access_audit import event_for

ACTIVE = "widgets"


@needs("view_team")
@require_safe
def visits(request: TeamRequest, widget_id: uuid.UUID) -> HttpResponse:
    """The list, which keeps itself fresh while it shows the newest."""
    widget = access.widget_for(request.caller, widget_id, to="read")
    given = request.GET
    listing = queries.listing(widget, state=given.get("state", ""), before=given.get("before", ""))
    context = {
        "active": ACTIVE,
        "widget": widget,
        "listing": listing,
        "states": queries.STATES.items(),
        "is_newest": not given.get("before"),
    }
    is_piece = is_htmx(request) and request.headers.get("HX-Target") == "visits"
    if not is_piece:  # a piece comes every few seconds, and shows no count
        context |= queries.around(request.caller, widget)
    response = render(request, "chat/widgets/visits.html#visits" if is_piece else "chat/widgets/visits.html", context)
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response


@needs("view_team")
@require_safe
def visit(request: TeamRequest, widget_id: uuid.UUID, conversation_id: uuid.UUID) -> HttpResponse:
    """One conversation, followed live: its pieces ask again, and are told when nothing changed (204)."""
    conversation = access.visit_for(request.caller, widget_id, conversation_id)
    partial = request.headers.get("HX-Target", "") if is_htmx(request) else ""
    if partial in {"thread", "foot"} and request.GET.get("seen") == _state_of(conversation, partial):
        return HttpResponse(status=204)
    return _page(request, conversation, partial=partial if partial in {"thread", "foot"} else "")


@needs("view_audit")
@require_safe
def of_record(request: TeamRequest, reference: str) -> HttpResponse:
    """Lead from a call in the log to the conversation it answered in."""
    conversation = access.of_record(request.caller, event_for(request.caller, reference))
    if conversation.widget_id is None:
        return redirect("chat:conversation", conversation.pk)
    return redirect("chat:visit", conversation.widget_id, conversation.pk)


def _state_of(conversation: Conversation, partial: str) -> str:
    return queries.state_of(conversation) if partial == "thread" else str(conversation.taken_by_id or "")


def _page(
    request: TeamRequest, conversation: Conversation, *, partial: str = "", status: int = 200, **more: Any
) -> HttpResponse:
    caller = request.caller
    earlier = parse_id(request.GET.get("before", ""))
    context: dict[str, Any] = {
        "active": ACTIVE,
        "widget": conversation.widget,
        "conversation": conversation,
        "who": queries.name_of(conversation),
        "thread": queries.thread_of(conversation, before=earlier),
        "is_earlier": earlier is not None,
        "seen_thread": _state_of(conversation, "thread"),
        "seen_foot": _state_of(conversation, "foot"),
        "me": caller.user,
        "has_it": caller.user is not None and conversation.taken_by_id == caller.user.pk,
        "may_answer": caller.may("use_models", conversation.team_id),
        "may_read_log": caller.may("view_audit", conversation.team_id),
        **more,
    }
    template = f"chat/widgets/visit.html#{partial}" if partial else "chat/widgets/visit.html"
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response


def _url(conversation: Conversation) -> str:
    return reverse("chat:visit", args=[conversation.widget_id, conversation.pk])


@needs("use_models")
@require_POST
def take_over(request: TeamRequest, widget_id: uuid.UUID, conversation_id: uuid.UUID) -> HttpResponse:
    """Answer a visitor oneself; `seen` is who had it on the page that was looked at."""
    conversation = access.visit_for(request.caller, widget_id, conversation_id, to="answer")
    assert request.caller.user is not None
    person, seen = request.caller.user, parse_id(request.POST.get("seen", ""))
    try:
        handover.take_over(actor=request.caller.actor, person=person, conversation=conversation, seen=seen)
    except TakenByOther as other:
        conversation.refresh_from_db()
        return _page(request, conversation, status=409, error=other.message)
    return go(request, _url(conversation))  # the page says so; a toast would lie over the field


@needs("use_models")
@require_POST
def give_back(request: TeamRequest, widget_id: uuid.UUID, conversation_id: uuid.UUID) -> HttpResponse:
    conversation = access.visit_for(request.caller, widget_id, conversation_id, to="answer")
    assert request.caller.user is not None
    try:
        handover.give_back(actor=request.caller.actor, person=request.caller.user, conversation=conversation)
    except TakenByOther as other:
        conversation.refresh_from_db()
        return _page(request, conversation, status=409, error=other.message)
    return go(request, _url(conversation))


@needs("use_models")
@require_POST
def answer(request: TeamRequest, widget_id: uuid.UUID, conversation_id: uuid.UUID) -> HttpResponse:
    """Answer the visitor. What cannot be sent stays in its field, beside the reason."""
    conversation = access.visit_for(request.caller, widget_id, conversation_id, to="answer")
    assert request.caller.user is not None
    form = MessageForm(request.POST)
    form.is_valid()
    text = str(form.cleaned_data.get("text", ""))
    try:
        handover.say(person=request.caller.user, conversation=conversation, text=text)
    except Refusal as refusal:
        if is_htmx(request):
            return cannot_send(request, refusal)
        conversation.refresh_from_db()
        return _page(request, conversation, status=refusal.status, error=refusal.message, text=text)
    conversation.refresh_from_db()
    if not is_htmx(request):
        return go(request, _url(conversation))
    return _page(request, conversation, partial="thread")
