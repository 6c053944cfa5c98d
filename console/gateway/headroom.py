"""Check whether a call's limits have room for it, before paying for something only this call needs."""

from typing import Any

import orjson
from django.db import Error

from console.core.connections import in_thread
from console.gateway.entries import Verdict
from console.gateway.errors import DatabaseAway, QuotaExceeded
from console.gateway.limits import quota_refused
from console.gateway.record import joined
from console.gateway.types import Plan
from usage_app.queries.quotas import counted


class WouldExceed(QuotaExceeded):
    """The refusal by a limit, recorded as if the ledger had refused."""

    reason: str
    record: dict[str, Any]


async def check_headroom(plan: Plan) -> None:
    """Raise the refusal the ledger would give to this plan now. Nothing is admitted: the ledger decides in the end.

    It takes a statement of its own, so it is only for calls that search first.
    """
    binding = [(place, *charge) for place, charge in enumerate(plan.charges) if charge[0].quota.is_hard]
    if not binding:
        return
    try:
        counted_now = await in_thread(lambda: counted([limit.counter for _, limit, _ in binding]))
    except Error as error:
        raise DatabaseAway from error
    for place, limit, amount in binding:
        if counted_now[limit.counter] + amount > limit.most:
            raise _would_exceed(plan, place, Verdict(is_stale=False, refused_by=place, counted=counted_now))


def _would_exceed(plan: Plan, place: int, verdict: Verdict) -> WouldExceed:
    exceeded = quota_refused(plan, verdict)
    refusal = WouldExceed(
        exceeded.message,
        param=exceeded.param,
        code=exceeded.code,
        retry_after=exceeded.retry_after,
        headers=exceeded.headers,
    )
    refusal.record = orjson.loads(joined(plan.record, plan.charges[place][0].refusal))
    refusal.reason, refusal.will_pass = refusal.record["reason"], exceeded.will_pass
    refusal.to_people = exceeded.to_people
    return refusal
