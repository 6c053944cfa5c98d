"""Convert messages of a chat completion to Anthropic's: one system text, then turns of blocks."""

import re
from typing import Any

import orjson

from console.core.errors import BadInput
from console.providers.anthropic.content import Block, blocks_of
from console.providers.anthropic.thinking import with_thoughts

_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")


def turns_of(messages: list[dict[str, Any]]) -> tuple[list[Block], list[dict[str, Any]]]:
    """Return the blocks of the system text, and the turns.

    System and developer messages are collected from wherever they stand. Neighbours of one role become one turn, so
    the results of all calls of a turn come back together, as Anthropic asks.
    """
    system: list[Block] = []
    turns: list[dict[str, Any]] = []
    for place, message in enumerate(messages):
        where, role = f"messages[{place}]", message.get("role")
        if role in {"system", "developer"}:
            system += blocks_of(message.get("content"), f"{where}.content")
            continue
        if role == "tool":
            role, blocks = "user", [_result(message, where)]
        elif role == "assistant":
            blocks = _assistant(message, where)
        else:
            blocks = blocks_of(message.get("content"), f"{where}.content")
            if not blocks:
                raise BadInput("A user's message to this model cannot be empty.", param=f"{where}.content")
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    if not turns:
        raise BadInput("This model needs at least one message of a user.", param="messages")
    return system, turns


def _assistant(message: dict[str, Any], where: str) -> list[Block]:
    blocks = blocks_of(message.get("content"), f"{where}.content")
    if not blocks:
        blocks = blocks_of(message.get("refusal"), f"{where}.refusal")
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise BadInput("tool_calls must be a list.", param=f"{where}.tool_calls")
    blocks += [_call(call, f"{where}.tool_calls[{place}]") for place, call in enumerate(calls)]
    return with_thoughts(blocks, message.get("reasoning_details"), where)


def _call(call: Any, where: str) -> Block:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise BadInput("A tool call needs a function with a name.", param=f"{where}.function")
    return {
        "type": "tool_use",
        "id": _tool_id(call.get("id"), f"{where}.id"),
        "name": function["name"],
        "input": _arguments(function.get("arguments"), f"{where}.function.arguments"),
    }


def _arguments(text: Any, where: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text or "{}")
    except (orjson.JSONDecodeError, TypeError):
        value = None
    if not isinstance(value, dict):
        raise BadInput("The arguments of a tool call must be a JSON object, written as a string.", param=where)
    return value


def _result(message: dict[str, Any], where: str) -> Block:
    block: Block = {
        "type": "tool_result",
        "tool_use_id": _tool_id(message.get("tool_call_id"), f"{where}.tool_call_id"),
    }
    content = message.get("content")
    if isinstance(content, str):
        block["content"] = content
    elif content:
        block["content"] = blocks_of(content, f"{where}.content")
    return block


def _tool_id(value: Any, where: str) -> str:
    """Return a call's id in the letters Anthropic allows; the same for the call and its result."""
    if not isinstance(value, str) or not value:
        raise BadInput("A tool call and its result need the same id.", param=where)
    return _NOT_IN_AN_ID.sub("_", value)
