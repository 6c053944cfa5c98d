"""Inputs and outputs in readable form: messages by role where the body has them, the text as it is elsewhere.

Everything here is untrusted text. It is only taken apart, never interpreted; templates escape it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from console.audit.models import AuditEvent, Payload
from console.audit.sql import search
from console.core.scrub import REDACTED
from console.core.words import counted

# A body of more characters is shown as text only: taking it apart would cost more than it tells.
_MOST_PARSED = 400_000
_MOST_TURNS = 200


@dataclass(frozen=True, slots=True)
class Turn:
    """One piece of a body: who says it, and the text. Pieces of the text between redactions are kept apart."""

    role: str
    text: str

    @property
    def pieces(self) -> list[str]:
        return self.text.split(REDACTED)


@dataclass(frozen=True, slots=True)
class Pane:
    """One stored body. `raw` is what is stored; `turns` is the same for reading."""

    kind: str
    payload: Payload | None
    turns: list[Turn]
    raw: str
    settings: list[tuple[str, str]]

    @property
    def title(self) -> str:
        return self.kind.capitalize()

    @property
    def is_structured(self) -> bool:
        return any(turn.role for turn in self.turns)


# Items of responses: what a model calls, and what came of it.
_CALLS = ("function_call", "custom_tool_call")
_RESULTS = tuple(f"{call}_output" for call in _CALLS)


def _parts(content: Any) -> str:
    """Return a message's content as text; parts that are no text are named in brackets."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return json.dumps(content, ensure_ascii=False)
    if content and all(type(part) is int for part in content):
        return f"[{counted(len(content), 'token')}]"
    texts = []
    for part in content:
        if isinstance(part, list):
            texts.append(_parts(part))
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(part, str):
            texts.append(part)
        else:
            kind = part.get("type", "part") if isinstance(part, dict) else "part"
            texts.append(f"[{kind}]")
    return "\n".join(texts)


def _calls(message: dict[str, Any]) -> str:
    """Return the tool calls of a message, one a line: `get_weather({"city": "Oslo"})`."""
    lines = []
    for call in message.get("tool_calls") or []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            lines.append(f"{function.get('name', 'tool')}({function.get('arguments', '')})")
    return "\n".join(lines)


def _message(message: Any, role: str = "") -> Iterator[Turn]:
    if not isinstance(message, dict):
        yield Turn(role, _parts(message))
        return
    role = str(message.get("role") or role)
    text = _parts(message.get("content"))
    if reasoning := message.get("reasoning_content"):
        yield Turn("reasoning", _parts(reasoning))
    if refusal := message.get("refusal"):
        yield Turn("refusal", _parts(refusal))
    if text:
        yield Turn(role, text)
    if calls := _calls(message):
        yield Turn("tool calls", calls)
    if message.get("type") in _CALLS:
        name = "__".join(str(message[part]) for part in ("namespace", "name") if message.get(part))
        yield Turn("tool calls", f"{name}({message.get('arguments') or message.get('input') or ''})")
    elif message.get("type") in _RESULTS:
        yield Turn("tool", _parts(message.get("output")))


def _asked(body: dict[str, Any]) -> Iterator[Turn]:
    """Return what a request says."""
    for name in ("system", "instructions"):
        if body.get(name):
            yield Turn("system", _parts(body[name]))
    for message in body.get("messages") or []:
        yield from _message(message)
    for name in ("prompt", "input"):
        value = body.get(name)
        if isinstance(value, list) and any(isinstance(item, dict) for item in value):
            for item in value:
                yield from _message(item)
        elif value:
            yield Turn(name, _parts(value))


def _answered(body: dict[str, Any]) -> Iterator[Turn]:
    """Return what an answer says: choices, vectors, the content of a message, the items of a response, or an error."""
    for choice in body.get("choices") or []:
        if isinstance(choice, dict) and "message" in choice:
            yield from _message(choice["message"], "assistant")
        elif isinstance(choice, dict) and isinstance(choice.get("text"), str):
            yield Turn("assistant", choice["text"])
    vectors = body.get("embeddings")
    if isinstance(vectors, dict):
        yield Turn("vectors", f"{vectors['count']:,} of {vectors['dimensions']:,} numbers\nSHA-256 {vectors['sha256']}")
    if isinstance(body.get("content"), list | str):
        yield from _message({"role": body.get("role", "assistant"), "content": body["content"]})
    for item in body.get("output") or []:
        if isinstance(item, dict):
            yield from _message(item, "assistant")
    if isinstance(body.get("error"), dict) and body["error"].get("message"):
        yield Turn("error", _parts(body["error"]["message"]))


_SETTINGS = ("model", "temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed", "tool_choice")


def _parsed(text: str, is_cut: bool) -> dict[str, Any] | None:
    if is_cut or len(text) > _MOST_PARSED or not text.startswith("{"):
        return None
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def turns_of(body: dict[str, Any]) -> list[Turn]:
    """Return what a body says, by role; nothing where it is shaped like nothing we know."""
    try:
        return list(islice(chain(_asked(body), _answered(body)), _MOST_TURNS))
    except (TypeError, AttributeError, KeyError, ValueError):
        return []


def pane(kind: str, payload: Payload | None) -> Pane:
    """Take one body apart."""
    if payload is None:
        return Pane(kind, None, [], "", [])
    body = _parsed(payload.body, payload.is_cut)
    turns: list[Turn] = []
    settings: list[tuple[str, str]] = []
    raw = payload.body
    if body is not None:
        turns = turns_of(body)
        settings = [(name, str(body[name])) for name in _SETTINGS if body.get(name) is not None]
        raw = json.dumps(body, ensure_ascii=False, indent=2)
    return Pane(kind, payload, turns or [Turn("", payload.body)], raw, settings)


def panes(event: AuditEvent) -> list[Pane]:
    """Return input and output of a record, as far as there were any."""
    stored = search.payloads([event.pk]).get(event.pk, {})
    return [
        pane(kind, stored.get(kind))
        for kind, digest in (("input", event.input_sha256), ("output", event.output_sha256))
        if digest or kind in stored
    ]
