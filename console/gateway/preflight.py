"""Check a call that is to be made later, so that whoever asks for it learns at once what is wrong."""

import time

from console.core.errors import Refusal
from console.gateway.admission import plan_call
from console.gateway.errors import NeedsRun
from console.gateway.expansion import Expansion
from console.gateway.headroom import check_headroom
from console.gateway.knowledge import without_knowledge
from console.gateway.refusals import Identify, changing_too_fast, planning_attempts, record_refusal
from console.gateway.runtime import current_gateway
from console.gateway.types import Ask, Plan


async def preflight(identify: Identify, ask: Ask, *, started: float | None = None) -> Plan:
    """Return the plan a call would have now; record and raise a Refusal otherwise.

    Nothing is admitted or searched: when the call is made, everything is checked again.
    """
    began, gateway = started or time.perf_counter(), current_gateway()
    snapshot = await gateway.snapshots.get()
    for _ in planning_attempts():
        if await gateway.ledger.epoch() != snapshot.epoch:
            snapshot = await gateway.snapshots.newer_than(snapshot)
            continue
        expansion = Expansion(ask)
        try:
            asker = await expansion.run(identify, snapshot)
            plan = plan_call(snapshot, asker, without_knowledge(expansion.ask), 0)
            await check_headroom(plan)
        except Refusal as refusal:
            if isinstance(refusal, NeedsRun) and ask.may_run:
                raise
            if not await record_refusal(gateway, snapshot, expansion.asker, expansion.ask, refusal, began):
                raise
            snapshot = await gateway.snapshots.newer_than(snapshot)
        else:
            return plan
    raise changing_too_fast()
