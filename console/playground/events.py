"""The events the page receives while an answer is written."""

from typing import Any, Literal, NamedTuple

from console.core import sse

# start: the call is open. text: more words. end: it is recorded. error: it is over, and why.
Name = Literal["start", "text", "end", "error"]


class Event(NamedTuple):
    name: Name
    data: dict[str, Any]


def encode(event: Event) -> bytes:
    return sse.frame(event.data, event.name)
