"""POST /v1/chat/completions."""

import asyncio
import time
from contextlib import aclosing

import orjson

from console.api import idempotency
from console.api.v1 import chat_shape
from console.api.v1.http import (
    Headers,
    Request,
    Send,
    common_headers,
    error_body,
    failure_parts,
    send_failure,
    send_json,
)
from console.api.v1.replay import as_stream
from console.api.v1.watch import Watch
from console.audit.models import EventType
from console.core import strict_json
from console.core.errors import NotAllowed, ProviderError, Refusal
from console.core.ids import request_id
from console.gateway import pipeline
from console.gateway.identity import KeyIdentity
from console.gateway.limits import rate_limit_headers
from console.gateway.meter import overhead_seconds
from console.gateway.types import Ask, Call

ROUTE = "/v1/chat/completions"
_LARGE_BODY = 128 * 1024
_STREAM: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-store"),
    (b"x-accel-buffering", b"no"),
]
_PING = b": ping\n\n"


async def chat_completions(request: Request, send: Send) -> None:
    identify = KeyIdentity(request.key, request.client_address, request.at)
    ask = await read_ask(request, identify)
    if request.idempotency_key is not None:
        replay = await _claim(request, request.idempotency_key, identify, ask)
        if replay is not None:
            await _send_replay(request, send, ask, replay)
            return
    watch = Watch(request.receive)
    call = None
    try:
        call = await pipeline.open_call(identify, ask, started=request.started)
        watch.call = call
        if ask.is_stream:
            await _stream(request, send, call, watch)
        else:
            await _answer(request, send, call)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if not watch.is_cut or task is None or task.uncancel():
            raise
        # The watch ended the call; the pipeline has recorded it. In mid-stream, who still listens has been told.
        if call is not None and call.cut_off and not request.is_answered:
            raise NotAllowed("The key's access ended during the request.", code=call.cut_off) from None
    finally:
        watch.stop()


async def read_ask(request: Request, identify: KeyIdentity) -> Ask:
    """Return the checked body as an Ask. What cannot be one is refused on record, after the credentials are."""
    text = ""
    try:
        if request.problem is not None:
            raise request.problem
        raw = await request.body()
        if len(raw) > _LARGE_BODY:  # parsing this much would hold up everybody else's streams
            value, text = await asyncio.to_thread(strict_json.loads, raw)
        else:
            value, text = strict_json.loads(raw)
        return _ask(request, chat_shape.check(value), text)
    except Refusal as refusal:
        blank = _ask(request, {}, text)
        is_of_the_head = refusal is request.problem
        raise await pipeline.refuse(
            identify, blank, refusal, started=request.started, is_for_anybody=is_of_the_head
        ) from None


async def _claim(request: Request, key: str, identify: KeyIdentity, ask: Ask) -> idempotency.Replay | None:
    """Hold the Idempotency-Key for this request, or return the answer the first one got."""
    _, asker = await pipeline.look_up(identify, ask, started=request.started)
    assert asker.key is not None
    try:
        return await idempotency.claim(
            credential=asker.key.id,
            route=ROUTE,
            key=idempotency.check_key(key),
            body=ask.body,
            request=request.id,
            client_address=request.client_address,
        )
    except Refusal as refusal:
        raise await pipeline.refuse(identify, ask, refusal, started=request.started) from None


async def _send_replay(request: Request, send: Send, ask: Ask, replay: idempotency.Replay) -> None:
    headers: Headers = [
        (b"x-facet-idempotent-replay", b"true"),
        (b"x-facet-original-request-id", request_id(replay.request).encode()),
    ]
    if not ask.is_stream:
        await send_json(send, request, 200, orjson.dumps(replay.answer), headers)
        return
    headers = [*_STREAM, *common_headers(request)[:-1], *headers]
    request.is_answered = True
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": as_stream(replay.answer, include_usage=ask.include_usage)})


def _ask(request: Request, body: dict[str, object], text: str) -> Ask:
    options = body.get("stream_options")
    return Ask(
        id=request.id,
        at=request.at,
        type=EventType.CHAT.value,
        model=str(body.get("model", "")),
        body=body,
        text=text,
        is_stream=bool(body.get("stream")),
        include_usage=bool(isinstance(options, dict) and options.get("include_usage")),
        is_legacy='"function' in text and chat_shape.uses_functions(body),
        surface="api",
        route=ROUTE,
        client_address=request.client_address,
        client_request_id=request.client_request_id,
    )


def _call_headers(request: Request, call: Call) -> Headers:
    moment = time.perf_counter()
    headers = {
        "x-facet-model-version": call.plan.version.label,
        "x-facet-overhead-ms": f"{overhead_seconds(call, moment) * 1000:.2f}",
        "openai-processing-ms": str(round((moment - call.started) * 1000)),
        **rate_limit_headers(call.remaining, call.plan.ask.at),
    }
    if call.is_closed:
        headers["x-facet-cost"] = f"{call.cost_micros / 1_000_000:.6f}"
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]


async def _answer(request: Request, send: Send, call: Call) -> None:
    try:
        body = await pipeline.answer(call)
    except ProviderError as error:
        await send_failure(send, request, error)
        return
    await send_json(send, request, 200, body, _call_headers(request, call))


class _Body:
    """The response of one stream: its start, its frames, its end."""

    def __init__(self, request: Request, send: Send, call: Call, watch: Watch) -> None:
        self._request, self._send, self._call, self._watch = request, send, call, watch
        self.is_started = False

    async def start(self) -> None:
        self.is_started = self._request.is_answered = True
        headers = [*_STREAM, *common_headers(self._request)[:-1], *_call_headers(self._request, self._call)]
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
        await self._send({"type": "http.response.body", "body": _PING, "more_body": True})

    async def fail(self, error: ProviderError) -> None:
        if not self.is_started:
            await send_failure(self._send, self._request, error)
            return
        _, body, _ = failure_parts(error)
        await self.write(b"data: " + orjson.dumps(body) + b"\n\n")
        await self.end()

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})


async def _stream(request: Request, send: Send, call: Call, watch: Watch) -> None:
    body = _Body(request, send, call, watch)
    watch.on_silence(body.beat)
    try:
        async with aclosing(await pipeline.stream(call)) as frames:
            if not body.is_started:
                await body.start()
            async for frame in frames:
                await body.write(frame)
        await body.end()
    except ProviderError as error:
        await body.fail(error)
    except asyncio.CancelledError:
        if body.is_started and not call.has_client_left:
            said = error_body("The key's access ended during the answer.", kind="permission_error", code=call.cut_off)
            if not call.cut_off:
                said = error_body("The console is restarting; try again.", kind="api_error", code="shutting_down")
            await send({"type": "http.response.body", "body": b"data: " + orjson.dumps(said) + b"\n\n"})
        raise
