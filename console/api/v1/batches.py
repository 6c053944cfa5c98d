"""/v1/batches in OpenAI's format: create, list, retrieve, cancel."""

from typing import Any

import orjson

from console.api.v1 import files as file_face
from console.api.v1 import rows
from console.api.v1.once import digest, once
from console.api.v1.request import Request, read_json
from console.api.v1.sending import Send, send_json
from console.audit.models import EventType
from console.batches import access
from console.batches.models import Batch
from console.batches.services.batches import WINDOW, cancel_batch, create_batch
from console.core.errors import BadInput, Refusal

ROUTE = "/v1/batches"
PREFIX = "batch_"


def _file_id(file_id: Any) -> str | None:
    return f"{file_face.PREFIX}{file_id.hex}" if file_id is not None else None


def shape(batch: Batch) -> dict[str, Any]:
    return {
        "id": batch.public_id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "model": None,
        "errors": {"object": "list", "data": batch.errors} if batch.errors else None,
        "input_file_id": _file_id(batch.input_file_id),
        "completion_window": batch.completion_window,
        "status": batch.state,
        "output_file_id": _file_id(batch.output_file_id),
        "error_file_id": _file_id(batch.error_file_id),
        "created_at": rows.unix(batch.created_at),
        "in_progress_at": rows.unix(batch.in_progress_at),
        "expires_at": rows.unix(batch.expires_at),
        "finalizing_at": rows.unix(batch.finalizing_at),
        "completed_at": rows.unix(batch.completed_at),
        "failed_at": rows.unix(batch.failed_at),
        "expired_at": rows.unix(batch.expired_at),
        "cancelling_at": rows.unix(batch.cancelling_at),
        "cancelled_at": rows.unix(batch.cancelled_at),
        "request_counts": {"total": batch.total, "completed": batch.completed, "failed": batch.failed},
        "usage": {
            "input_tokens": batch.prompt_tokens,
            "input_tokens_details": {"cached_tokens": batch.cached_tokens},
            "output_tokens": batch.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": batch.reasoning_tokens},
            "total_tokens": batch.prompt_tokens + batch.completion_tokens,
        },
        "metadata": batch.metadata or None,
    }


async def create(request: Request, send: Send) -> None:
    client = await rows.authenticate(request, EventType.BATCHES.value, ROUTE)
    try:
        body, _ = await read_json(request)
        if not isinstance(body, dict):
            raise BadInput("The body must be a JSON object.")
        for name in ("input_file_id", "endpoint", "completion_window"):
            if not isinstance(body.get(name), str):
                raise BadInput(f"{name} is missing; it is a text.", param=name)
    except Refusal as refusal:
        raise await client.refuse(refusal) from None

    metadata = body.get("metadata") or {}
    if request.metadata and isinstance(metadata, dict):
        metadata = request.metadata | metadata

    def create() -> dict[str, Any]:
        file_id = rows.identifier(body["input_file_id"], file_face.PREFIX, "file")
        batch = create_batch(
            creator=file_face.creator_of(client),
            file=access.file_for(client.caller, file_id, to="read"),
            endpoint=body["endpoint"],
            window=body.get("completion_window", WINDOW),
            metadata=metadata,
        )
        return shape(batch)

    answer = await client.do(once, client, lambda: digest(body), create)
    await send_json(send, request, 200, answer.body, answer.headers)


async def list_batches(request: Request, send: Send) -> None:
    client = await rows.authenticate(request, EventType.BATCHES.value, ROUTE)

    def read() -> dict[str, Any]:
        by = rows.paging(request, usual=20, most=100)
        return rows.page(access.batches_for(client.caller), by, PREFIX, "batch", shape)

    await send_json(send, request, 200, orjson.dumps(await client.do(read)), [])


def _batch(client: rows.Client, name: str, to: str) -> Batch:
    return access.batch_for(client.caller, rows.identifier(name, PREFIX, "batch"), to=to)


async def retrieve(request: Request, send: Send, name: str) -> None:
    client = await rows.authenticate(request, EventType.BATCHES.value, f"{ROUTE}/{{batch_id}}")
    await send_json(send, request, 200, orjson.dumps(shape(await client.do(_batch, client, name, "see"))), [])


async def cancel(request: Request, send: Send, name: str) -> None:
    client = await rows.authenticate(request, EventType.BATCHES.value, f"{ROUTE}/{{batch_id}}/cancel")

    def cancel() -> Batch:
        return cancel_batch(actor=client.caller.actor, batch=_batch(client, name, "change"), surface="api")

    await send_json(send, request, 200, orjson.dumps(shape(await client.do(cancel))), [])
