"""Convert a stream of chat completion chunks to events of a response."""

from typing import Any

import orjson

from console.core.errors import ProviderError
from console.core.sse import named_frames
from console.gateway.responses.answer import ending, frame_of, logprobs_of, take, wants_thoughts
from console.gateway.responses.events import ResponseEvents
from console.gateway.types import Ask
from console.providers.types import StreamReader, Usage

_DONE = b"[DONE]"
_RETRY = {429: "rate_limit_exceeded"}


class ResponseStream:
    """Wraps a kind's reader of chat streams that was asked for usage and for one choice."""

    def __init__(self, chat: StreamReader, ask: Ask) -> None:
        self.usage: Usage | None = None
        self.is_complete = False
        self.has_content = False
        self._estimate: Usage | None = None
        self._last_frames = b""
        self._chat, self._ask = chat, ask
        self._seals = wants_thoughts(ask)
        self._told: ResponseEvents | None = None
        self._finish: Any = None

    @property
    def last_frames(self) -> bytes:
        """Return the events that end it, told when they are asked for: what it used is in them."""
        if self.is_complete and not self._last_frames:
            events = self._begun({})
            ending(events, self._finish, self.usage or self._estimate)
            self._last_frames = named_frames(events.take())
        return self._last_frames

    def count(self, usage: Usage) -> None:
        self._estimate = usage

    def feed(self, chunk: bytes) -> bytes:
        return self._tell(self._chat.feed(chunk))

    def finish(self) -> bytes:
        return self._tell(self._chat.finish())

    def fail(self, error: ProviderError) -> bytes:
        """Return how a stream ends that broke off after its first byte."""
        events = self._begun({})
        events.fail(error.code, error.message, error.param, _RETRY.get(error.status, "server_error"))
        return named_frames(events.take())

    def _tell(self, frames: bytes) -> bytes:
        self._read(frames)
        chat = self._chat
        self.usage, self.has_content = chat.usage, chat.has_content
        out = named_frames(self._told.take()) if self._told is not None else b""
        if chat.is_complete and not self.is_complete:
            self.is_complete = True
            self._read(chat.last_frames)
        return out

    def _read(self, frames: bytes) -> None:
        for frame in frames.split(b"\n\n"):
            data = frame.removeprefix(b"data: ")
            if data and data != _DONE:
                self._chunk(orjson.loads(data))

    def _begun(self, chunk: dict[str, Any]) -> ResponseEvents:
        if self._told is None:
            self._told = ResponseEvents({**frame_of(self._ask), "model": str(chunk.get("model") or self._ask.model)})
        return self._told

    def _chunk(self, chunk: dict[str, Any]) -> None:
        events = self._begun(chunk)
        for choice in chunk["choices"]:
            delta = choice.get("delta")
            if isinstance(delta, dict):
                take(events, delta, logprobs_of(choice), seals=self._seals)
            self._finish = choice.get("finish_reason") or self._finish

    def answer(self) -> dict[str, Any]:
        """Return what was streamed as one response, for the log; one that broke off is as far as it came."""
        return self._begun({}).response
