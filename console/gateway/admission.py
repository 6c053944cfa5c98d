"""Open a call: plan it, and have the ledger admit it. Nothing is sent before."""

import time

from console.audit.redaction import prepare_payload
from console.core.cached_settings import settings
from console.core.errors import BadInput, Refusal
from console.gateway.entries import Begin
from console.gateway.errors import NeedsRun, QuotaExceeded, Unpriced
from console.gateway.expansion import Expansion
from console.gateway.headroom import check_headroom
from console.gateway.knowledge import needs_search, with_knowledge, without_knowledge
from console.gateway.limits import as_attempts, quota_refused, remaining_after
from console.gateway.plan import make_plan
from console.gateway.refusals import Identify, as_attempt, changing_too_fast, planning_attempts, record_refusal
from console.gateway.runtime import Gateway, current_gateway
from console.gateway.snapshot import Snapshot
from console.gateway.targets import is_fallback
from console.gateway.types import Ask, Asker, Call, Plan, Remaining, Retrieved

# Refusals that concern one version, not the caller: if a fallback has one, the next is tried.
PASSED_OVER = (QuotaExceeded, Unpriced, BadInput)


async def admit(
    gateway: Gateway, identify: Identify, ask: Ask, began: float, *, step: int = 0, has_input: bool | None = None
) -> tuple[Plan, list[Remaining]]:
    """Return the plan of an admitted call and what its limits have left; record and raise a Refusal otherwise.

    `identify` resolves the credentials against a snapshot, and again when that turns out to be stale, so the very next
    call of a revoked key is refused. `step` is the place in the fallback chain. The input of a fallback is in the log
    already, and one that is passed over is recorded as an attempt. `has_input` is given for a call that is no fallback,
    but a second one beside an open call.
    """
    snapshot = gateway.snapshots.current or await gateway.snapshots.get()
    falls_back = has_input is None and is_fallback(step)
    if has_input is None:
        has_input = falls_back  # a shadow copy has its own
    earlier: Retrieved | None = None
    for _ in planning_attempts():
        expansion = Expansion(ask)
        try:
            asker = await expansion.run(identify, snapshot)
            expanded = expansion.ask
            if "knowledge" in expanded.body:
                if earlier is None and needs_search(expanded):  # no search for a call that its limits refuse
                    await check_headroom(plan_call(snapshot, asker, without_knowledge(expanded), step))
                expansion.ask = expanded = await with_knowledge(identify, asker, expanded, earlier)
                earlier = expanded.knowledge
            payload = prepare_payload(expanded.text)
            plan = plan_call(snapshot, asker, expanded, step, payload.stored_sha256.hex())
        except Refusal as refusal:
            if isinstance(refusal, NeedsRun) and ask.may_run:
                raise  # the run has records of its own
            is_attempt = falls_back and isinstance(refusal, PASSED_OVER)
            if await record_refusal(
                gateway,
                snapshot,
                expansion.asker,
                expansion.ask,
                refusal,
                began,
                has_input=has_input,
                is_attempt=is_attempt,
            ):
                snapshot = await gateway.snapshots.newer_than(snapshot)
                continue
            raise
        verdict = await gateway.ledger.begin(
            Begin(  # positional, as everything each call creates: keywords are slower
                plan.epoch,
                ask.id,
                ask.at,
                plan.record,
                asker.team.id,
                asker.key.id if asker.key is not None else None,
                as_attempts(plan.charges, as_attempt(ask.id)) if falls_back else plan.charges,
                False,
                None if has_input else payload,
            )
        )
        if verdict.is_stale:
            snapshot = await gateway.snapshots.newer_than(snapshot)
            continue
        if verdict.refused_by is not None:
            raise quota_refused(plan, verdict)
        return plan, remaining_after(plan, verdict)
    raise changing_too_fast()


def plan_call(snapshot: Snapshot, asker: Asker, ask: Ask, step: int, input_sha256: str = "") -> Plan:
    most = settings.GATEWAY_MAX_OUTPUT_TOKENS
    return make_plan(snapshot, asker, ask, input_sha256, most, step)


async def open_call(
    identify: Identify, ask: Ask, *, started: float | None = None, gateway: Gateway | None = None
) -> Call:
    """Return an admitted call; record and raise a Refusal otherwise.

    `gateway` is the event loop's, where the caller has it at hand.
    """
    began = started or time.perf_counter()
    gateway = gateway or current_gateway()
    plan, remaining = await admit(gateway, identify, ask, began)
    return Call(gateway, plan, identify, began, remaining)
