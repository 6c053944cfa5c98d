"""The items of a stored request, for requests that continue it and for clients that list them."""

from collections.abc import Iterable
from typing import Any

from console.gateway.shapes.responses import items_of, kind_of

Item = dict[str, Any]
_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
}


def said_in(body: Item) -> list[Item]:
    """Return the input of a request as items. A prompt that stood for the input is what was said in its place.

    Instructions hold for one response only, so they and what a prompt's system says stay behind.
    """
    if "input" in body:
        return items_of(body)
    messages = body.get("messages", ())
    return [
        {"type": "message", "role": message["role"], "content": message["content"]}
        for message in messages
        if message.get("role") in {"user", "assistant"}
    ]


def listed(items: Iterable[Item], response_id: str) -> list[Item]:
    """Return items as a client gets them: each with an id, and a message's content in parts."""
    base = response_id.removeprefix("resp_")
    return [_listed(item, f"{base}i{place:03d}") for place, item in enumerate(items)]


def _listed(item: Item, number: str) -> Item:
    kind = kind_of(item)
    entry = {"status": "completed", **item, "type": kind}
    entry["id"] = item.get("id") or f"{_PREFIXES.get(kind, 'item')}_{number}"
    if kind == "message" and isinstance(item.get("content"), str):
        text = item["content"]
        is_own = item.get("role") == "assistant"
        part = (
            {"type": "output_text", "text": text, "annotations": []} if is_own else {"type": "input_text", "text": text}
        )
        entry["content"] = [part]
    return entry
