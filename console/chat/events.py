"""The events a page gets while an answer comes in: a fixed list of names, and one encoder."""

from typing import Any, Literal, NamedTuple

import orjson

# text: what there is now, as HTML. end: it is over, and what it became is in the conversation.
Name = Literal["text", "end"]
PING = b": ping\n\n"


class Event(NamedTuple):
    name: Name
    data: dict[str, Any]


def encode(event: Event) -> bytes:
    """Return an event as the page reads it. JSON keeps line ends out of the frame, whatever the words are."""
    return b"event: " + event.name.encode() + b"\ndata: " + orjson.dumps(event.data) + b"\n\n"
