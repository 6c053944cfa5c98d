"""`background: true` at /v1/responses: stored at once, answered by a worker, retrieved and cancelled by its id."""

import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import parse_qsl

import orjson
from django.conf import settings

from console.api import responses as stored_responses
from console.api.background import retrieval, services, shapes
from console.api.models import BackgroundResponse
from console.api.v1 import rows
from console.api.v1.once import Answer, digest, earlier, once
from console.api.v1.request import Headers, Request
from console.api.v1.sending import Send, dropped_header, send_json
from console.api.v1.stream import stream_headers
from console.api.v1.waits import waiting
from console.core import sse
from console.core.errors import BadInput, Conflict, NotAllowed, Refusal
from console.core.ids import time_of, uuid7
from console.core.parsing import number
from console.gateway import pipeline
from console.gateway.identity import KeyIdentity, StartedByKey
from console.gateway.preflight import preflight
from console.gateway.types import Ask

_LOOK_SECONDS = 0.2


async def create(
    request: Request, send: Send, identify: KeyIdentity, ask: Ask, going_on: Callable[[], Awaitable[Ask]]
) -> None:
    """Take a response on: all that can be said against it now is said now. `going_on` asks for what was said before.

    What was taken on under the same Idempotency-Key stays so, whatever is said against it by now.
    """
    headers: Headers = []
    if (earlier_answer := await _earlier(request, identify, ask)) is not None:
        client, answer = earlier_answer
    else:
        plan = await preflight(identify, replace(await going_on(), response_id=ask.id), started=request.started)
        client, headers = rows.Client(request, identify, ask, plan.asker), dropped_header(plan.dropped)
        answer = await client.do(_make, client)
    name = orjson.loads(answer.body)["id"]
    if answer.headers:
        await client.do(_check_there, name)
    if ask.is_stream:
        await follow(request, send, client, name, -1, [*headers, *answer.headers])
    else:
        await send_json(send, request, 200, answer.body, [*headers, *answer.headers])


async def _earlier(request: Request, identify: KeyIdentity, ask: Ask) -> tuple[rows.Client, Answer] | None:
    if request.idempotency_key is None:
        return None
    _, asker = await pipeline.look_up(identify, ask, started=request.started)
    client = rows.Client(request, identify, ask, asker)
    answer = await client.do(earlier, client, lambda: digest(ask.body))
    return (client, answer) if answer is not None else None


def _make(client: rows.Client) -> Answer:
    ask = client.ask
    return once(client, lambda: digest(ask.body), lambda: shapes.unanswered(services.create(ask, client.asker)))


def _check_there(name: str) -> None:
    if not BackgroundResponse.objects.filter(pk=uuid.UUID(hex=name.removeprefix(stored_responses.PREFIX))).exists():
        raise Conflict(
            f"The response {name} was deleted, or is not kept any more, so it is not given again; use a new key.",
            param="Idempotency-Key",
            code="idempotency_answer_gone",
            headers={"x-should-retry": "false"},
        )


async def find(client: rows.Client, name: str) -> tuple[BackgroundResponse, bool] | None:
    return await client.do(stored_responses.in_background, client.caller, name)


def starting_after(request: Request) -> int | None:
    """Return after which event a caller wants to follow a response, None where it does not."""
    query = dict(parse_qsl(request.query.decode("latin-1")))
    if query.get("stream", "").lower() != "true":
        return None
    if not query.get("starting_after"):
        return -1
    after = number(query["starting_after"], None)
    if after is None:
        raise BadInput("starting_after is the sequence_number of an event.", param="starting_after")
    return after


async def follow(
    request: Request,
    send: Send,
    client: rows.Client,
    name: str,
    after: int,
    headers: Headers | None = None,
    *,
    waits: bool = False,
) -> None:
    """Send the events of a response after a number until it is over.

    They are read from rows, so whoever is cut off asks again from the last number it saw. A stream whose process stops
    ends without the last event; one whose key's access ends says so.
    """
    latest = await client.do(retrieval.heard, client.caller, name, after, waits=waits)
    request.is_answered = True
    head = stream_headers(request, headers)
    await send({"type": "http.response.start", "status": 200, "headers": head})
    beat = time.monotonic()
    async with waiting(request.receive) as pause:
        try:
            while True:
                if latest.frames or time.monotonic() - beat > settings.GATEWAY_HEARTBEAT_SECONDS:
                    beat = time.monotonic()
                    frames = latest.frames or sse.PING
                    await send({"type": "http.response.body", "body": frames, "more_body": True})
                if not latest.goes_on:
                    break
                await pause(_LOOK_SECONDS)
                if pause.is_over:
                    break
                client = client.refreshed()
                latest = await client.do(retrieval.heard, client.caller, name, latest.last, waits=waits)
        except Refusal as refusal:
            event = {"type": "error", "code": refusal.code, "message": refusal.message, "param": None}
            frame = sse.frame({**event, "sequence_number": latest.last + 1}, "error")
            await send({"type": "http.response.body", "body": frame, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


class Cancelled(Conflict):
    """What the log says of a call that was cancelled before there was one."""

    code = "cancelled"


async def cancel(request: Request, send: Send, client: rows.Client, name: str) -> None:
    background_row = await find(client, name)
    if background_row is None:
        await client.do(_not_open, client, name)
        return
    row, is_own = background_row
    if not is_own and not client.caller.may("manage_keys", row.team_id):
        raise await client.refuse(
            NotAllowed("Only who asked for a response, or may manage the team's keys, cancels it.")
        )
    row, body = await client.do(services.cancel, client.caller, row)
    if body and row.request_id is None and row.key_id is not None:
        await _record_unmade(row, body)
    if not body and row.run_id is None:  # it was cancelled before, and what it said until then is told
        await client.do(stored_responses.note_reading, client.caller, row, is_own, part="response")
    await send_json(send, request, 200, orjson.dumps(await client.do(retrieval.object_of, row)), [])


def _not_open(client: rows.Client, name: str) -> None:
    stored_responses.find(client.caller, name)
    raise BadInput("Only a response in the background can be cancelled; this one is over.", param="response_id")


async def _record_unmade(row: BackgroundResponse, body: str) -> None:
    """Have the log say of a call that it was asked for and never made."""
    assert row.key_id is not None
    id = row.pk if row.fence == 1 else uuid7()  # nobody had it before who cancelled it
    row.body = body
    ask = shapes.ask_of(row, shapes.body_of(row), id=id, at=time_of(id))
    identify = StartedByKey(row.key_id, row.client_address, ask.at)
    await pipeline.refuse(identify, ask, Cancelled("It was cancelled before its turn came."))
