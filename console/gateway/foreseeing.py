"""What would become of a call that is to be made later, so that whoever asks for it hears at once what is wrong."""

import time

from console.core.errors import Refusal
from console.gateway.admitting import planned
from console.gateway.affording import check_room
from console.gateway.errors import NeedsRun
from console.gateway.filling import Filling
from console.gateway.knowledge import uninformed
from console.gateway.refusing import Identify, changing_too_fast, record_refusal, tries
from console.gateway.running import gateway
from console.gateway.types import Ask, Plan


async def foresee(identify: Identify, ask: Ask, *, started: float | None = None) -> Plan:
    """Return the plan a call would have now; raise Refusal otherwise, which is on record then.

    Nothing is admitted or looked up: when the call is made, all of it is asked again.
    """
    began, here = started or time.perf_counter(), gateway()
    snapshot = await here.snapshots.get()
    for _ in tries():
        if await here.ledger.epoch() != snapshot.epoch:
            snapshot = await here.snapshots.newer_than(snapshot)
            continue
        filling = Filling(ask)
        try:
            asker = await filling.fill(identify, snapshot)
            plan = planned(snapshot, asker, uninformed(filling.ask), 0)
            await check_room(plan)
        except Refusal as refusal:
            if isinstance(refusal, NeedsRun) and ask.may_run:
                raise
            if not await record_refusal(here, snapshot, filling.asker, filling.ask, refusal, began):
                raise
            snapshot = await here.snapshots.newer_than(snapshot)
        else:
            return plan
    raise changing_too_fast()
