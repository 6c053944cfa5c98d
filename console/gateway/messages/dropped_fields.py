"""The fields of a request to /v1/messages that have no counterpart in a chat completion."""

from collections.abc import Iterator
from typing import Any

from console.gateway.messages.request import HINTS, THOUGHTS
from console.gateway.messages.schemas import can_be_strict
from console.gateway.shapes.fields import others

# What of each kind of block is said; whatever else asks for something is named.
_SAID = {
    "text": {"type", "text"},
    "image": {"type", "source"},
    "document": {"type", "source", "title"},
    "tool_use": {"type", "id", "name", "input"},
    "tool_result": {"type", "tool_use_id", "content"},
}
_SAID_OF_A_TOOL = {"type", "name", "description", "input_schema", "strict"}
_SAID_OF_A_CONFIG = {"format"}


def dropped_fields(body: dict[str, Any], *, can_reason: bool) -> frozenset[str]:
    """Return the fields that go no further, and the places inside (`messages[].content[].citations`) that do not."""
    dropped = {name for name in HINTS if body.get(name)}
    if body.get("speed") not in (None, "standard"):
        dropped.add("speed")
    if _loses_thinking(body.get("thinking") or {}, can_reason=can_reason):
        dropped.add("thinking")
    config = _SAID_OF_A_CONFIG | {"effort"} if can_reason else _SAID_OF_A_CONFIG
    dropped.update(others(body.get("output_config") or {}, config, "output_config."))
    format = (body.get("output_config") or {}).get("format")
    if isinstance(format, dict) and not can_be_strict(format.get("schema")):
        dropped.add("output_config.format.strict")
    dropped.update(others(body.get("metadata") or {}, {"user_id"}, "metadata."))
    dropped.update(_in_blocks(body.get("system"), "system[]."))
    for tool in body.get("tools") or ():
        dropped.update(others(tool, _SAID_OF_A_TOOL, "tools[]."))
        if tool.get("strict") and not can_be_strict(tool.get("input_schema")):
            dropped.add("tools[].strict")
    for message in body["messages"]:
        dropped.update(_in_blocks(message.get("content"), "messages[].content[]."))
    return frozenset(dropped)


def _loses_thinking(thinking: dict[str, Any], *, can_reason: bool) -> bool:
    """Return whether what is wanted of thinking is not what comes of it: a budget is told, leaving it out is not."""
    kind = thinking.get("type")
    return kind is not None and (kind == "disabled") == can_reason


def _in_blocks(content: Any, where: str) -> Iterator[str]:
    for block in content if isinstance(content, list) else ():
        if block["type"] in THOUGHTS:
            yield f"{where}{block['type']}"
        else:
            yield from others(block, _SAID.get(block["type"], set(block)), where)
            if block["type"] == "tool_result":
                yield from _in_blocks(block.get("content"), f"{where}content[].")
