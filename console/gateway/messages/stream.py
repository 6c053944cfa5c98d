"""Convert a stream of chat completion chunks to Anthropic's events.

A chunk's text and calls may grow side by side; blocks come one after another. So a block is closed when a piece of
another arrives, which is the order models write in, and a call that continues after the next has begun is an error.
"""

from typing import Any

import orjson

from console.core import sse
from console.core.errors import ProviderError
from console.gateway.messages.answer import (
    Names,
    calls_of,
    message_of,
    message_shape,
    stop_of,
    tool_use,
    usage_shape,
)
from console.providers.types import StreamReader, Usage

Event = dict[str, Any]


class MessageStream:
    """Wraps a kind's reader of chat streams that was asked for usage and for one choice.

    The first event says how long the input is, which such a provider tells at the end: it gets our estimate of it, the
    one that is answered to who asks beforehand, and the last event the provider's count.
    """

    def __init__(self, chat: StreamReader, *, input_tokens: int, names: Names) -> None:
        self.usage: Usage | None = None
        self.is_complete = False
        self.has_content = False
        self._chat, self._input_tokens, self._names = chat, input_tokens, names
        self._estimate: Usage | None = None
        self._last_frames = b""
        self._events: list[Event] = []
        self._has_begun = False
        self._index = -1
        self._open: tuple[str, int] | None = None  # what the open block holds, and which call
        self._calls: set[int] = set()
        self._finish = "stop"
        self._has_refused = False

    @property
    def last_frames(self) -> bytes:
        """Return the events that end it, told when they are asked for: what it used is in them."""
        if self.is_complete and not self._last_frames:
            self._last_frames = sse.named_frames(self._ending())
        return self._last_frames

    def count(self, usage: Usage) -> None:
        self._estimate = usage

    def feed(self, chunk: bytes) -> bytes:
        return self._convert(self._chat.feed(chunk))

    def finish(self) -> bytes:
        return self._convert(self._chat.finish())

    def _convert(self, frames: bytes) -> bytes:
        for frame in frames.split(b"\n\n"):
            if frame:
                self._chunk(orjson.loads(frame.removeprefix(b"data: ")))
        frames_out = sse.named_frames(self._take())
        chat = self._chat
        self.usage, self.has_content = chat.usage, chat.has_content
        self.is_complete = chat.is_complete
        return frames_out

    def _take(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _chunk(self, chunk: dict[str, Any]) -> None:
        if not self._has_begun:
            self._has_begun = True
            message = message_shape(
                chunk.get("id"), chunk.get("model"), usage=usage_shape(Usage(self._input_tokens, 0))
            )
            self._events.append({"type": "message_start", "message": message})
        for choice in chunk["choices"]:
            delta = choice.get("delta")
            if isinstance(delta, dict):
                self._delta(delta)
            self._finish = choice.get("finish_reason") or self._finish

    def _delta(self, delta: dict[str, Any]) -> None:
        thoughts = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thoughts, str) and thoughts:
            self._enter(("thinking", 0), {"type": "thinking", "thinking": "", "signature": ""})
            self._add_delta(type="thinking_delta", thinking=thoughts)
        self._has_refused = self._has_refused or bool(delta.get("refusal"))
        text = delta.get("content") or delta.get("refusal")
        if isinstance(text, str) and text:
            self._enter(("text", 0), {"type": "text", "text": ""})
            self._add_delta(type="text_delta", text=text)
        for call, function in calls_of(delta.get("tool_calls")):
            index = call.get("index")
            self._enter(("tool_use", index if type(index) is int else 0), tool_use(call, function, {}, self._names))
            if function.get("arguments"):
                self._add_delta(type="input_json_delta", partial_json=str(function["arguments"]))

    def _enter(self, key: tuple[str, int], block: dict[str, Any]) -> None:
        """Make sure that the open block is the one that grows."""
        if self._open == key:
            return
        if key[0] == "tool_use":
            if key[1] in self._calls:
                raise ProviderError("The provider mixed two calls of tools.", code="upstream_invalid")
            self._calls.add(key[1])
        self._leave()
        self._index += 1
        self._open = key
        self._events.append({"type": "content_block_start", "index": self._index, "content_block": block})

    def _leave(self) -> None:
        if self._open is not None:
            self._events.append({"type": "content_block_stop", "index": self._index})
            self._open = None

    def _add_delta(self, **delta: Any) -> None:
        self._events.append({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _ending(self) -> list[Event]:
        self._leave()
        reason = stop_of(self._finish, has_refused=self._has_refused, has_calls=bool(self._calls))
        delta = {"stop_reason": reason, "stop_sequence": None}
        self._events.append(
            {"type": "message_delta", "delta": delta, "usage": usage_shape(self.usage or self._estimate)}
        )
        self._events.append({"type": "message_stop"})
        return self._take()

    def answer(self) -> dict[str, Any]:
        """Return what was streamed as one message, for the log; a call that broke off is kept as its text."""
        completion = self._chat.answer()
        if not completion["choices"]:
            return message_shape(completion.get("id"), completion.get("model"))
        calls = list(calls_of(completion["choices"][0]["message"].pop("tool_calls", None)))
        message = message_of(completion, self.usage or self._estimate)
        for call, function in calls:
            try:
                input = orjson.loads(function.get("arguments") or "{}")
            except orjson.JSONDecodeError:
                input = {"partial_json": function.get("arguments")}
            message["content"].append(tool_use(call, function, input, self._names))
        return message if self.is_complete else message | {"stop_reason": None}
