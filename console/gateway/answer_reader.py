"""Read a chat answer for rooms that show or check it: text, tool calls, finish reason, usage."""

from typing import Any

import orjson

from console.providers.openai.stream import usage_of
from console.providers.sse import EventSplitter, data_of
from console.providers.types import Usage


class AnswerReader:
    """Reads the frames that `pipeline.stream` gives out, or one whole answer. Only the first choice is read."""

    def __init__(self) -> None:
        self._events = EventSplitter()
        self._parts: list[str] = []
        self._calls: dict[int, list[str]] = {}
        self.finish = ""
        self.usage: Usage | None = None

    @property
    def text(self) -> str:
        return "".join(self._parts)

    @property
    def calls(self) -> str:
        """What the model would have called, a line each: `get_weather({"city": "Oslo"})`."""
        return "\n".join(f"{name}({arguments})" for name, arguments in self._calls.values())

    def feed(self, frames: bytes) -> str:
        """Return the text that these bytes add to the answer."""
        return "".join(self._take(orjson.loads(data), "delta") for data in self._data(frames))

    def _data(self, frames: bytes) -> list[bytes]:
        payloads = [data_of(event) for event in self._events.feed(frames)]
        return [data for data in payloads if data and data != b"[DONE]"]

    def read(self, body: bytes) -> str:
        """Return the text of a whole answer."""
        return self._take(orjson.loads(body), "message")

    def _take(self, answer: dict[str, Any], part: str) -> str:
        self.usage = usage_of(answer.get("usage")) or self.usage
        for choice in answer.get("choices") or []:
            if choice.get("index", 0) != 0:
                continue
            self.finish = choice.get("finish_reason") or self.finish
            message = choice.get(part) or {}
            calls = message.get("tool_calls")
            for at, call in enumerate(calls if isinstance(calls, list) else ()):
                if isinstance(call, dict) and isinstance(call.get("function"), dict):
                    index = call.get("index")
                    self._add_call(index if isinstance(index, int) else at, call["function"])
            words = message.get("content") or message.get("refusal") or ""
            if isinstance(words, str) and words:
                self._parts.append(words)
                return words
        return ""

    def _add_call(self, index: int, function: dict[str, Any]) -> None:
        """A stream says a call's name once, and its arguments piece by piece."""
        call = self._calls.setdefault(index, ["", ""])
        for place, part in enumerate(("name", "arguments")):
            if isinstance(text := function.get(part), str):
                call[place] += text
