"""Convert events of /v1/messages to chat completion chunks.

message_start, then for each block content_block_start, its deltas and content_block_stop, then message_delta with the
reason and the count, then message_stop. The type is read from the data and the `event:` line is not believed. Every
frame that leaves is made here, so no name or field an upstream invents can get through.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from console.core import sse
from console.core.clock import now
from console.core.errors import ProviderError
from console.providers.anthropic.answer import (
    arguments_of,
    finish_of,
    is_json_answer,
    message_of,
    refusal_of,
    usage_of,
    usage_shape,
)
from console.providers.anthropic.content import Block
from console.providers.anthropic.thinking import detail
from console.providers.openai.legacy import from_tools
from console.providers.sse import EventSplitter, data_of
from console.providers.types import Usage

_JSON = "json"  # a block that is the answer, though it comes as a call
_CALLED = {"tool_use", _JSON}
_BUSY = ("overloaded_error", "rate_limit_error")


@dataclass(slots=True)
class _OpenBlock:
    """A block on its way. `place` is its place in the answer, `call` its place among the tool calls."""

    started: Block
    place: int
    call: int
    parts: list[str] = field(default_factory=list)  # of its text, its thoughts or its input
    signature: str = ""
    is_open: bool = True

    @property
    def kind(self) -> str:
        return _JSON if is_json_answer(self.started) else str(self.started.get("type"))

    def block(self) -> Block:
        """Return the block as it is by now."""
        if self.kind == "text":
            return {"type": "text", "text": "".join(self.parts)}
        if self.kind == "thinking":
            signature = str(self.started.get("signature") or "") + self.signature
            return {"type": "thinking", "thinking": "".join(self.parts), "signature": signature}
        if self.kind in _CALLED and self.parts:
            with suppress(orjson.JSONDecodeError):
                return {**self.started, "input": orjson.loads("".join(self.parts))}
        return self.started


class AnthropicStream:
    """A StreamReader of Anthropic's events, which the client gets as OpenAI's chunks.

    `include_usage`: the client asked for a chunk with what was used. `is_legacy`: it speaks of functions, not of tools.
    """

    def __init__(self, *, include_usage: bool, is_legacy: bool = False) -> None:
        self.usage: Usage | None = None
        self.is_complete = False
        self.has_content = False
        self.last_frames = b""
        self._include_usage = include_usage
        self._is_legacy = is_legacy
        self._events = EventSplitter()
        self._head: dict[str, Any] = {}
        self._blocks: dict[int, _OpenBlock] = {}
        self._counts: dict[str, Any] = {}
        self._ending: dict[str, Any] = {}
        self._steps = {
            "content_block_start": self._block_start,
            "content_block_delta": self._block_delta,
            "content_block_stop": self._block_stop,
            "message_delta": self._message_delta,
            "message_stop": self._message_stop,
        }

    def feed(self, chunk: bytes) -> bytes:
        return b"".join([self._event(event) for event in self._events.feed(chunk)])

    def finish(self) -> bytes:
        """Take an event whose last line break is missing. Only message_stop ends an answer."""
        last = self._events.finish()
        return self._event(last) if last else b""

    def _event(self, raw: bytes) -> bytes:
        payload = data_of(raw)
        if not payload or self.is_complete:
            return b""
        try:
            event = orjson.loads(payload)
        except orjson.JSONDecodeError:
            raise _invalid("an event that is not JSON") from None
        if not isinstance(event, dict):
            raise _invalid("an event that is not an object")
        return self._take(event)

    def _take(self, event: dict[str, Any]) -> bytes:
        kind = event.get("type")
        if kind == "error":
            raise _reported(event.get("error"))
        if kind == "message_start":
            return self._start(event.get("message"))
        step = self._steps.get(kind) if isinstance(kind, str) else None
        if step is None:
            return b""  # ping, and what is yet to be invented
        if not self._head:
            raise _invalid("an answer without a beginning")
        return step(event)

    def _chunk(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        chunk = {**self._head, "object": "chat.completion.chunk", "choices": choices}
        if self._include_usage:
            chunk["usage"] = None  # as OpenAI says on all but the last
        chunk |= more
        if self._is_legacy:
            chunk = from_tools(chunk, part="delta")
        return sse.frame(chunk)

    def _delta(self, finish: str | None = None, **delta: Any) -> bytes:
        return self._chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}])

    def _start(self, message: Any) -> bytes:
        if not isinstance(message, dict) or self._head:
            raise _invalid("a beginning that is none")
        self._head = {
            "id": str(message.get("id") or ""),
            "created": int(now().timestamp()),
            "model": str(message.get("model") or ""),
        }
        self._count(message.get("usage"))
        return self._delta(role="assistant", content="")

    def _block_start(self, event: dict[str, Any]) -> bytes:
        index, started = event.get("index"), event.get("content_block")
        if type(index) is not int or index in self._blocks or not isinstance(started, dict):
            raise _invalid("a block that is none")
        calls = sum(1 for block in self._blocks.values() if block.kind == "tool_use")
        block = self._blocks[index] = _OpenBlock(started, place=len(self._blocks), call=calls)
        if block.kind == "tool_use":
            self.has_content = True
            function = {"name": str(started.get("name") or ""), "arguments": ""}
            call = {"index": block.call, "id": str(started.get("id") or ""), "type": "function", "function": function}
            return self._delta(tool_calls=[call])
        return self._piece(block, started.get(block.kind))

    def _open_block(self, event: dict[str, Any]) -> _OpenBlock:
        index = event.get("index")
        block = self._blocks.get(index) if type(index) is int else None
        if block is None or not block.is_open:
            raise _invalid("a part of no block")
        return block

    def _block_delta(self, event: dict[str, Any]) -> bytes:
        block, delta = self._open_block(event), event.get("delta")
        if not isinstance(delta, dict):
            raise _invalid("a part that is none")
        pair = block.kind, delta.get("type")
        if pair == ("text", "text_delta"):
            return self._piece(block, delta.get("text"))
        if pair == ("thinking", "thinking_delta"):
            return self._piece(block, delta.get("thinking"))
        if block.kind in _CALLED and delta.get("type") == "input_json_delta":
            return self._piece(block, delta.get("partial_json"))
        if pair == ("thinking", "signature_delta"):
            block.signature += str(delta.get("signature") or "")
        return b""  # citations, and what is yet to be invented

    def _piece(self, block: _OpenBlock, text: Any) -> bytes:
        if not isinstance(text, str) or not text or block.kind not in {"text", "thinking", *_CALLED}:
            return b""
        block.parts.append(text)
        self.has_content = True
        if block.kind == "tool_use":
            return self._delta(tool_calls=[{"index": block.call, "function": {"arguments": text}}])
        if block.kind == _JSON and block is not self._json_answer():
            return b""
        return self._delta(**{"reasoning_content" if block.kind == "thinking" else "content": text})

    def _json_answer(self) -> _OpenBlock | None:
        return next((block for block in self._blocks.values() if block.kind == _JSON), None)

    def _block_stop(self, event: dict[str, Any]) -> bytes:
        block = self._open_block(event)
        block.is_open = False
        if block.kind in _CALLED and not block.parts:
            # A call without arguments comes without pieces, and clients read the empty text as broken JSON.
            return self._piece(block, arguments_of(block.started))
        thought = detail(block.block(), block.place)
        return b"" if thought is None else self._delta(reasoning_details=[thought])

    def _message_delta(self, event: dict[str, Any]) -> bytes:
        delta = event.get("delta")
        if isinstance(delta, dict):
            self._ending |= {name: value for name, value in delta.items() if value is not None}
        if self._count(event.get("usage")):
            self.usage = usage_of(self._counts)
        return b""

    def _count(self, usage: Any) -> bool:
        """Keep the latest count of everything: each says how much there has been so far."""
        if not isinstance(usage, dict):
            return False
        self._counts |= {name: count for name, count in usage.items() if count is not None}
        return True

    def _message_stop(self, _: dict[str, Any]) -> bytes:
        if "stop_reason" not in self._ending or any(block.is_open for block in self._blocks.values()):
            raise _invalid("an end before the answer was whole")
        refusal = refusal_of(self._ending)
        out = self._delta(refusal=refusal) if refusal else b""
        out += self._delta(finish=finish_of(self._ending["stop_reason"], self._answered()))
        if self._include_usage:
            counted = usage_of(self._counts)
            out += self._chunk([], usage=usage_shape(counted) if counted else None)
        self.is_complete = True
        self.last_frames = sse.DONE
        return out

    def answer(self) -> dict[str, Any]:
        """Return what was streamed as one chat completion, for the log."""
        message = self._answered()
        finish = finish_of(self._ending["stop_reason"], message) if "stop_reason" in self._ending else None
        choice = {"index": 0, "message": message, "finish_reason": finish}
        answer = {**self._head, "object": "chat.completion", "choices": [choice]}
        return from_tools(answer, part="message") if self._is_legacy else answer

    def _answered(self) -> dict[str, Any]:
        """Return the assistant's message by now; JSON is as it came, also when it broke off."""
        blocks = list(self._blocks.values())
        message = message_of([block.block() for block in blocks], refusal_of(self._ending))
        for call, block in zip(message.get("tool_calls", ()), (b for b in blocks if b.kind == "tool_use"), strict=True):
            call["function"]["arguments"] = "".join(block.parts)
        if answered := self._json_answer():
            message["content"] = "".join(
                "".join(block.parts) for block in blocks if block.kind == "text" or block is answered
            )
        return message


def _invalid(fault: str) -> ProviderError:
    return ProviderError(f"The provider sent {fault}.", code="upstream_invalid")


def _reported(error: Any) -> ProviderError:
    if isinstance(error, dict) and error.get("type") in _BUSY:
        return ProviderError("The provider is too busy to finish its answer.", code="upstream_busy", status=503)
    return ProviderError("The provider reported an error in mid-answer.", code="upstream_error")
