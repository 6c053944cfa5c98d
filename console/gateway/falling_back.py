"""After trouble before the first byte: the next version of the pin's chain, admitted and priced anew.

1. The attempt that failed is closed: settled at what it cost, with a line of its own in the log that names the request.
2. The call is planned again for the next version, under the newest settings, and passes quota admission again.
3. Its reservation, its start record and at last its end record carry the request's id, which the caller knows.

A fallback that is refused (its price does not fit the budget, its provider cannot be told what is asked) is passed
over, with a line of its own. When none is left the caller hears of the trouble, not of our refusal: the call itself was
admitted, and a 429 for good would tell a client to stop for what a minute may mend.
"""

import json
import time
from typing import TYPE_CHECKING

import orjson

from console.core.cached_settings import settings
from console.core.clock import now
from console.core.errors import ProviderError
from console.gateway.admitting import PASSED_OVER, admit
from console.gateway.entries import Begin
from console.gateway.record import joined, leading_on
from console.gateway.refusing import tries
from console.gateway.targets import chain, next_step

if TYPE_CHECKING:
    from console.catalog.shapes import PinShape
    from console.gateway.types import Call


def following(call: "Call", error: ProviderError) -> int | None:
    """Return the step a call goes on with after this error; None when the error is the caller's to hear.

    However long the chain, nobody waits for it longer than for one whole call.
    """
    if call.cut_off or call.has_client_left or seconds_left(call) <= 0:
        return None
    return next_step(call.plan.step, call.plan.route, call.plan.pin, error, call.plan.ask)


def seconds_left(call: "Call") -> float:
    """Return how long a call and all its attempts may still take."""
    return float(settings.GATEWAY_TOTAL_SECONDS) - (time.perf_counter() - call.started)


async def go_on(call: "Call", step: int | None, error: ProviderError) -> None:
    """Turn a call whose attempt failed into one that is open again, for another version; raise `error` otherwise."""
    failed = call.plan
    while step is not None:
        try:
            plan, remaining = await admit(call.here, call.identify, failed.ask, call.started, step=step)
        except PASSED_OVER as refusal:
            call.passed_over[_version(failed.pin, step)] = refusal.message
            step = next_step(step, "", failed.pin, error, failed.ask) if seconds_left(call) > 0 else None
            continue
        call.fell_back_from = call.fell_back_from or failed.version.label
        call.attempts_before += call.attempts
        call.plan, call.remaining, call.reservation = plan, remaining, None
        call.attempts, call.is_unused, call.is_closed = 0, True, False  # nothing of it has been sent yet
        return
    await _end(call, error)
    raise error


async def _end(call: "Call", error: ProviderError) -> None:
    """Write the line the caller's request id finds. What the attempts used is on their own."""
    here, plan = call.here, call.plan
    snapshot = await here.snapshots.get()
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
        "detail": json.dumps({"passed_over": call.passed_over, **_sources(call), **leading_on(plan.ask)}),
    }
    record = joined(plan.record, orjson.dumps(end))
    for _ in tries():
        begin = Begin(snapshot.epoch, plan.ask.id, plan.ask.at, record, is_refusal=True)
        if not (await here.ledger.begin(begin)).is_stale:
            return
        snapshot = await here.snapshots.newer_than(snapshot)


def _sources(call: "Call") -> dict[str, object]:
    knowledge = call.plan.ask.knowledge
    return {} if knowledge is None else {"knowledge": knowledge.record}


def _version(pin: "PinShape", step: int) -> str:
    return (pin.version if step < 0 else chain(pin)[step - 1].version).label
