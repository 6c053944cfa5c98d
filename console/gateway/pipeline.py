"""One request: open, relay, close. Every face of the console ends up here.

open    plan from the snapshot, then one batched statement: epoch, quotas, start record. Refusals are raised here.
relay   call the provider; its bytes pass through, no database connection is held
close   settle and write the end record, exactly once, however the call ended
"""

import time

from django.conf import settings

from console.audit.redaction import prepare_payload
from console.core.errors import Refusal
from console.gateway.ledger import Begin
from console.gateway.limits import quota_refused, refusal_fields, remaining_after
from console.gateway.plan import make_plan
from console.gateway.prompting import prompted
from console.gateway.refusing import TRIES, Identify, changing_too_fast, look_up, record_refusal, refuse
from console.gateway.relay import Frames, answer, stream
from console.gateway.running import gateway, stop
from console.gateway.types import Ask, Asker, Call

__all__ = ["Frames", "Identify", "answer", "gateway", "look_up", "open_call", "refuse", "stop", "stream"]


async def open_call(identify: Identify, ask: Ask, *, started: float | None = None) -> Call:
    """Make everything true that must be true before a byte leaves the house; raise Refusal otherwise.

    `identify` resolves the credentials against a snapshot. It is asked again with the plan when the snapshot was stale,
    so a revoked key is refused by the very next call.
    """
    began = started or time.perf_counter()
    here = gateway()
    snapshot = await here.snapshots.get()
    for _ in range(TRIES):
        asker: Asker | None = None
        try:
            asker = identify(snapshot)
            filled = await prompted(snapshot, asker, ask)
            plan = make_plan(snapshot, asker, filled, default_output=settings.GATEWAY_MAX_OUTPUT_TOKENS)
        except Refusal as refusal:
            if await record_refusal(here, snapshot, asker, ask, refusal, began):
                snapshot = await here.snapshots.newer_than(snapshot)
                continue
            raise
        kept = prepare_payload(filled.text)
        plan.record["input_sha256"] = kept.stored_sha256.hex()
        fields = tuple(refusal_fields(charge) for charge in plan.charges)
        verdict = await here.ledger.begin(Begin(plan.epoch, plan.record, plan.charges, input=kept, refusals=fields))
        if verdict.is_stale:
            snapshot = await here.snapshots.newer_than(snapshot)
            continue
        if verdict.refused_by is not None:
            raise quota_refused(plan, verdict)
        call = Call(plan=plan, started=began, remaining=remaining_after(plan, verdict))
        return call
    raise changing_too_fast()
