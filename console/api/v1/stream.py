"""Stream an answer, and the headers of all answers of models."""

import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from console.api.idempotency import Replay
from console.api.v1 import responses_face
from console.api.v1.request import Headers, Request
from console.api.v1.sending import (
    Send,
    common_headers,
    dropped_header,
    failure_parts,
    headers_in,
    said_to,
    send_failure,
)
from console.api.v1.server import header_lines
from console.api.v1.watch import Watch
from console.core import sse
from console.core.errors import ProviderError
from console.core.ids import request_id
from console.gateway.limits import rate_limit_lines
from console.gateway.meter import overhead_seconds
from console.gateway.targets import PIN
from console.gateway.types import Call

_EVENT_STREAM: Headers = [
    (b"content-type", sse.MEDIA_TYPE.encode()),
    *((name.lower().encode(), value.encode()) for name, value in sse.HEADERS.items()),
]


def stream_headers(request: Request, more: Headers | None = None) -> Headers:
    """Headers of every answer under /v1/ that is an event stream: its own cache-control, in place of the common one."""
    return [*_EVENT_STREAM, *common_headers(request)[:-1], *(more or [])]


def answer_headers(
    version: str,
    prompt: str = "",
    agent: str = "",
    route: str = "",
    fell_back_from: str = "",
    passed_over: Iterable[str] = (),
    dropped: Sequence[str] = (),
) -> Headers:
    """Return what an answer is, whenever it is given: who gave it, to which request and by which way."""
    headers = [(b"x-facet-model-version", version.encode("latin-1", "replace"))]
    if prompt:
        headers.append((b"x-facet-prompt", _latin(prompt)))
    if agent:
        headers.append((b"x-facet-agent", _latin(agent)))
    if route:
        headers.append((b"x-facet-route", _latin(route)))
    if fell_back_from:
        headers.append((b"x-facet-fallback-from", _latin(fell_back_from)))
    if passed_over:
        headers.append((b"x-facet-passed-over", _latin(", ".join(passed_over))))
    return headers + dropped_header(dropped) if dropped else headers


def replay_headers(replay: Replay) -> Headers:
    """Return the headers of an answer given again.

    It costs nothing, no limit counts it and no provider is waited for, so cost, limits, attempts and times, which were
    the first request's, are not said again: programs would add them up twice.
    """
    notes = replay.notes
    return [
        (b"x-facet-idempotent-replay", b"true"),
        (b"x-facet-original-request-id", request_id(replay.request).encode()),
        *answer_headers(
            replay.model,
            prompt=replay.prompt,
            agent=replay.agent,
            route=notes.get("route", ""),
            fell_back_from=notes.get("fell_back_from", ""),
            passed_over=notes.get("passed_over", ()),
            dropped=notes.get("dropped_fields", ()),
        ),
    ]


@lru_cache(maxsize=1024)
def _answer_lines(*what: Any) -> bytes:
    """Return `answer_headers` as lines; most answers' are those of one before."""
    return header_lines(answer_headers(*what))


def call_lines(call: Call) -> bytes:
    """Return what the answer of a call says of the call, as lines of a head."""
    moment, plan = time.perf_counter(), call.plan
    ask = plan.ask
    milliseconds, hundredths = divmod(round(overhead_seconds(call, moment) * 100_000), 100)
    lines = b"x-facet-attempts: %d\r\nx-facet-overhead-ms: %d.%02d\r\nopenai-processing-ms: %d\r\n%b%b" % (
        call.attempts_before + call.attempts,
        milliseconds,
        hundredths,
        round((moment - call.started) * 1000),
        rate_limit_lines(call.remaining, ask.at),
        _answer_lines(
            plan.version.label,
            ask.prompt.ref if ask.prompt is not None else "",
            ask.agent.ref if ask.agent is not None else "",
            plan.route if plan.route != PIN else "",
            call.fell_back_from,
            tuple(call.passed_over),
            plan.dropped,
        ),
    )
    if call.is_closed and plan.price is not None:
        lines += b"x-facet-cost: %d.%06d\r\n" % divmod(call.cost_micros, 1_000_000)
    return lines


def _latin(text: str) -> bytes:
    return text.encode("latin-1", "replace")


def error_frame(request: Request, status: int, body: dict[str, Any], call: Call) -> bytes:
    """Return an error in mid-stream, as the client of this route knows it."""
    if request.speaks_responses:
        return responses_face.failing(call, status, body["error"])
    _, content = said_to(request, status, body)
    return sse.frame(content, "error" if request.speaks_messages else "")


class StreamBody:
    """The response of one stream: its start, its frames, its end."""

    def __init__(self, request: Request, send: Send, call: Call, watch: Watch) -> None:
        self._request, self._send, self._call, self._watch = request, send, call, watch
        self.is_started = False

    async def start(self) -> None:
        self.is_started = self._request.is_answered = True
        headers = stream_headers(self._request, headers_in(call_lines(self._call)))
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
        await self.write(error_frame(self._request, status, body, self._call))
        await self.end()

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})
