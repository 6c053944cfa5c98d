"""Inputs and outputs in readable form: messages by role where the body has them, the text as it is elsewhere.

Everything here is untrusted text. It is only taken apart, never interpreted; templates escape it.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from secrets import token_hex
from typing import Any, NamedTuple

from console.audit.models import AuditEvent, Payload
from console.audit.pictures import PICTURE, as_file, taken_out
from console.audit.sql import search
from console.core.formatting import plural
from console.core.pictures import MOST_PIXELS, Picture, picture_of
from console.core.scrub import REDACTED

# A body of more characters is shown as text only: taking it apart would cost more than it tells.
_MOST_PARSED = 400_000
_MOST_TURNS = 200
# Stands around the number of a picture in a text that was taken apart. Nobody can write it: words would be a picture.
_MARK = f"\ufdd0{token_hex(8)}\ufdd0"
_PLACE = re.compile(rf"{_MARK}(\d{{1,4}}){_MARK}|({re.escape(REDACTED)})")


class Piece(NamedTuple):
    """A part of a turn: its words, the number of a picture among those of the body, or that something was redacted."""

    words: str = ""
    picture: int | None = None
    is_redacted: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One piece of a body: who says it, and the text."""

    role: str
    text: str

    @property
    def pieces(self) -> list[Piece]:
        """Return the text in order, between its pictures and what was redacted."""
        words, *rest = _PLACE.split(self.text)
        found = [Piece(words)]
        for number, redacted, after in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            found += [Piece(is_redacted=True) if redacted else Piece(picture=int(number)), Piece(after)]
        return [piece for piece in found if piece != Piece()]


@dataclass(frozen=True, slots=True)
class Pane:
    """One stored body. `raw` is what is stored, but for the letters of pictures; `turns` is the same for reading.

    `others` are the numbers of those pictures that stand in none of the turns.
    """

    kind: str
    payload: Payload | None
    turns: list[Turn]
    raw: str
    settings: list[tuple[str, str]]
    others: tuple[int, ...] = ()
    is_whole: bool = False  # but for pictures, perhaps

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
        return f"[{plural(len(content), 'token')}]"
    texts = []
    for part in content:
        if isinstance(part, list):
            texts.append(_parts(part))
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(part, str):
            texts.append(part)
        elif (picture := picture_of(part)) is not None:
            texts.append(_picture_source(picture))
        else:
            kind = part.get("type", "part") if isinstance(part, dict) else "part"
            texts.append(f"[{kind}]")
    return "\n".join(texts)


def _picture_source(picture: Picture) -> str:
    """Return the place of a picture whose bytes are there, or what is known of any other."""
    if picture.data.startswith(_MARK):
        return picture.data
    if picture.data.startswith("[not kept"):  # by what keeps it: console.audit.pictures
        return f"[image {picture.data[1:]}"
    if picture.data:
        return f"[image: {picture.media_type}, {len(picture.data):,} characters of base64]"
    return f"[image at {picture.address}]" if picture.address else "[image]"


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
    if images := message.get("images"):
        yield Turn(role, _parts(images))
    if calls := _calls(message):
        yield Turn("tool calls", calls)
    if message.get("type") in _CALLS:
        name = "__".join(str(message[part]) for part in ("namespace", "name") if message.get(part))
        yield Turn("tool calls", f"{name}({message.get('arguments') or message.get('input') or ''})")
    elif message.get("type") in _RESULTS:
        yield Turn("tool", _parts(message.get("output")))


def _request_turns(body: dict[str, Any]) -> Iterator[Turn]:
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


def _parsed(text: str) -> dict[str, Any] | None:
    """Return a body as an object; None where it is none, as what was cut is."""
    if len(text) > _MOST_PARSED or not text.startswith("{"):
        return None
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def turns_of(body: dict[str, Any]) -> list[Turn]:
    """Return what a body says, by role; nothing where it is shaped like nothing we know."""
    try:
        return list(islice(chain(_request_turns(body), _answered(body)), _MOST_TURNS))
    except (TypeError, AttributeError, KeyError, ValueError):
        return []


def pane(kind: str, payload: Payload | None) -> Pane:
    """Take one body apart."""
    if payload is None:
        return Pane(kind, None, [], "", [])
    text, pictures = taken_out(payload.body)
    text = text.replace("\0", _MARK)
    body = _parsed(text)
    turns: list[Turn] = []
    settings: list[tuple[str, str]] = []
    if body is not None:
        turns = turns_of(body)
        settings = [(name, str(body[name])) for name in _SETTINGS if body.get(name) is not None]
        text = json.dumps(body, ensure_ascii=False, indent=2)
    turns = turns or [Turn("", text)]
    stand = {piece.picture for turn in turns for piece in turn.pieces}
    raw = _PLACE.sub(lambda place: _letters(int(place[1]), pictures) if place[1] else place[0], text)
    others = tuple(number for number in range(len(pictures)) if number not in stand)
    return Pane(kind, payload, turns, raw, settings, others, body is not None)


def _letters(number: int, pictures: list[str]) -> str:
    return f"[image {number + 1}: {len(pictures[number]):,} characters of base64]" if number < len(pictures) else ""


def picture_at(event: AuditEvent, kind: str, number: int) -> tuple[bytes, str] | None:
    """Return a picture of a stored body as bytes and media type; None where there is none, or too large to be shown."""
    payload = search.payloads([event.pk]).get(event.pk, {}).get(kind)
    number = min(number, sys.maxsize)  # an address may have any
    found = next(islice(PICTURE.finditer(payload.body), number, None), None) if payload else None
    if found is None:
        return None
    width, height = Picture("", found[0].replace("\\/", "/"), "").size or (0, 0)
    return as_file(found[0]) if 0 < width * height <= MOST_PIXELS else None


def panes(event: AuditEvent) -> list[Pane]:
    """Return input and output of a record, as far as there were any."""
    stored = search.payloads([event.pk]).get(event.pk, {})
    return [
        pane(kind, stored.get(kind))
        for kind, digest in (("input", event.input_sha256), ("output", event.output_sha256))
        if digest or kind in stored
    ]
