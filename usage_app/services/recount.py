"""Correct counters from the log."""

from django.db import transaction

from console.core.clock import now
from usage_app.queries.recount import Difference
from usage_app.sql import counters


@transaction.atomic
def repair(difference: Difference) -> None:
    """Set one counter to what the log says, holding it while counting, so that no call slips in between."""
    counters.lock_counter(difference.quota_id, difference.period_start, difference.end_user)
    for one in counters.recount(now(), quota_id=difference.quota_id, closed=True):
        if (one.period_start, one.end_user) == (difference.period_start, difference.end_user):
            counters.put_counter(one)
