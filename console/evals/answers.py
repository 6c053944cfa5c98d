"""Read answers of any operation: the text and tool calls of the first choice.

A model writes what it likes. What PostgreSQL cannot keep is replaced as the log replaces it, so that an answer is an
answer, whatever it says.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from console.audit.redaction import storable

ToolCall = list[str]  # a function's name, and its arguments as canonical JSON
_LONGEST = 20_000  # characters of one call's arguments that are looked at
_LONGEST_NAME, _MOST_CALLS = 200, 100


class RecordedAnswer(NamedTuple):
    """`text` has the calls, too, a line each, so that two answers can be laid beside each other."""

    text: str
    tool_calls: list[ToolCall]


def read(operation: str, body: bytes) -> RecordedAnswer:
    """Return what a whole answer says; nothing where it has no shape we know."""
    answer = orjson.loads(body)
    words, found = _READERS[operation](answer) if isinstance(answer, dict) else ("", [])
    words = storable(words)
    calls = [[storable(name[:_LONGEST_NAME]), storable(arguments)] for name, arguments in found[:_MOST_CALLS]]
    lines = [f"{name}({arguments})" for name, arguments in calls]
    return RecordedAnswer("\n".join([words, *lines] if words else lines), calls)


def _canonical(arguments: Any) -> str:
    """Return arguments so that the same are the same text, however a model spaced them."""
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            return str(arguments)[:_LONGEST]
    return json.dumps(arguments, ensure_ascii=False, sort_keys=True)[:_LONGEST]


def _words(content: Any) -> str:
    """Return a content's texts, whether it is one or a list of parts."""
    if isinstance(content, str):
        return content
    return "".join(_texts(content))


def _texts(parts: Any) -> Iterator[str]:
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict):
            text = part.get("text") or part.get("refusal")
            if isinstance(text, str):
                yield text


def _listed(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _chat(answer: dict[str, Any]) -> tuple[str, list[ToolCall]]:
    choice = next(iter(_listed(answer.get("choices"))), {})
    message = choice.get("message")
    if not isinstance(message, dict):
        return "", []
    functions = [one.get("function") for one in _listed(message.get("tool_calls"))]
    functions.append(message.get("function_call"))
    calls = [
        [str(function.get("name") or ""), _canonical(function.get("arguments"))]
        for function in functions
        if isinstance(function, dict)
    ]
    return _words(message.get("content") or message.get("refusal")), calls


def _completion(answer: dict[str, Any]) -> tuple[str, list[ToolCall]]:
    return _words(next(iter(_listed(answer.get("choices"))), {}).get("text")), []


def _message(answer: dict[str, Any]) -> tuple[str, list[ToolCall]]:
    blocks = _listed(answer.get("content"))
    calls = [
        [str(block.get("name") or ""), _canonical(block.get("input"))]
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    return _words(answer.get("content")), calls


def _call_name(call: dict[str, Any]) -> str:
    return "__".join(str(call[part]) for part in ("namespace", "name") if call.get(part))


def _response(answer: dict[str, Any]) -> tuple[str, list[ToolCall]]:
    items = _listed(answer.get("output"))
    calls = [
        [_call_name(item), _canonical(item.get("arguments") or item.get("input"))]
        for item in items
        if item.get("type") in {"function_call", "custom_tool_call"}
    ]
    return "".join(_words(item.get("content")) for item in items if item.get("type") == "message"), calls


_READERS = {"chat": _chat, "completion": _completion, "message": _message, "response": _response}
