"""/v1/messages/batches in Anthropic's shape: batches of messages, made from one request instead of a file.

They are batches like those of /v1/batches: the same rows, pages, limits and log. An id is `msgbatch_…` here and
`batch_…` there.
"""

import asyncio
import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

import orjson
from django.conf import settings
from django.db import transaction

from console.api.v1 import rows, uploads
from console.api.v1.files import creator_of
from console.api.v1.once import digest, once
from console.api.v1.request import Request
from console.api.v1.sending import Send, common_headers, send_json, their_error
from console.audit.models import EventType
from console.batches import access, queries, storage
from console.batches.models import Batch, File, State
from console.batches.services.batches import cancel_batch, delete_batch
from console.batches.services.files import read_file
from console.batches.services.messages import ENDPOINT, create_batch_of_messages
from console.core.errors import BadInput, Conflict, NotFound, Refusal
from console.core.json_stream import elements
from console.core.parsing import number

ROUTE = "/v1/messages/batches"
PREFIX = "msgbatch_"
_ONE = f"{ROUTE}/{{message_batch_id}}"
_USUAL, _MOST = 20, 1000
_PIECE = 64 * 1024
# What became of the lines that were never sent, by how their batch ended. Those of a failed one are errors.
_UNSENT = {"batch_cancelled": "canceled", "batch_expired": "expired"}
_UNSENT_STATES = {State.CANCELLED: "canceled", State.EXPIRED: "expired"}


