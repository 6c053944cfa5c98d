"""Find the user's question in a body, build the search query for it, and insert text before it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

Body = dict[str, Any]
_TEXTS = ("text", "input_text")  # not a set: what is sent may be a list
# Of the turn before a question: its end says what "and abroad?" is about.
LONGEST_BEFORE = 500
# What the user is kept to have said in an earlier call may begin with the passages of that one.
_END_OF_BLOCK = "</sources>\n\n"


class Place(NamedTuple):
    """The last words of the user: in which member of the body, which of its items (None: it is text), and the words."""

    member: str
    at: int | None
    text: str


def question_in(operation: str, body: Body) -> Place | None:
    """Return where the user last said something in words; None when that is nowhere."""
    if operation == "response":
        items = body.get("input")
        if isinstance(items, str):
            return Place("input", None, items) if items.strip() else None
        return _last("input", items or ()) or _last("messages", body.get("messages", ()))
    return _last("messages", body.get("messages", ()))


def search_query(body: Body, place: Place, history: Sequence[Any] = ()) -> str:
    """Return what is looked up: the question, behind the end of what the user said in the turn before.

    `history` are the items of kept responses, which stand before those of the body.
    """
    items = body[place.member][: place.at] if place.at is not None else ()
    before = _last("", items) or (_last("", history) if place.member == "input" else None)
    words = before.text.rpartition(_END_OF_BLOCK)[2][-LONGEST_BEFORE:].strip() if before else ""
    return f"{words}\n{place.text}" if words else place.text


def _last(member: str, items: Sequence[Any]) -> Place | None:
    for index in range(len(items) - 1, -1, -1):
        item = items[index]
        if item.get("role") == "user" and (text := _words(item.get("content"))):
            return Place(member, index, text)
    return None


def _words(content: Any) -> str:
    if isinstance(content, str):
        return content.strip()
    parts = content if isinstance(content, list) else ()
    return "\n".join(part["text"] for part in parts if _is_text(part)).strip()


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in _TEXTS and isinstance(part.get("text"), str)


def with_block(body: Body, place: Place, block: str) -> Body:
    """Return the body with a block of text before the question, in the same message."""
    value = body[place.member]
    if place.at is None:
        return {**body, place.member: f"{block}\n\n{value}"}
    item = value[place.at]
    changed = {**item, "content": _before(item["content"], block)}
    return {**body, place.member: [*value[: place.at], changed, *value[place.at + 1 :]]}


def _before(content: Any, block: str) -> Any:
    """Put a block before the first words of a message. Results of tools stand before words, so they stay first."""
    if isinstance(content, str):
        return f"{block}\n\n{content}"
    first = next(place for place, part in enumerate(content) if _is_text(part))
    return [*content[:first], {"type": content[first]["type"], "text": block}, *content[first:]]
