"""Hedged requests: send an interactive call again if its first byte takes too long, and use the first answer.

Off unless GATEWAY_HEDGE_MS is set. The second request is a call of its own: admitted by the same quotas, with a
reservation and a line in the log. The loser's connection is closed and what it may have cost is settled as estimated.
Whoever wins ends under the request's id, which is the one the caller has; the loser's line names that request.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from console import outbound
from console.core.cached_settings import settings
from console.core.clock import now
from console.core.errors import ProviderError, Refusal
from console.core.ids import request_id, uuid7
from console.core.lanes import Lane
from console.gateway.admission import admit
from console.gateway.dispatch import send
from console.gateway.errors import AnswerUnrecorded
from console.gateway.targets import SHADOW_STEP
from console.gateway.types import Call

# Ends the attempt that lost: the call, and the error it lost with, if that was it.
EndLoser = Callable[[Call, ProviderError | None], Awaitable[None]]


def send_hedged(call: Call, end_loser: EndLoser) -> Awaitable[outbound.Reply]:
    """Send a call, and once more if its lane and the settings ask for it; the call becomes the one that won."""
    after = settings.GATEWAY_HEDGE_MS
    if not after or call.plan.lane != Lane.INTERACTIVE or call.plan.step == SHADOW_STEP:
        return send(call)
    return _send_twice(call, after / 1000, end_loser)


async def _send_twice(call: Call, after: float, end_loser: EndLoser) -> outbound.Reply:
    first = asyncio.create_task(send(call))
    try:
        await asyncio.wait({first}, timeout=after)
        second_call = None if first.done() else await _admit_second(call)
        if second_call is None:
            return await first
        return await _race(call, first, second_call, end_loser)
    except asyncio.CancelledError:
        await _drop(first)
        raise


async def _admit_second(call: Call) -> Call | None:
    """Return the second call; None where it is refused, which costs the first one nothing."""
    ask = replace(call.plan.ask, id=uuid7(), at=now())
    with suppress(Refusal):
        plan, remaining = await admit(
            call.gateway, call.identify, ask, time.perf_counter(), step=call.plan.step, has_input=True
        )
        # Its lane may be another one by now; it is open all the same, and somebody has to end it.
        return Call(
            gateway=call.gateway,
            plan=plan,
            identify=call.identify,
            started=call.started,
            remaining=remaining,
            notes={"hedge_of": request_id(call.plan.ask.id)},
        )
    return None


async def _race(
    call: Call, first: "asyncio.Task[outbound.Reply]", second_call: Call, end_loser: EndLoser
) -> outbound.Reply:
    second = asyncio.create_task(send(second_call))
    ending: asyncio.Future[None] | None = None
    try:
        while True:
            done, _ = await asyncio.wait({first, second} - _failed(first, second), return_when=asyncio.FIRST_COMPLETED)
            if len(_failed(first, second)) == 2 or any(task.exception() is None for task in done):
                break
        has_second_won = second.done() and second.exception() is None and (not first.done() or first.exception())
        winner, loser = (second, first) if has_second_won else (first, second)
        error = _error_of(loser)
        await _drop(loser)
        if has_second_won:
            _swap(call, second_call)
        ending = asyncio.ensure_future(end_loser(second_call, error))
        with suppress(AnswerUnrecorded):  # the sweeper ends it; whether the winner's answer is recorded, its end says
            await asyncio.shield(ending)
        return await winner
    except asyncio.CancelledError:
        # The caller may leave at any of these points: a call nobody ends would keep its reservation forever.
        await _drop(second)
        with suppress(AnswerUnrecorded):  # they have left all the same: the first attempt is to be dropped, too
            await asyncio.shield(ending or end_loser(second_call, None))
        raise


def _failed(*tasks: "asyncio.Task[outbound.Reply]") -> set["asyncio.Task[outbound.Reply]"]:
    return {task for task in tasks if task.done() and task.exception() is not None}


def _error_of(task: "asyncio.Task[outbound.Reply]") -> ProviderError | None:
    error = task.exception() if task.done() else None
    return error if isinstance(error, ProviderError) else None


async def _drop(task: "asyncio.Task[outbound.Reply]") -> None:
    """Close the connection of an attempt that lost, also when its answer came at the same moment."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled() and task.exception() is None:
        task.result().close()


def _swap(call: Call, winner: Call) -> None:
    """Let the call the face holds be the attempt that won, under the request's id, and the other one the loser."""
    ask, other = call.plan.ask, winner.plan.ask
    call.plan, winner.plan = replace(winner.plan, ask=ask), replace(call.plan, ask=replace(ask, id=uuid7()))
    call.reservation, winner.reservation = winner.reservation or other.id, call.reservation or ask.id
    for name in ("permit", "is_inside", "is_unused", "attempts", "remaining"):
        mine_now = getattr(call, name)
        setattr(call, name, getattr(winner, name))
        setattr(winner, name, mine_now)
    # What the first one kept us waiting for was the provider's time, not Facet's.
    call.sent_at, winner.sent_at = call.sent_at or winner.sent_at, call.sent_at
    call.notes, winner.notes = {"hedged": "second"}, {"hedge_of": request_id(ask.id)}
    call.attempts_before += winner.attempts
