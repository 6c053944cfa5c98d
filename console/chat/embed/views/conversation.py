"""A visitor's requests: read their conversation, send a message, rate an answer, ask for a person."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from console.chat.embed import changes, services
from console.chat.embed.access import conversation_of, pass_for, widget_for
from console.chat.embed.allowances import network_of
from console.chat.embed.errors import TooManyStreams
from console.chat.embed.history import frame_turns, state_of, turns_after
from console.chat.embed.stream import frames
from console.chat.embed.views.face import for_visitors, read_body
from console.chat.errors import CannotSend, UnknownConversation
from console.chat.models import Message, Widget
from console.core.errors import BadInput
from console.core.sse import event_stream


@for_visitors("GET")
def conversation(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """The visitor's conversation as it is."""
    widget = widget_for(public_id)
    found = conversation_of(widget, pass_for(request, widget))
    return JsonResponse({"turns": frame_turns(turns_after(found).turns, widget), "state": state_of(found)})


@for_visitors("POST")
def say(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """Say something. The answer comes by the stream."""
    widget = widget_for(public_id)
    held = pass_for(request, widget)
    text = read_body(request, "text").get("text")
    if not isinstance(text, str):
        raise CannotSend("text must be a text.", param="text")
    return _answer(widget, services.say(widget=widget, token_pass=held, text=text, address=_address(request)))


@for_visitors("POST")
def again(request: HttpRequest, public_id: str, message_id: uuid.UUID) -> HttpResponseBase:
    """Have the last question answered again, because the answer failed."""
    widget = widget_for(public_id)
    held = pass_for(request, widget)
    read_body(request)
    fresh = services.again(widget=widget, token_pass=held, message_id=message_id, address=_address(request))
    return _answer(widget, fresh)


def _answer(widget: Widget, message: Message) -> HttpResponse:
    """Return what was said, if the visitor said it just now, and the answer that is begun."""
    turns = [message] if message.role == Message.Role.USER else [_question(message), message]
    return JsonResponse({"turns": frame_turns(turns, widget)}, status=201)


def _question(answer: Message) -> Message:
    assert answer.parent_id is not None
    return Message.objects.get(pk=answer.parent_id)


@for_visitors("POST")
def stop(request: HttpRequest, public_id: str, message_id: uuid.UUID) -> HttpResponseBase:
    """End an answer where it is."""
    widget = widget_for(public_id)
    held = pass_for(request, widget)
    read_body(request)
    return JsonResponse(
        {"turns": frame_turns([services.stop(widget=widget, token_pass=held, message_id=message_id)], widget)}
    )


@for_visitors("POST")
def feedback(request: HttpRequest, public_id: str, message_id: uuid.UUID) -> HttpResponseBase:
    """Return whether an answer helped."""
    widget = widget_for(public_id)
    held = pass_for(request, widget)
    body = read_body(request, "good", "comment")
    good, comment = body.get("good"), body.get("comment", "")
    if not (good is None or isinstance(good, bool)) or not isinstance(comment, str):
        raise BadInput("good must be true, false or null, and comment a text.", param="good")
    services.rate(widget=widget, token_pass=held, message_id=message_id, is_good=good, comment=comment)
    return HttpResponse(status=204)


@for_visitors("POST")
def person(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """Ask for a person of the team."""
    widget = widget_for(public_id)
    held = pass_for(request, widget)
    read_body(request)
    return JsonResponse({"state": state_of(services.ask_for_person(widget=widget, token_pass=held))})


@for_visitors("GET")
def stream(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """Follow the conversation: answers as they are written, people of the team as they write."""
    widget = widget_for(public_id)
    held = pass_for(request, widget)
    found = conversation_of(widget, held)
    if found is None:
        raise UnknownConversation
    network = network_of(_address(request))
    if not changes.has_room(found.pk, network):
        raise TooManyStreams
    return event_stream(frames(found, widget, held, network, _after(request)))


def _after(request: HttpRequest) -> uuid.UUID | None:
    said: Any = request.GET.get("after", "")
    try:
        return uuid.UUID(said) if said else None
    except ValueError:
        raise BadInput("after must be the id of a turn.", param="after") from None


def _address(request: HttpRequest) -> str:
    return str(getattr(request, "client_address", ""))
