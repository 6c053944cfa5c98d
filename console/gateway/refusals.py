"""Record refusals: a call that is refused before it is open has a record in the log as every other."""

import time
import uuid
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

import orjson

from console.audit.redaction import prepare_payload
from console.core.clock import now
from console.core.errors import Refusal, Unavailable
from console.core.ids import request_id, uuid7
from console.gateway.entries import Begin
from console.gateway.identity import KeyRefused
from console.gateway.record import of_ask, of_asker
from console.gateway.runtime import Gateway, current_gateway
from console.gateway.snapshot import Snapshot
from console.gateway.types import Ask, Asker
from console.teams import refusals

Identify = Callable[[Snapshot], Asker]

# A plan that is stale this often in a row, and for so many seconds, means that something changes settings in a loop.
# Both must be reached: a busy machine reads settings so slowly that a few changes make several plans stale.
TRIES, PATIENCE_SECONDS = 8, 10.0


def planning_attempts() -> Iterator[None]:
    """Yield once for each attempt at making a plan."""
    yield from repeat(None, TRIES)
    until = time.perf_counter() + PATIENCE_SECONDS
    while time.perf_counter() < until:
        yield


def changing_too_fast() -> Unavailable:
    return Unavailable("The settings are changing faster than requests can be planned; try again.", retry_after=1)


def as_attempt(request: uuid.UUID) -> dict[str, Any]:
    """Return what makes a record that of an attempt: an id of its own, and the request it was for."""
    return {"id": uuid7(), "detail": orjson.dumps({"attempt_of": request_id(request)}).decode()}


async def record_refusal(
    gateway: Gateway,
    snapshot: Snapshot,
    asker: Asker | None,
    ask: Ask,
    refusal: Refusal,
    began: float,
    *,
    has_input: bool = False,
    is_attempt: bool = False,
) -> bool:
    """Record a refusal. Return True, with nothing written, if the snapshot it was decided on is stale.

    Unknown keys are counted, not recorded: a malformed one without asking the database, others after making sure that
    they were not created a moment ago. With `has_input` the input is in the log already; with `is_attempt` the call may
    fall back to another version.
    """
    if isinstance(refusal, KeyRefused) and refusal.is_noise:
        if refusal.reason == "unknown" and await gateway.ledger.epoch() != snapshot.epoch:
            return True
        refusals.note(refusal.reason, client_address=ask.client_address)
        return False
    record = {
        **of_ask(ask),
        "alias": ask.model[:200],
        "epoch": snapshot.epoch,
        "status": "refused",
        "http_status": refusal.status,
        "code": refusal.code,
        "reason": (getattr(refusal, "reason", "") or refusal.message)[:500],
        "closed_at": now(),
        "latency_us": round((time.perf_counter() - began) * 1_000_000),
        **getattr(refusal, "record", {}),
        **(of_asker(asker) if asker is not None else {}),
        **(as_attempt(ask.id) if is_attempt else {}),
    }
    payload = prepare_payload(ask.text) if asker is not None and ask.text else None
    if payload is not None:
        record["input_sha256"] = payload.stored_sha256.hex()
    begin = Begin(
        epoch=snapshot.epoch,
        id=ask.id,
        at=ask.at,
        record=orjson.dumps(record),
        is_refusal=True,
        input=None if has_input else payload,
    )
    return (await gateway.ledger.begin(begin)).is_stale


async def refuse(
    identify: Identify, ask: Ask, refusal: Refusal, *, started: float | None = None, is_for_anybody: bool = False
) -> Refusal:
    """Record a refusal decided by a face (a malformed body, say) and return what to answer.

    A caller with bad credentials is told only that, unless the refusal `is_for_anybody` (two keys at once, say) and
    none of our keys is concerned.
    """
    began = started or time.perf_counter()
    gateway = current_gateway()
    snapshot = await gateway.snapshots.get()
    for _ in planning_attempts():
        asker, answer = None, refusal
        try:
            asker = identify(snapshot)
        except KeyRefused as first:
            if is_for_anybody and first.is_noise:
                if first.reason == "unknown" and await gateway.ledger.epoch() != snapshot.epoch:
                    snapshot = await gateway.snapshots.newer_than(snapshot)
                    continue
                refusals.note(refusal.code, client_address=ask.client_address)
                return refusal
            answer = first
        except Refusal as first:
            answer = first
        if not await record_refusal(gateway, snapshot, asker, ask, answer, began):
            return answer
        snapshot = await gateway.snapshots.newer_than(snapshot)
    return refusal


async def look_up(identify: Identify, ask: Ask, *, started: float | None = None) -> tuple[Snapshot, Asker]:
    """Return the snapshot and who asks, for a request without a model (a list of models); refusals are recorded."""
    began = started or time.perf_counter()
    gateway = current_gateway()
    snapshot = await gateway.snapshots.get()
    for _ in planning_attempts():
        if await gateway.ledger.epoch() != snapshot.epoch:
            snapshot = await gateway.snapshots.newer_than(snapshot)
            continue
        try:
            return snapshot, identify(snapshot)
        except Refusal as refusal:
            if not await record_refusal(gateway, snapshot, None, ask, refusal, began):
                raise
            snapshot = await gateway.snapshots.newer_than(snapshot)
    raise changing_too_fast()
