"""/v1/queues/{name}/items: add items to a queue of the key's team, and read their results."""

import hashlib
import time
import uuid
from typing import Any

import orjson

from agents_app import access
from agents_app.models import Queue, QueueItem
from agents_app.queries.run_state import run_said
from agents_app.services import queues as services
from agents_app.tools.queue.item_shape import queue_item
from console.api.idempotency import KeyReused, check_key
from console.api.v1 import rows
from console.api.v1.request import ClientGone, Request, read_json
from console.api.v1.sending import Send, send_json
from console.api.v1.waits import waiting
from console.audit.models import EventType
from console.core.errors import BadInput, NotAllowed, NotFound, Refusal
from console.core.parsing import number
from console.teams.models import Environment

ROUTE = "/v1/queues/{name}/items"
LONGEST_WAIT = 300
_LOOK_SECONDS = 0.5
_FIELDS = {"body", "dedupe_id", "callback_url"}
_OVER = {QueueItem.State.DONE, QueueItem.State.FAILED, QueueItem.State.PARKED}


def _queue(client: rows.Client, name: str) -> Queue:
    queue = Queue.objects.filter(team=client.asker.team.id, slug=name[:60], archived_at=None).first()
    if queue is None:
        raise NotFound(f"Your team has no queue {name[:60]!r}.", code="unknown_queue")
    return queue


def _visible_shape(client: rows.Client, item: QueueItem) -> dict[str, Any]:
    """Return an item as this key may see it: what came of it is for the key that put it, and for who may read content.

    A dedupe id is the whole team's and often easy to guess, so to name one is not to be told.
    """
    caller = client.caller
    is_told = item.put_by_id in caller.own_keys or access.may_read_items(caller, item.queue.team)
    return queue_item(item) | ({} if is_told else {"result": None})


async def put(request: Request, send: Send, name: str) -> None:
    client = await rows.authenticate(request, EventType.AGENT.value, ROUTE)
    try:
        body, _ = await read_json(request)
        if not isinstance(body, dict) or "body" not in body:
            raise BadInput("Send an object with body: the work, as JSON.", param="body")
        if unknown := sorted(body.keys() - _FIELDS):
            raise BadInput(f"{unknown[0][:60]!r} is not a field here.", param=unknown[0][:60])
        if not isinstance(body.get("dedupe_id", ""), str):
            raise BadInput("dedupe_id is a text.", param="dedupe_id")
        if not isinstance(body.get("callback_url", ""), str):
            raise BadInput("callback_url is a text.", param="callback_url")
        key = check_key(request.idempotency_key) if request.idempotency_key is not None else None
    except Refusal as refusal:
        raise await client.refuse(refusal) from None

    dedupe, is_keyed = body.get("dedupe_id"), False
    if dedupe is None and key is not None:  # a word of this line of keys, unlike a dedupe_id, which is the queue's
        digest = hashlib.sha256(f"{client.caller.first_key}\0{key}".encode()).hexdigest()
        dedupe, is_keyed = f"idempotency:{digest}", True

    def put() -> tuple[dict[str, Any], bool]:
        queue = _queue(client, name)
        if client.asker.environment == Environment.SANDBOX and services.is_served_in(queue, Environment.PRODUCTION):
            raise NotAllowed(f"A sandbox key puts nothing into {queue.slug}, which starts agents in production.")
        item, is_new = services.put(
            queue=queue,
            body=body["body"],
            put_by_name=client.caller.actor.name,
            put_by_id=client.caller.key_id,
            put_by_run=run_said(request.calling_run),
            dedupe_id=dedupe,
            callback_url=body.get("callback_url", ""),
        )
        if is_keyed and (item.body, item.callback_url) != (body["body"], body.get("callback_url", "")):
            raise KeyReused("This Idempotency-Key put something else; use a new key.", param="Idempotency-Key")
        return _visible_shape(client, item), is_new

    shape, is_new = await client.do(put)
    await send_json(send, request, 202 if is_new else 200, orjson.dumps(shape), [])


async def retrieve(request: Request, send: Send, name: str, item_id: str) -> None:
    """Return an item; with `?wait=` seconds, when it has ended, or then, or as soon as this process stops."""
    client = await rows.authenticate(request, EventType.AGENT.value, f"{ROUTE}/{{item_id}}")

    def read() -> QueueItem:
        identifier: uuid.UUID = rows.identifier(item_id, "item_", "item")
        rows_here = QueueItem.objects.select_related("queue__team").filter(queue=_queue(client, name))
        item = rows_here.filter(pk=identifier).first()
        if item is None:
            raise NotFound("There is no such item.")
        return item

    item = await client.do(read)
    latest = time.monotonic() + _wait_of(request)
    async with waiting(request.receive) as pause:
        while item.state not in _OVER and time.monotonic() < latest and not pause.is_stopping:
            await pause(_LOOK_SECONDS)
            if pause.has_left:
                raise ClientGone
            client = client.refreshed()
            item = await client.do(read)
    await send_json(send, request, 200, orjson.dumps(await client.do(_visible_shape, client, item)), [])


def _wait_of(request: Request) -> int:
    wait = number(rows.paging(request, usual=20, most=100).others.get("wait", "0"), -1)
    if not 0 <= wait <= LONGEST_WAIT:
        raise BadInput(f"wait is a number of seconds from 0 to {LONGEST_WAIT}.", param="wait")
    return wait
