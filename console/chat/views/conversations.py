"""Create, show, change and delete conversations."""

import uuid
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from agents_app.models import Agent
from console.chat import access, files, requests
from console.chat.errors import CannotSend
from console.chat.forms import StartForm, TitleForm
from console.chat.models import Conversation
from console.chat.queries.thread import thread as read_thread
from console.chat.services import conversations as services
from console.chat.services import messages
from console.chat.views.page import attaching, cannot_send, context_of, said_without_scripts, thread_of
from console.core import parsing
from console.core.downloads import download
from console.core.errors import Refusal
from console.core.htmx import go, is_htmx
from console.core.ids import parse_id
from console.teams.access import needs
from console.teams.callers import TeamRequest

_AGENTS_A_PAGE = 50


@needs("view_team")
@require_safe
def chat(request: TeamRequest) -> HttpResponse:
    """An empty conversation with an assistant. A link may fill in what to ask, and never sends it."""
    return _new(request, request.GET.get("text", "")[:20_000], request.GET.get("agent", ""))


@needs("use_models")
@require_POST
def start(request: TeamRequest) -> HttpResponse:
    """Begin a conversation with its first message."""
    form = StartForm(request.POST, agents=access.agents_to_talk_to(request.caller))
    if not form.is_valid():
        said = str(next(iter(form.errors.values()))[0])
        if is_htmx(request):
            return cannot_send(request, CannotSend(said))
        return _new(request, request.POST.get("text", ""), "", error=said, status=422)
    assert request.caller.user is not None
    agent = form.cleaned_data["agent"]
    team = access.team_for_agent(request.caller, agent)
    try:
        attachments = files.read(request.FILES.getlist("files"), sees=requests.sees(agent))
        with transaction.atomic():
            made = services.start_conversation(owner=request.caller.user, team=team, agent=agent)
            speaker = requests.person(made, request.caller.user, request.client_address)
            messages.send(conversation=made, speaker=speaker, text=form.cleaned_data["text"], attachments=attachments)
    except Refusal as refusal:
        if is_htmx(request):
            return cannot_send(request, refusal)
        said = said_without_scripts(request, refusal)
        return _new(request, form.cleaned_data["text"], agent.slug, error=said, status=422)
    return go(request, reverse("chat:conversation", args=[made.pk]))


def _agents_on(rows: QuerySet[Agent], page: int) -> tuple[list[Agent], bool]:
    """Return the assistants of one page, by name, and whether there are more."""
    start = _AGENTS_A_PAGE * (page - 1)
    found = list(rows.order_by("name", "slug")[start : start + _AGENTS_A_PAGE + 1])
    return found[:_AGENTS_A_PAGE], len(found) > _AGENTS_A_PAGE


def _new(request: TeamRequest, text: str, slug: str, *, error: str = "", status: int = 200) -> HttpResponse:
    rows = access.agents_to_talk_to(request.caller)
    page = max(1, parsing.number(request.GET.get("page", ""), 1))
    agents, has_more = _agents_on(rows, page)
    if not agents and page > 1:
        page, (agents, has_more) = 1, _agents_on(rows, 1)
    chosen = next((agent for agent in agents if agent.slug == slug), None)
    if chosen is None and slug and "\0" not in slug:
        chosen = rows.filter(slug=slug).first()  # on another page
    more: dict[str, Any] = {
        "agents": agents,
        "page_of_agents": page,
        "agents_before": page - 1,
        "agents_after": page + 1 if has_more else 0,
        "agent": chosen or next(iter(agents), None),
        "text": text,
        "error": error,
        "may_build": request.caller.may("build"),
        "may_ask": request.caller.may("use_models"),
        "has_agents_that_run": access.has_agents_that_run(request.caller),
    }
    if more["agent"] is not None:
        more |= attaching(more["agent"])
    return render(request, "chat/new.html", context_of(request, **more), status=status)


@needs("view_team")
@require_safe
def conversation(request: TeamRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """One conversation at its newest turn; with `before`, the turns above."""
    found = access.conversation_for(request.caller, conversation_id)
    if is_htmx(request) and request.headers.get("HX-Target") == "thread":
        return render(request, "chat/conversation.html#thread", thread_of(request, found))
    context = context_of(request, found)
    # Without scripts there are no dialogs: what they ask stands above the thread.
    context["asks"] = next((word for word in ("rename", "delete") if word in request.GET), "")
    before = parse_id(request.GET.get("before", ""))
    if before is not None:
        context["thread"] = read_thread(found, request.caller.user, before=before)
        if is_htmx(request):
            return render(request, "chat/conversation.html#turns", context)
        context["is_earlier"] = True
    return render(request, "chat/conversation.html", context)


@needs("view_team")
@require_safe
def export(request: TeamRequest, conversation_id: uuid.UUID, kind: str) -> HttpResponseBase:
    """A file of one's own: never shown by the browser, under a name of ours."""
    found = access.conversation_for(request.caller, conversation_id)
    name = f"conversation-{found.created_at:%Y%m%d}-{found.pk}.{kind}"
    if kind == "json":
        pieces = services.export_json(actor=request.caller.actor, conversation=found)
        return download(request, pieces, name, "application/json")
    content = services.export_markdown(actor=request.caller.actor, conversation=found)
    response = HttpResponse(content, content_type="text/markdown; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _mine(request: TeamRequest, conversation_id: uuid.UUID) -> Conversation:
    return access.conversation_for(request.caller, conversation_id, to="change")


def _back(request: TeamRequest, conversation_id: uuid.UUID, message: str) -> HttpResponse:
    return go(request, reverse("chat:conversation", args=[conversation_id]), message)


@needs("view_team")
@require_POST
def rename(request: TeamRequest, conversation_id: uuid.UUID) -> HttpResponse:
    found = _mine(request, conversation_id)
    form = TitleForm(request.POST)
    if not form.is_valid():
        context = context_of(request, found, asks="rename", title_error="Write a title of at most 120 characters.")
        return render(request, "chat/conversation.html", context, status=422)
    services.rename(conversation=found, title=form.cleaned_data["title"])
    return _back(request, conversation_id, "Renamed.")


@needs("view_team")
@require_POST
def pin(request: TeamRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Put it on top of the list, or back in its place."""
    found = _mine(request, conversation_id)
    services.pin(conversation=found, is_pinned=found.pinned_at is None)
    return _back(request, conversation_id, "Pinned." if found.pinned_at else "No longer pinned.")


@needs("view_team")
@require_POST
def archive(request: TeamRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Take it out of the list, or put it back."""
    found = _mine(request, conversation_id)
    services.archive(conversation=found, is_archived=found.archived_at is None)
    return _back(request, conversation_id, "Archived." if found.archived_at else "Back in the list.")


@needs("view_team")
@require_POST
def share(request: TeamRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Let the team read along, or stop that."""
    found = _mine(request, conversation_id)
    services.share(actor=request.caller.actor, conversation=found, is_shared=found.shared_at is None)
    message = f"{found.team} may read it." if found.shared_at else "Only you can read it."
    return _back(request, conversation_id, message)


@needs("view_team")
@require_POST
def delete(request: TeamRequest, conversation_id: uuid.UUID) -> HttpResponse:
    services.delete(actor=request.caller.actor, conversation=_mine(request, conversation_id))
    return go(request, reverse("chat:chat"), "Deleted the conversation.")
