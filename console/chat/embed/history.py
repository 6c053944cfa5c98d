"""A visitor's conversation as the widget shows it, without models, costs and names of the team."""

import uuid
from dataclasses import dataclass
from typing import Any

from console.chat.embed.texts import words_for
from console.chat.markdown import render
from console.chat.models import Conversation, Feedback, Message, Widget
from console.chat.queries.thread import part_of
from console.chat.requests import path_to
from console.core.clock import now

MOST = 60
_Status = Message.Status


@dataclass(frozen=True, slots=True)
class Turns:
    """The newest turns, oldest first. `is_whole` is False when what the reader knew is on another branch."""

    turns: list[Message]
    is_whole: bool = True


def turns_after(conversation: Conversation | None, last: uuid.UUID | None = None) -> Turns:
    """Return what was said after a turn the reader knows; the end of the conversation without one."""
    if conversation is None:
        return Turns([])
    leaf = Conversation.objects.values_list("leaf_id", flat=True).get(pk=conversation.pk)
    rows = Message.objects.filter(conversation=conversation).only("parent_id")
    path = [message.pk for message in path_to({row.pk: row for row in rows}, leaf)]
    is_whole = last is None or last in path
    wanted = path[path.index(last) + 1 :] if last in path else path[-MOST:]
    found = Message.objects.in_bulk(wanted[-MOST:])
    return Turns([found[one] for one in wanted[-MOST:] if one in found], is_whole)


def frame_turns(turns: list[Message], widget: Widget) -> list[dict[str, Any]]:
    """Return turns as the frame takes them."""
    rated = dict(Feedback.objects.filter(message__in=turns, visitor__isnull=False).values_list("message_id", "is_good"))
    return [shown_turn(turn, widget, rated.get(turn.pk)) for turn in turns]


def shown_turn(turn: Message, widget: Widget, rated: bool | None = None) -> dict[str, Any]:
    is_question = turn.role == Message.Role.USER
    is_writing = turn.status == _Status.WRITING and not is_lost(turn)
    return {
        "id": str(turn.pk),
        "role": turn.role,
        "name": turn.author_name if turn.role == Message.Role.PERSON else "",
        "text": turn.text if is_question else "",
        "html": "" if is_question else render(turn.text),
        "sources": [] if is_writing else [_source(source) for source in turn.sources],
        "writing": is_writing,
        "trouble": "" if is_question or is_writing else _trouble(turn, widget),
        "rated": rated,
    }


def _source(one: dict[str, Any]) -> dict[str, Any]:
    """Return what visitors read of a source: what it is called, and not where the team keeps it."""
    return {"n": one["n"], "name": one["document"], "heading": part_of(one["document"], one["heading"])}


def is_lost(turn: Message) -> bool:
    """Return whether nobody writes an answer any more, though no sweep has come by."""
    return turn.status == _Status.WRITING and turn.lease_until is not None and turn.lease_until < now()


def _trouble(turn: Message, widget: Widget) -> str:
    """Return why there is no whole answer, as far as that is a visitor's business."""
    words = words_for(widget.language)
    if turn.status in {_Status.REFUSED, _Status.FAILED}:
        return words["failed"]
    if turn.status == _Status.INTERRUPTED or is_lost(turn):
        return words["interrupted"]
    return words["stopped"] if turn.status == _Status.STOPPED else ""


def state_of(conversation: Conversation | None) -> dict[str, Any]:
    """Return who answers: a person by the name visitors see, or the assistant; and whether a person is asked for."""
    if conversation is None:
        return {"person": None, "wanted": False}
    taken = conversation.taken_by
    return {
        "person": (taken.name or conversation.team.name) if taken else None,
        "wanted": conversation.person_wanted_at is not None,
    }
