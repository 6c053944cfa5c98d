"""Shadow copies: send a share of the calls to a pin's shadow version, to record and compare, never to return.

A copy is a call of its own with its own line in the log (type `shadow`), counted only by quotas for shadow copies.
Where no such quota counts a call, nobody said what its copy may cost, and none is made. It starts when its original is
answered, in the batch lane, and is dropped silently if there are too many.
"""

import asyncio
import logging
import time
from dataclasses import replace

import orjson

from console.audit.models import EventType
from console.core.clock import now
from console.core.errors import ProviderError, Refusal
from console.core.ids import request_id, uuid7
from console.gateway.admission import admit
from console.gateway.targets import SHADOW_STEP
from console.gateway.terms import limits_for
from console.gateway.types import Ask, Call
from usage_app.models import Metric

log = logging.getLogger(__name__)

_MOST_AT_ONCE = 32
_running: set["asyncio.Task[None]"] = set()


def copy_soon(call: Call) -> None:
    """Start the copy of an answered call, if it is among its pin's share. Waits for nothing, raises nothing."""
    shadow = call.plan.pin.shadow
    if shadow is None or call.plan.ask.type == EventType.SHADOW:
        return
    if call.plan.ask.id.int % 10_000 >= shadow[1] * 100 or len(_running) >= _MOST_AT_ONCE:
        return
    if not _has_budget(call):
        return
    task = asyncio.create_task(_copy(call))
    _running.add(task)
    task.add_done_callback(_running.discard)


def _has_budget(call: Call) -> bool:
    """Return whether a quota limits what copies of such calls use."""
    snapshot, plan = call.gateway.snapshots.current, call.plan
    if snapshot is None:
        return False
    agent = plan.ask.agent.slug if plan.ask.agent is not None else ""
    limits = limits_for(snapshot, plan.asker, plan.alias, agent, is_copy=True)
    return any(limit.metric != Metric.CONCURRENCY for limit in limits)


async def _copy(call: Call) -> None:
    from console.gateway.relay import answer  # which starts copies

    ask, began = _ask_again(call.plan.ask), time.perf_counter()
    try:
        plan, remaining = await admit(call.gateway, call.identify, ask, began, step=SHADOW_STEP)
        notes = {"shadow_of": request_id(call.plan.ask.id)}
        await answer(
            Call(
                gateway=call.gateway, plan=plan, identify=call.identify, started=began, remaining=remaining, notes=notes
            )
        )
    except (Refusal, ProviderError):
        pass  # on record as the copy's own end
    except Exception:
        log.exception("A shadow copy could not be sent.")


def _ask_again(ask: Ask) -> Ask:
    """Return the ask of the copy: the same body without streaming, an id and a time of its own."""
    body = {name: value for name, value in ask.body.items() if name not in {"stream", "stream_options"}}
    return replace(
        ask,
        id=uuid7(),
        at=now(),
        type=EventType.SHADOW.value,
        body=body,
        text=orjson.dumps(body).decode(),
        is_stream=False,
        include_usage=False,
        is_keyed=False,
        lane="batch",
    )


async def finished() -> None:
    """Wait for the copies in progress; for the end of a process."""
    if _running:
        await asyncio.wait(_running, timeout=5)
