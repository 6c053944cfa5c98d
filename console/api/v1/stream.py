"""The response of one stream, and the headers of every answer of a model."""

import time
from typing import Any

from console.api.v1.http import (
    Headers,
    Request,
    Send,
    common_headers,
    dropped_header,
    failure_parts,
    said_to,
    send_failure,
)
from console.api.v1.watch import Watch
from console.core import sse
from console.core.errors import ProviderError
from console.gateway.limits import rate_limit_headers
from console.gateway.meter import overhead_seconds
from console.gateway.targets import PIN
from console.gateway.types import Call

EVENT_STREAM: Headers = [
    (b"content-type", sse.MEDIA_TYPE.encode()),
    *((name.lower().encode(), value.encode()) for name, value in sse.HEADERS.items()),
]


def call_headers(request: Request, call: Call) -> Headers:
    moment = time.perf_counter()
    headers = [
        (b"x-facet-model-version", _latin(call.plan.version.label)),
        (b"x-facet-attempts", b"%d" % (call.attempts_before + call.attempts)),
        (b"x-facet-overhead-ms", b"%.2f" % (overhead_seconds(call, moment) * 1000)),
        (b"openai-processing-ms", b"%d" % round((moment - call.started) * 1000)),
        *rate_limit_headers(call.remaining, call.plan.ask.at),
    ]
    if call.plan.ask.prompt is not None:
        headers.append((b"x-facet-prompt", _latin(call.plan.ask.prompt.ref)))
    if call.plan.ask.agent is not None:
        headers.append((b"x-facet-agent", _latin(call.plan.ask.agent.ref)))
    if call.plan.route != PIN:
        headers.append((b"x-facet-route", _latin(call.plan.route)))
    if call.fell_back_from:
        headers.append((b"x-facet-fallback-from", _latin(call.fell_back_from)))
    if call.passed_over:
        headers.append((b"x-facet-passed-over", _latin(", ".join(call.passed_over))))
    headers += dropped_header(call.plan.ask.dropped)
    if call.is_closed:
        headers.append((b"x-facet-cost", b"%.6f" % (call.cost_micros / 1_000_000)))
    return headers


def _latin(text: str) -> bytes:
    return text.encode("latin-1", "replace")


def error_frame(request: Request, status: int, body: dict[str, Any]) -> bytes:
    """Return an error in mid-stream; Anthropic's clients want its name on a line of its own."""
    _, said = said_to(request, status, body)
    return sse.frame(said, "error" if request.speaks_messages else "")


class StreamBody:
    """The response of one stream: its start, its frames, its end."""

    def __init__(self, request: Request, send: Send, call: Call, watch: Watch) -> None:
        self._request, self._send, self._call, self._watch = request, send, call, watch
        self.is_started = False

    async def start(self) -> None:
        self.is_started = self._request.is_answered = True
        headers = [*EVENT_STREAM, *common_headers(self._request)[:-1], *call_headers(self._request, self._call)]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def write(self, frames: bytes) -> None:
        watch = self._watch
        watch.sending_since = time.monotonic()
        await self._send({"type": "http.response.body", "body": frames, "more_body": True})
        watch.last_sent, watch.sending_since = time.monotonic(), 0.0

    async def beat(self) -> None:
        """Keep a silent connection open; a provider slow to begin costs its error the status, not the client."""
        if not self.is_started:
            await self.start()
        await self._send({"type": "http.response.body", "body": sse.PING, "more_body": True})

    async def fail(self, error: ProviderError) -> None:
        if not self.is_started:
            await send_failure(self._send, self._request, error)
            return
        status, body, _ = failure_parts(error)
        await self.write(error_frame(self._request, status, body))
        await self.end()

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})
