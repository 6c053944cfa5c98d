"""Ask, ask again, stop, and follow an answer."""

import uuid

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from console.chat import access, files, requests
from console.chat.downloads import file_of
from console.chat.errors import CannotSend
from console.chat.forms import FeedbackForm, MessageForm
from console.chat.models import Conversation, Message
from console.chat.queries.thread import turn
from console.chat.services import messages as services
from console.chat.services.feedback import give_feedback, withdraw_feedback
from console.chat.stream import frames
from console.chat.views.page import cannot_ask_again, cannot_send, context_of, said_without_scripts, show_thread
from console.core.errors import Refusal
from console.core.htmx import is_htmx
from console.core.sse import event_stream
from console.teams.access import needs
from console.teams.callers import TeamRequest


def _speaker(request: TeamRequest, conversation: Conversation) -> requests.Speaker:
    assert request.caller.user is not None
    return requests.person(conversation, request.caller.user, request.client_address)


def _typed(request: TeamRequest) -> str:
    form = MessageForm(request.POST)
    form.is_valid()
    return str(form.cleaned_data.get("text", ""))


@needs("view_team")
@require_POST
def send(request: TeamRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Say something. What cannot be sent stays in its field, beside the reason."""
    found = access.conversation_for(request.caller, conversation_id, to="change")
    text = _typed(request)
    try:
        attachments = files.read(request.FILES.getlist("files"), sees=requests.sees(found.agent))
        services.send(conversation=found, speaker=_speaker(request, found), text=text, attachments=attachments)
    except Refusal as refusal:
        if is_htmx(request):
            return cannot_send(request, refusal)
        context = context_of(request, found, text=text, error=said_without_scripts(request, refusal))
        return render(request, "chat/conversation.html", context, status=refusal.status)
    return show_thread(request, found)


@needs("view_team")
@require_POST
def edit(request: TeamRequest, message_id: uuid.UUID) -> HttpResponse:
    """Say something else in a question's place. What cannot be sent stays in its field, beside the reason."""
    message = access.message_for(request.caller, message_id, to="change")
    speaker = _speaker(request, message.conversation)
    left = {int(place) for place in request.POST.getlist("without") if place.isdecimal() and len(place) < 4}
    kept = [file for place, file in enumerate(message.attachments) if place not in left]
    text = _typed(request)
    try:
        services.edit(message=message, speaker=speaker, text=text, attachments=kept)
    except Refusal as refusal:
        return cannot_ask_again(request, message, refusal, text)
    return show_thread(request, message.conversation)


@needs("view_team")
@require_POST
def again(request: TeamRequest, message_id: uuid.UUID) -> HttpResponse:
    """Have an answer written again."""
    answer = access.message_for(request.caller, message_id, to="change")
    try:
        services.regenerate(answer=answer, speaker=_speaker(request, answer.conversation))
    except Refusal as refusal:
        return cannot_ask_again(request, answer, refusal)
    return show_thread(request, answer.conversation)


@needs("view_team")
@require_POST
def branch(request: TeamRequest, message_id: uuid.UUID) -> HttpResponse:
    """Switch to the branch this message is on."""
    message = access.message_for(request.caller, message_id, to="change")
    services.show(message=message)
    return show_thread(request, message.conversation)


@needs("view_team")
@require_POST
def stop(request: TeamRequest, message_id: uuid.UUID) -> HttpResponse:
    """End an answer where it is."""
    answer = access.message_for(request.caller, message_id, to="change")
    services.stop(answer=answer)
    return show_thread(request, answer.conversation)


@needs("view_team")
@require_safe
def file(request: TeamRequest, message_id: uuid.UUID, place: int) -> HttpResponse:
    return file_of(access.message_for(request.caller, message_id), place)


@needs("view_team")
@require_safe
def message(request: TeamRequest, message_id: uuid.UUID) -> HttpResponse:
    """One turn as it stands in its conversation, for a page that followed it to its end."""
    return _message(request, access.message_for(request.caller, message_id))


def _message(request: TeamRequest, message: Message) -> HttpResponse:
    user = request.caller.user
    conversation = message.conversation
    if message.agent_version is not None:
        message.agent_version.agent = conversation.agent
    context = {
        "conversation": conversation,
        "turn": turn(message, user),
        "me": user,
        "is_mine": user is not None and conversation.owner_id == user.pk,
        "may_read_log": request.caller.may("view_audit", conversation.team_id),
    }
    return render(request, "chat/_turn.html", context)


@needs("view_team")
@require_POST
def feedback(request: TeamRequest, message_id: uuid.UUID) -> HttpResponse:
    """Return whether an answer helped, and why; whoever reads it may."""
    answer = access.message_for(request.caller, message_id)
    assert request.caller.user is not None
    form = FeedbackForm(request.POST)
    if not form.is_valid():
        raise CannotSend("A comment may have 1,000 characters.", param="comment")
    given = form.cleaned_data
    if given["says"] == "nothing":
        withdraw_feedback(person=request.caller.user, answer=answer)
    else:
        give_feedback(
            person=request.caller.user, answer=answer, is_good=given["says"] == "good", comment=given["comment"]
        )
    if not is_htmx(request):
        return redirect("chat:conversation", answer.conversation_id)
    return _message(request, answer)


@needs("view_team")
@require_safe
def stream(request: TeamRequest, message_id: uuid.UUID) -> HttpResponseBase:
    """Follow an answer as it is written: server-sent events with the names of `events.py`."""
    found = access.message_for(request.caller, message_id)
    assert request.caller.user is not None
    return event_stream(
        frames(found.pk, found.conversation_id, request.caller.user.pk, str(request.session.session_key))
    )
