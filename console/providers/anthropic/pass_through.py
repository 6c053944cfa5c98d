"""Pass messages on for callers of Anthropic's own format, reading them for usage and the log."""

from typing import Any

import orjson

from console.core import sse
from console.core.errors import ProviderError
from console.providers.anthropic.answer import usage_of
from console.providers.anthropic.stream import AnthropicStream
from console.providers.types import Answer

_PASSED = frozenset(
    {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
    }
)


def read_message(raw: bytes) -> Answer:
    """Return a whole message as it is; ProviderError when it is none."""
    try:
        message = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise ProviderError("The provider's answer is not JSON.", code="upstream_invalid") from None
    if not isinstance(message, dict) or not isinstance(message.get("content"), list):
        raise ProviderError("The provider's answer is not a message.", code="upstream_invalid")
    return Answer(raw, usage_of(message.get("usage")))


class PassedStream(AnthropicStream):
    """Checks and counts a stream as its parent does, and forwards the events whose names are known."""

    def __init__(self) -> None:
        super().__init__(include_usage=False)
        self._message: dict[str, Any] = {}

    def _take(self, event: dict[str, Any]) -> bytes:
        super()._take(event)
        kind = event.get("type")
        if not isinstance(kind, str) or kind not in _PASSED:
            return b""
        if kind == "message_start":
            self._message = event["message"]
        frame = sse.frame(event, kind)
        if kind == "message_stop":
            self.last_frames = frame
            return b""
        return frame

    def answer(self) -> dict[str, Any]:
        """Return what was streamed as one message, for the log."""
        return {
            **self._message,
            "content": [block.block() for block in self._blocks.values()],
            "stop_reason": self._ending.get("stop_reason"),
            "stop_sequence": self._ending.get("stop_sequence"),
            "usage": self._counts,
        }
