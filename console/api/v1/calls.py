"""A POST that calls a model: the same for every operation, from the body to the end of its answer or stream."""

import asyncio
from contextlib import aclosing
from functools import partial
from typing import Any, NamedTuple

import orjson

from console.api import idempotency
from console.api.v1 import agent_chat, anthropic_face, background, responses, responses_face, run_responses
from console.api.v1.asks import metadata_in
from console.api.v1.replay import as_stream
from console.api.v1.request import Request, read_json
from console.api.v1.sending import Send, error_body, send_failure, send_json, send_whole
from console.api.v1.stream import StreamBody, call_lines, error_frame, replay_headers, stream_headers
from console.api.v1.watch import Watch
from console.core.errors import NotAllowed, ProviderError, Refusal, Unavailable
from console.gateway import pipeline
from console.gateway.agents import PREFIX
from console.gateway.asks import end_user_of, make_ask
from console.gateway.errors import NeedsRun
from console.gateway.identity import KeyIdentity
from console.gateway.operations import OPERATIONS
from console.gateway.types import Ask, Call


class Route(NamedTuple):
    """An address of the wire format, and the operation it is."""

    path: str
    operation: str


CHAT = Route("/v1/chat/completions", "chat")
COMPLETION = Route("/v1/completions", "completion")
EMBEDDING = Route("/v1/embeddings", "embedding")
MESSAGE = Route("/v1/messages", "message")
RESPONSE = Route("/v1/responses", "response")
_RESTARTING = "The console is restarting; try again."


async def call_model(request: Request, send: Send, route: Route) -> None:
    identify = KeyIdentity(request.key, request.client_address, request.at)
    ask = await read_ask(request, identify, route)
    if ask.model.startswith(PREFIX) and await agent_chat.has_tools(ask):
        await _answer_by_run(request, send, identify, route, ask)
        return
    try:
        if route is RESPONSE and ask.body.get("background"):
            going_on = partial(responses.going_on, request, identify, ask)
            await background.create(request, send, identify, ask, going_on)
        elif (replay := await _claim(request, identify, ask)) is not None:
            await _send_replay(request, send, ask, replay)
        else:
            await _call(request, send, identify, route, ask)
    except NeedsRun:  # the agent got its tools a moment ago
        await _answer_by_run(request, send, identify, route, ask)


async def _call(request: Request, send: Send, identify: KeyIdentity, route: Route, ask: Ask) -> None:
    if route is RESPONSE:
        ask = await responses.going_on(request, identify, ask)
    gateway = pipeline.current_gateway()
    watch = Watch(request.receive, gateway.ticker)
    call = None
    try:
        call = await pipeline.open_call(identify, ask, started=request.started, gateway=gateway)
        watch.call = call
        if ask.is_stream:
            await _stream(request, send, call, watch)
        else:
            await _answer(request, send, call)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.uncancel():
            raise
        _say_why(request, call, watch)
    finally:
        watch.stop()


def _say_why(request: Request, call: Call | None, watch: Watch) -> None:
    """Refuse a request whose call was cancelled, unless its answer has begun: in mid-stream it was said there.

    The pipeline has recorded the end, whether the watch caused it or the process stops.
    """
    if request.is_answered:
        return
    if not watch.is_cut:
        raise Unavailable(_RESTARTING, code="shutting_down", retry_after=2) from None
    if call is not None and call.cut_off:
        raise NotAllowed("The key's access ended during the request.", code=call.cut_off) from None


async def _answer_by_run(request: Request, send: Send, identify: KeyIdentity, route: Route, ask: Ask) -> None:
    if route is RESPONSE:
        await run_responses.answer(request, send, identify, ask)
    else:
        await agent_chat.answer_by_run(request, send, ask)


async def read_ask(request: Request, identify: KeyIdentity, route: Route) -> Ask:
    """Return the checked body as an Ask. What cannot be one is refused on record, after the credentials are."""
    text = ""
    try:
        if request.problem is not None:
            raise request.problem
        value, text = await read_json(request)
        body = OPERATIONS[route.operation].check(value)
        return _ask(request, route, body, text)
    except Refusal as refusal:
        blank = _ask(request, route, {}, text)
        is_of_the_head = refusal is request.problem
        raise await pipeline.refuse(
            identify, blank, refusal, started=request.started, is_for_anybody=is_of_the_head
        ) from None


async def _claim(request: Request, identify: KeyIdentity, ask: Ask) -> idempotency.Replay | None:
    """Hold the request's Idempotency-Key, if it has one, for it; or return the answer the first one got."""
    if request.idempotency_key is None:
        return None
    _, asker = await pipeline.look_up(identify, ask, started=request.started)
    assert asker.key is not None
    try:
        return await idempotency.claim(
            credential=asker.key,
            route=ask.route,
            key=idempotency.check_key(request.idempotency_key),
            body=ask.body,
            request=request.id,
            client_address=request.client_address,
        )
    except Refusal as refusal:
        raise await pipeline.refuse(identify, ask, refusal, started=request.started) from None


async def _send_replay(request: Request, send: Send, ask: Ask, replay: idempotency.Replay) -> None:
    headers = replay_headers(replay)
    if not ask.is_stream:
        await send_json(send, request, 200, orjson.dumps(replay.answer), headers)
        return
    headers = stream_headers(request, headers)
    request.is_answered = True
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if request.speaks_messages:
        frames = anthropic_face.as_stream(replay.answer)
    elif request.speaks_responses:
        frames = responses_face.as_stream(replay.answer)
    else:
        frames = as_stream(replay.answer, include_usage=ask.include_usage)
    await send({"type": "http.response.body", "body": frames})


def _ask(request: Request, route: Route, body: dict[str, Any], text: str) -> Ask:
    return make_ask(
        route.operation,
        body,
        text=text,
        id=request.id,
        at=request.at,
        surface="api",
        route=route.path,
        lane=request.lane,
        is_keyed=request.idempotency_key is not None,
        may_run=route in (CHAT, RESPONSE),
        client_address=request.client_address,
        client_request_id=request.client_request_id,
        betas=request.betas if route is MESSAGE else (),
        trace_parent=request.trace_parent,
        end_user=end_user_of(route.operation, body),
        metadata=metadata_in(request, route.operation, body),
    )


async def _answer(request: Request, send: Send, call: Call) -> None:
    try:
        body = await pipeline.answer(call)
    except ProviderError as error:
        await send_failure(send, request, error)
        return
    await send_whole(send, request, 200, body, call_lines(call))


async def _stream(request: Request, send: Send, call: Call, watch: Watch) -> None:
    body = StreamBody(request, send, call, watch)
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
    except Refusal as refusal:  # a fallback that was not admitted, after a heartbeat
        if not body.is_started:
            raise
        await body.fail(ProviderError(refusal.message, status=refusal.status, code=refusal.code))
    except asyncio.CancelledError:
        if body.is_started and not call.has_client_left:
            status = 403
            content = error_body(
                "The key's access ended during the answer.", kind="permission_error", code=call.cut_off
            )
            if not call.cut_off:
                status = 503
                content = error_body(_RESTARTING, kind="api_error", code="shutting_down")
            await send({"type": "http.response.body", "body": error_frame(request, status, content, call)})
        raise
