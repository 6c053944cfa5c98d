"""Ask whether a call's limits have room for it, before something is paid for it that would be of no use without it."""

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
    """The limit that would bind, on record as when the ledger refuses."""

    reason: str
    record: dict[str, Any]


async def check_room(plan: Plan) -> None:
    """Raise what the ledger would answer to a plan now. Nothing is admitted: the ledger decides in the end.

    A statement of its own, so it is only for calls that look something up first.
    """
    binding = [(place, *charge) for place, charge in enumerate(plan.charges) if charge[0].quota.is_hard]
    if not binding:
        return
    try:
        held = await in_thread(lambda: counted([limit.counter for _, limit, _ in binding]))
    except Error as error:
        raise DatabaseAway from error
    for place, limit, amount in binding:
        if held[limit.counter] + amount > limit.most:
            raise _would_exceed(plan, place, Verdict(is_stale=False, refused_by=place, counted=held))


def _would_exceed(plan: Plan, place: int, verdict: Verdict) -> WouldExceed:
    said = quota_refused(plan, verdict)
    refusal = WouldExceed(
        said.message, param=said.param, code=said.code, retry_after=said.retry_after, headers=said.headers
    )
    refusal.record = orjson.loads(joined(plan.record, plan.charges[place][0].refusal))
    refusal.reason, refusal.will_pass = refusal.record["reason"], said.will_pass
    refusal.to_people = said.to_people
    return refusal
