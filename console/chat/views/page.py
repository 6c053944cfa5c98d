"""What all pages of the chat share."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render

from agents_app.models import Agent
from console.chat import access, files, requests
from console.chat.models import Conversation, Message
from console.chat.queries.listing import listing
from console.chat.queries.thread import thread
from console.core.errors import Refusal
from console.core.htmx import is_htmx, toast
from console.teams.callers import TeamRequest


def context_of(request: TeamRequest, conversation: Conversation | None = None, **more: Any) -> dict[str, Any]:
    """Return the list beside, and, of a conversation, the end of the branch shown."""
    assert request.caller.user is not None
    given = request.GET
    found: dict[str, Any] = {
        "active": "chat",
        "most_files": files.MOST_FILES,
        "most_bytes": files.MOST_BYTES,
        "me": request.caller.user,
        "listing": listing(
            access.conversations_for(request.caller),
            request.caller.user,
            search=given.get("q", ""),
            is_archive="archived" in given,
            before=given.get("older", ""),
        ),
    }
    if conversation is not None:
        found |= thread_of(request, conversation) | attaching(conversation.agent)
    return found | more


def attaching(agent: Agent) -> dict[str, Any]:
    """Return what may be attached to a message to an assistant."""
    sees = requests.sees(agent)
    return {"sees": sees, "endings": files.accepted(sees=sees)}


def thread_of(request: TeamRequest, conversation: Conversation) -> dict[str, Any]:
    user = request.caller.user
    return {
        "conversation": conversation,
        "thread": thread(conversation, user),
        "me": user,
        "is_mine": user is not None and conversation.owner_id == user.pk,
        "may_read_log": request.caller.may("view_audit", conversation.team_id),
    }


def cannot_send(request: TeamRequest, refusal: Refusal, place: str = "cannot-send") -> HttpResponse:
    """Say beside the field why nothing was sent; what is in it stays, files included."""
    response = render(request, "chat/_cannot_send.html", {"error": refusal.message}, status=422)
    response["HX-Retarget"], response["HX-Reswap"] = f"#{place}", "innerHTML"
    return response


def cannot_ask_again(request: TeamRequest, message: Message, refusal: Refusal, text: str = "") -> HttpResponse:
    """Say at a turn why it was not asked (or answered) again; what was typed instead of it stays."""
    if is_htmx(request):
        return cannot_send(request, refusal, place=f"refused-{message.pk}")
    refused = {"pk": message.pk, "error": refusal.message, "text": text}
    context = context_of(request, message.conversation, refused=refused)
    return render(request, "chat/conversation.html", context, status=refusal.status)


def said_without_scripts(request: TeamRequest, refusal: Refusal) -> str:
    """Return what a page says that was loaded again: no browser fills in files again."""
    return f"{refusal.message} Choose the files again, too." if request.FILES else refusal.message


def show_thread(request: TeamRequest, conversation: Conversation, message: str = "") -> HttpResponse:
    """Finish what changed the thread: it alone for htmx, its page for everybody else."""
    if not is_htmx(request):
        return redirect("chat:conversation", conversation.pk)
    conversation = access.conversation_for(request.caller, conversation.pk)
    response = render(request, "chat/conversation.html#thread", thread_of(request, conversation))
    return toast(response, message) if message else response
