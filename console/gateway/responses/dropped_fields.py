"""The fields of a request to /v1/responses that have no counterpart in a chat completion."""

from typing import Any

from console.gateway.responses.request import LOGPROBS
from console.gateway.responses.turns import unsealed
from console.gateway.shapes.fields import others
from console.gateway.shapes.responses import items_of, kind_of

THOUGHTS = "reasoning.encrypted_content"
_INCLUDED = {LOGPROBS, THOUGHTS}
_SAID_OF_A_TOOL = {"type", "name", "description", "parameters", "strict"}
_SAID_OF_A_NAMESPACE = {"type", "name", "tools"}
_SAID_OF_TEXT = {"format", "verbosity"}


def dropped_fields(body: dict[str, Any], *, can_reason: bool, keeps_thoughts: bool) -> frozenset[str]:
    """Return the fields that go no further, and the places inside (`tools[].async`) that do not."""
    dropped: set[str] = set()
    if body.get("truncation") == "auto":
        dropped.add("truncation")
    if body.get("max_tool_calls"):
        dropped.add("max_tool_calls")
    dropped.update(f"include.{name}" for name in body.get("include", ()) if name not in _INCLUDED)
    if THOUGHTS in body.get("include", ()) and not keeps_thoughts:
        dropped.add(f"include.{THOUGHTS}")
    reasoning = body.get("reasoning") or {}
    if reasoning.get("effort") and not can_reason:
        dropped.add("reasoning.effort")
    # Thoughts come as their provider gives them; how long a summary of them is, is not ours to say.
    dropped.update(others(reasoning, {"effort", "summary", "generate_summary"}, "reasoning."))
    dropped.update(others(body.get("text") or {}, _SAID_OF_TEXT, "text."))
    for tool in body.get("tools") or ():
        if tool.get("type") == "namespace":
            dropped.update(others(tool, _SAID_OF_A_NAMESPACE, "tools[]."))
            for inner in tool["tools"]:
                dropped.update(others(inner, _said_of(inner), "tools[].tools[]."))
        else:
            dropped.update(others(tool, _said_of(tool), "tools[]."))
    for item in items_of(body):
        if kind_of(item) == "reasoning" and not (keeps_thoughts and unsealed(item.get("encrypted_content"))):
            dropped.add("input[].reasoning")
    return frozenset(dropped)


def _said_of(tool: dict[str, Any]) -> set[str]:
    """Return what is said of a tool; a grammar is, but nothing holds the model to it."""
    return _SAID_OF_A_TOOL | {"format"} if tool.get("format") == {"type": "text"} else _SAID_OF_A_TOOL
