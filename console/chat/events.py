"""The events a page receives while an answer is written."""

from typing import Any, Literal

from console.core import sse

# text: what there is now, as HTML. end: it is over, and what it became is in the conversation. For visitors besides:
# turn: a whole turn. state: who answers. reset: read the conversation again. off: the widget is switched off.
Name = Literal["text", "end", "turn", "state", "reset", "off"]


def event(name: Name, data: dict[str, Any]) -> bytes:
    return sse.frame(data, name)
