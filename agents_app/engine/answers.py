"""Prepare a model's answer for storage, whatever the model or its provider sends."""

import json
from dataclasses import dataclass
from typing import Any

import orjson

from console.core import strict_json
from console.core.errors import BadInput

MOST_CALLS = 32
_LONGEST_NAME, _LONGEST_ARGUMENTS = 200, 64_000


@dataclass(frozen=True, slots=True)
class RequestedCall:
    """One call the model asks for. `problem` is why it cannot even be decided about."""

    id: str
    name: str
    arguments: dict[str, Any] | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A message as it is sent back next time, and the calls in it."""

    message: dict[str, Any]
    text: str
    calls: tuple[RequestedCall, ...]
    finish: str


def read_answer(body: bytes) -> Answer:
    """Return what an answer says; ValueError when it is none."""
    answer = orjson.loads(body)
    choices = answer.get("choices") if isinstance(answer, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None
    said = choice.get("message") if choice else None
    if choice is None or not isinstance(said, dict):
        raise ValueError("The answer has no message.")
    content = said.get("content") or said.get("refusal") or ""
    text = _clean(content) if isinstance(content, str) else ""
    calls = _calls(said.get("tool_calls"))
    message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else "")}
    if calls:
        message["tool_calls"] = [_as_sent(call) for call in calls]
    return Answer(message, text, calls, str(choice.get("finish_reason") or ""))


def _clean(text: str) -> str:
    return text.replace("\x00", "\ufffd")


def _calls(value: Any) -> tuple[RequestedCall, ...]:
    calls: list[RequestedCall] = []
    ids: set[str] = set()
    for number, call in enumerate(value if isinstance(value, list) else [], 1):
        function = call.get("function") if isinstance(call, dict) else None
        function = function if isinstance(function, dict) else {}
        identifier, name = call.get("id") if isinstance(call, dict) else None, function.get("name")
        if not isinstance(identifier, str) or not identifier or len(identifier) > _LONGEST_NAME or identifier in ids:
            identifier = f"call_{number}"
        identifier = _clean(identifier)
        ids.add(identifier)
        name = _clean(name) if isinstance(name, str) else ""
        arguments, problem = _arguments(function.get("arguments"))
        if number > MOST_CALLS:
            arguments, problem = None, f"One answer may ask for {MOST_CALLS} calls; this was one too many."
        calls.append(RequestedCall(identifier, name[:_LONGEST_NAME], arguments, problem))
    return tuple(calls)


def _arguments(value: Any) -> tuple[dict[str, Any] | None, str]:
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    if not text.strip():
        return {}, ""
    if len(text) > _LONGEST_ARGUMENTS:
        return None, f"The arguments are longer than {_LONGEST_ARGUMENTS:,} characters."
    try:
        read, _ = strict_json.loads(text.encode())
    except (BadInput, UnicodeEncodeError) as wrong:
        message = wrong.message if isinstance(wrong, BadInput) else "They hold what is no character."
        return None, f"The arguments are not JSON that can be used. {message.replace('The body', 'It')}"
    if not isinstance(read, dict):
        return None, "The arguments must be one JSON object."
    return read, ""


def _as_sent(call: RequestedCall) -> dict[str, Any]:
    """Return a call as it stands in the conversation: readable, also where the model's own words were not."""
    arguments = json.dumps(call.arguments or {}, ensure_ascii=False)
    return {"id": call.id, "type": "function", "function": {"name": call.name or "unnamed", "arguments": arguments}}