def _moment(at: dt.datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at is not None else None


def shapes(batches: Iterable[Batch]) -> list[dict[str, Any]]:
    """Return batches as Anthropic's clients know them. One query for whether their results are still there."""
    batches = list(batches)
    file_ids = {pk for batch in batches for pk in (batch.output_file_id, batch.error_file_id) if pk is not None}
    there = set(File.objects.filter(pk__in=file_ids).values_list("pk", flat=True)) if file_ids else set()
    return [_shape(batch, bool({batch.output_file_id, batch.error_file_id} & there)) for batch in batches]


def _shape(batch: Batch, has_results: bool) -> dict[str, Any]:
    is_canceling = batch.ends_as == State.CANCELLED and not batch.is_over
    status = "ended" if batch.is_over else "canceling" if is_canceling else "in_progress"
    name = f"{PREFIX}{batch.pk.hex}"
    return {
        "id": name,
        "type": "message_batch",
        "processing_status": status,
        "request_counts": _counts(batch),
        "created_at": _moment(batch.created_at),
        "expires_at": _moment(batch.expires_at),
        "cancel_initiated_at": _moment(batch.cancelling_at),
        "ended_at": _moment(batch.ended_at),
        "archived_at": _moment(batch.archived_at),
        "results_url": f"{settings.BASE_URL}{ROUTE}/{name}/results" if batch.is_over and has_results else None,
    }


def _counts(batch: Batch) -> dict[str, int]:
    """Count requests by what came of them. All are `processing` until the last is over, as at Anthropic."""
    counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    if not batch.is_over:
        return counts | {"processing": batch.total}
    counts |= {"succeeded": batch.completed, "errored": batch.failed}
    counts[_UNSENT_STATES.get(State(batch.state), "errored")] += batch.total - batch.completed - batch.failed
    return counts


async def create(request: Request, send: Send) -> None:
    client = await rows.authenticate(request, EventType.BATCHES.value, ROUTE)
    limit = settings.BATCH_BODY_BYTES
    too_large = f"The body is larger than {limit:,} bytes; send the requests in several batches."
    with uploads.spool() as body:
        try:
            await uploads.receive_json(request, body, limit=limit, too_large=too_large)
        except Refusal as refusal:
            raise await client.refuse(refusal) from None

        def requests() -> Iterator[Any]:
            return elements(body, "requests", longest=settings.GATEWAY_BODY_BYTES)

        def create() -> dict[str, Any]:
            batch = create_batch_of_messages(
                creator=creator_of(client), requests=requests(), betas=request.betas, metadata=request.metadata
            )
            return shapes([batch])[0]

        answer = await client.do(once, client, lambda: _digest(requests()), create)
    await send_json(send, request, 200, answer.body, answer.headers)


def _digest(requests: Iterator[Any]) -> bytes:
    """Return the digest of a batch. One with too many requests is refused, and read no further than to know that."""
    hasher = hashlib.sha256()
    for item in islice(requests, settings.BATCH_MAX_LINES + 1):
        hasher.update(digest(item))
    return hasher.digest()


async def list_batches(request: Request, send: Send) -> None:
    client = await rows.authenticate(request, EventType.BATCHES.value, ROUTE)
    page = await client.do(_page, client)
    await send_json(send, request, 200, orjson.dumps(page), [])


def _page(client: rows.Client) -> dict[str, Any]:
    """Return a page, newest first: what comes after `after_id`, or what comes right before `before_id`."""
    parameters = dict(parse_qsl(client.request.query.decode("latin-1")))
    limit = number(parameters.get("limit", str(_USUAL)), 0)
    if not 1 <= limit <= _MOST:
        raise BadInput(f"limit is a number from 1 to {_MOST:,}.", param="limit")
    batches = access.batches_for(client.caller).filter(endpoint=ENDPOINT)
    if before := parameters.get("before_id"):
        newer = batches.filter(pk__gt=rows.identifier(before, PREFIX, "batch")).order_by("pk")
        following = list(newer[: limit + 1])
        page = following[:limit][::-1]
    else:
        if after := parameters.get("after_id"):
            batches = batches.filter(pk__lt=rows.identifier(after, PREFIX, "batch"))
        following = list(batches.order_by("-pk")[: limit + 1])
        page = following[:limit]
    data = shapes(page)
    return {
        "data": data,
        "has_more": len(following) > limit,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def _batch(client: rows.Client, name: str, to: str) -> Batch:
    batch = access.batch_for(client.caller, rows.identifier(name, PREFIX, "batch"), to=to)
    if batch.endpoint != ENDPOINT:
        raise NotFound("There is no such batch of messages; /v1/batches has the others.")
    return batch


async def retrieve(request: Request, send: Send, name: str) -> None:
    client = await rows.authenticate(request, EventType.BATCHES.value, _ONE)
    shape = await client.do(lambda: shapes([_batch(client, name, "see")])[0])
    await send_json(send, request, 200, orjson.dumps(shape), [])


async def cancel(request: Request, send: Send, name: str) -> None:
    client = await rows.authenticate(request, EventType.BATCHES.value, f"{_ONE}/cancel")

    def cancel() -> dict[str, Any]:
        batch = cancel_batch(actor=client.caller.actor, batch=_batch(client, name, "change"), surface="api")
        return shapes([batch])[0]

    await send_json(send, request, 200, orjson.dumps(await client.do(cancel)), [])


async def delete(request: Request, send: Send, name: str) -> None:
    client = await rows.authenticate(request, EventType.BATCHES.value, _ONE)

    def delete() -> dict[str, Any]:
        batch = _batch(client, name, "change")
        delete_batch(actor=client.caller.actor, batch=batch, surface="api")
        return {"id": f"{PREFIX}{batch.pk.hex}", "type": "message_batch_deleted"}

    await send_json(send, request, 200, orjson.dumps(await client.do(delete)), [])


async def results(request: Request, send: Send, name: str) -> None:
    """Send what came of each request, a line each, read and told a piece at a time."""
    client = await rows.authenticate(request, EventType.BATCHES.value, f"{_ONE}/results")
    files = await client.do(_files_to_read, client, name)
    headers = [(b"content-type", b"application/x-jsonl"), *common_headers(request)]
    request.is_answered = True
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    chunks = _results(files)
    while (chunk := await asyncio.to_thread(rows.with_database, next, chunks, None)) is not None:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@transaction.atomic
def _files_to_read(client: rows.Client, name: str) -> list[File]:
    """Return the files that hold a batch's results; that they are read is recorded."""
    batch = _batch(client, name, "see")
    if not batch.is_over:
        raise Conflict("The batch has not ended yet; its results come when it has.", code="batch_in_progress")
    files = queries.existing_files(batch)
    found = [access.result_for(client.caller, batch, what) for what in ("output", "errors") if what in files]
    if not found:
        raise NotFound("The results of this batch are gone: files are kept for FILE_KEEP_DAYS.")
    for file in found:
        read_file(actor=client.caller.actor, file=file, team=batch.team, surface="api")
    return found


def _results(files: list[File]) -> Iterator[bytes]:
    """Yield what files say as results. No length was announced, so Gone breaks an answer off that would look whole."""
    waiting = bytearray()
    for file in files:
        for line in storage.raw_lines(file.pk, longest=file.bytes, size=file.bytes):
            waiting += _result_line(orjson.loads(line.body)) + b"\n"
            if len(waiting) >= _PIECE:
                yield bytes(waiting)
                waiting.clear()
    if waiting:
        yield bytes(waiting)


def _result_line(line: dict[str, Any]) -> bytes:
    """Return a line of an output or error file as a result of Anthropic's."""
    response, unsent = line["response"], line["error"]
    if response is not None and response["status_code"] == 200:
        result = {"type": "succeeded", "message": response["body"]}
    elif response is not None:
        _, error = their_error(response["status_code"], response["body"]["error"], response["request_id"])
        result = {"type": "errored", "error": error}
    elif unsent["code"] in _UNSENT:
        result = {"type": _UNSENT[unsent["code"]]}
    else:
        _, error = their_error(500, unsent | {"param": None}, "")
        result = {"type": "errored", "error": error | {"request_id": None}}
    return orjson.dumps({"custom_id": line["custom_id"], "result": result})
