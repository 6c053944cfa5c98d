"""Plan a call and have it admitted: everything that must be true before a byte leaves the house."""

import time

from console.audit.redaction import prepare_payload
from console.core.cached_settings import settings
from console.core.errors import BadInput, Refusal
from console.gateway.affording import check_room
from console.gateway.entries import Begin
from console.gateway.errors import NeedsRun, QuotaExceeded, Unpriced
from console.gateway.filling import Filling
from console.gateway.knowledge import informed, looks_up, uninformed
from console.gateway.limits import as_attempts, quota_refused, remaining_after
from console.gateway.plan import make_plan
from console.gateway.refusing import Identify, as_attempt, changing_too_fast, record_refusal, tries
from console.gateway.running import Gateway, gateway
from console.gateway.snapshot import Snapshot
from console.gateway.targets import is_fallback
from console.gateway.types import Ask, Asker, Call, Informed, Plan, Remaining

# What speaks against one version and not against the caller; of a fallback the call goes on to the next.
PASSED_OVER = (QuotaExceeded, Unpriced, BadInput)


async def admit(
    here: Gateway, identify: Identify, ask: Ask, began: float, *, step: int = 0, has_input: bool | None = None
) -> tuple[Plan, list[Remaining]]:
    """Return the plan of an admitted call, and what its limits leave; raise Refusal otherwise, which is on record then.

    `identify` resolves the credentials against a snapshot. It is asked again with the plan when the snapshot was stale,
    so a revoked key is refused by the very next call. `step` is the place in the fallback chain. Of a fallback the
    input is in the log already, and a refusal it can be passed over for leaves the line of an attempt; `has_input` says
    that the call is none, but another beside one that is open.
    """
    snapshot = here.snapshots.current or await here.snapshots.get()
    goes_on = has_input is None and is_fallback(step)
    if has_input is None:
        has_input = goes_on  # a copy for a shadow has its own
    known: Informed | None = None
    for _ in tries():
        filling = Filling(ask)
        try:
            asker = await filling.fill(identify, snapshot)
            filled = filling.ask
            if "knowledge" in filled.body:
                if known is None and looks_up(filled):  # what its own limits refuse is not searched for
                    await check_room(planned(snapshot, asker, uninformed(filled), step))
                filling.ask = filled = await informed(identify, asker, filled, known)
                known = filled.knowledge
            kept = prepare_payload(filled.text)
            plan = planned(snapshot, asker, filled, step, kept.stored_sha256.hex())
        except Refusal as refusal:
            if isinstance(refusal, NeedsRun) and ask.may_run:
                raise  # the run has lines of its own
            is_attempt = goes_on and isinstance(refusal, PASSED_OVER)
            if await record_refusal(
                here,
                snapshot,
                filling.asker,
                filling.ask,
                refusal,
                began,
                has_input=has_input,
                is_attempt=is_attempt,
            ):
                snapshot = await here.snapshots.newer_than(snapshot)
                continue
            raise
        verdict = await here.ledger.begin(
            Begin(  # in the order of its members, as all that each call makes: names take time
                plan.epoch,
                ask.id,
                ask.at,
                plan.record,
                asker.team.id,
                asker.key.id if asker.key is not None else None,
                as_attempts(plan.charges, as_attempt(ask.id)) if goes_on else plan.charges,
                False,
                None if has_input else kept,
            )
        )
        if verdict.is_stale:
            snapshot = await here.snapshots.newer_than(snapshot)
            continue
        if verdict.refused_by is not None:
            raise quota_refused(plan, verdict)
        return plan, remaining_after(plan, verdict)
    raise changing_too_fast()


def planned(snapshot: Snapshot, asker: Asker, ask: Ask, step: int, input_sha256: str = "") -> Plan:
    most = settings.GATEWAY_MAX_OUTPUT_TOKENS
    return make_plan(snapshot, asker, ask, input_sha256, most, step)


async def open_call(identify: Identify, ask: Ask, *, started: float | None = None, here: Gateway | None = None) -> Call:
    """Make everything true that must be true before a byte leaves the house; raise Refusal otherwise.

    `here` is the event loop's gateway, where the caller has it at hand.
    """
    began = started or time.perf_counter()
    here = here or gateway()
    plan, remaining = await admit(here, identify, ask, began)
    return Call(here, plan, identify, began, remaining)
