"""After an error before the first byte: try the next version of the pin's fallback chain.

1. The failed attempt is closed: settled at what it cost, with a record of its own that names the request.
2. The call is planned again for the next version, under the newest settings, and passes quota admission again.
3. Its reservation, its start record and finally its end record carry the request's id, which the caller knows.

A fallback that is refused (the budget does not allow its price, or its provider does not support the request) is passed
over, with a record of its own. If none is left, the caller gets the provider's error, not our refusal: the call itself
was admitted, and a permanent 429 would make a client give up for something that may be over in a minute.
"""

import json
import time
from typing import TYPE_CHECKING

import orjson

from console.core.cached_settings import settings
from console.core.clock import now
from console.core.errors import ProviderError
from console.gateway.admission import PASSED_OVER, admit
from console.gateway.entries import Begin
from console.gateway.record import joined, links_of
from console.gateway.refusals import planning_attempts
from console.gateway.targets import chain, next_step

if TYPE_CHECKING:
    from console.catalog.shapes import PinShape
    from console.gateway.types import Call


def next_fallback(call: "Call", error: ProviderError) -> int | None:
    """Return the step to continue with after this error; None if the error goes to the caller.

    However long the chain, it takes no longer than one whole call may.
    """
    if call.cut_off or call.has_client_left or seconds_left(call) <= 0:
        return None
    return next_step(call.plan.step, call.plan.route, call.plan.pin, error, call.plan.ask)


def seconds_left(call: "Call") -> float:
    """Return how many seconds a call and all its attempts may still take."""
    return float(settings.GATEWAY_TOTAL_SECONDS) - (time.perf_counter() - call.started)


async def fall_back(call: "Call", step: int | None, error: ProviderError) -> None:
    """Open the call again for another version; raise `error` if none is admitted."""
    failed = call.plan
    while step is not None:
        try:
            plan, remaining = await admit(call.gateway, call.identify, failed.ask, call.started, step=step)
        except PASSED_OVER as refusal:
            call.passed_over[_version(failed.pin, step)] = refusal.message
            step = next_step(step, "", failed.pin, error, failed.ask) if seconds_left(call) > 0 else None
            continue
        call.fell_back_from = call.fell_back_from or failed.version.label
        call.attempts_before += call.attempts
        call.plan, call.remaining, call.reservation = plan, remaining, None
        call.attempts, call.is_unused, call.is_closed = 0, True, False  # nothing has been sent for this version yet
        return
    await _record_end(call, error)
    raise error


async def _record_end(call: "Call", error: ProviderError) -> None:
    """Write the record with the caller's request id. What the attempts used is in theirs."""
    gateway, plan = call.gateway, call.plan
    snapshot = await gateway.snapshots.get()
    end = {
        "id": plan.ask.id,
        "closed_at": now(),
        "status": "refused",
        "http_status": error.status,
        "code": error.code,
        "reason": f"{error.message} Every fallback was refused.",
        "prompt_tokens": 0,
        "cost_micros": 0,
        "latency_us": round((time.perf_counter() - call.started) * 1_000_000),
        "detail": json.dumps({"passed_over": call.passed_over, **_sources(call), **links_of(plan.ask)}),
    }
    record = joined(plan.record, orjson.dumps(end))
    for _ in planning_attempts():
        begin = Begin(snapshot.epoch, plan.ask.id, plan.ask.at, record, is_refusal=True)
        if not (await gateway.ledger.begin(begin)).is_stale:
            return
        snapshot = await gateway.snapshots.newer_than(snapshot)


def _sources(call: "Call") -> dict[str, object]:
    knowledge = call.plan.ask.knowledge
    return {} if knowledge is None else {"knowledge": knowledge.record}


def _version(pin: "PinShape", step: int) -> str:
    return (pin.version if step < 0 else chain(pin)[step - 1].version).label
