"""Plan a call and have it admitted: everything that must be true before a byte leaves the house."""

import time

from django.conf import settings

from console.audit.redaction import prepare_payload
from console.core.errors import Refusal
from console.gateway.agents import with_agent
from console.gateway.entries import Begin
from console.gateway.limits import quota_refused, refusal_fields, remaining_after
from console.gateway.plan import make_plan
from console.gateway.prompting import prompted
from console.gateway.refusing import TRIES, Identify, changing_too_fast, record_refusal
from console.gateway.running import Gateway, gateway
from console.gateway.types import Ask, Asker, Call, Plan, Remaining


async def admit(
    here: Gateway, identify: Identify, ask: Ask, began: float, *, step: int = 0, has_input: bool | None = None
) -> tuple[Plan, list[Remaining]]:
    """Return the plan of an admitted call, and what its limits leave; raise Refusal otherwise, which is on record then.

    `identify` resolves the credentials against a snapshot. It is asked again with the plan when the snapshot was stale,
    so a revoked key is refused by the very next call. `step` is the place in the fallback chain; from the second on
    the input is in the log already, unless `has_input` says otherwise.
    """
    snapshot = here.snapshots.current or await here.snapshots.get()
    if has_input is None:
        has_input = step > 0  # a copy for a shadow has its own
    for _ in range(TRIES):
        asker: Asker | None = None
        filled = ask
        try:
            asker = identify(snapshot)
            filled = with_agent(snapshot, asker, ask)
            if "prompt" in filled.body:
                filled = await prompted(snapshot, asker, filled)
            plan = make_plan(snapshot, asker, filled, default_output=settings.GATEWAY_MAX_OUTPUT_TOKENS, step=step)
        except Refusal as refusal:
            if await record_refusal(here, snapshot, asker, filled, refusal, began, has_input=has_input):
                snapshot = await here.snapshots.newer_than(snapshot)
                continue
            raise
        kept = prepare_payload(filled.text)
        plan.record["input_sha256"] = kept.stored_sha256.hex()
        fields = tuple(refusal_fields(charge) for charge in plan.charges)
        verdict = await here.ledger.begin(
            Begin(plan.epoch, plan.record, plan.charges, input=None if has_input else kept, refusals=fields)
        )
        if verdict.is_stale:
            snapshot = await here.snapshots.newer_than(snapshot)
            continue
        if verdict.refused_by is not None:
            raise quota_refused(plan, verdict)
        return plan, remaining_after(plan, verdict)
    raise changing_too_fast()


async def open_call(identify: Identify, ask: Ask, *, started: float | None = None) -> Call:
    """Make everything true that must be true before a byte leaves the house; raise Refusal otherwise."""
    began = started or time.perf_counter()
    here = gateway()
    plan, remaining = await admit(here, identify, ask, began)
    return Call(here=here, plan=plan, identify=identify, started=began, remaining=remaining)
