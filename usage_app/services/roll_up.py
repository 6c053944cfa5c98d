"""Sum the log's new calls into the hours and days the dashboards read."""

import logging

from django.db import transaction

from console.core.clock import now
from usage_app import sql
from usage_app.models import RollUpState

log = logging.getLogger(__name__)

# How many calls one transaction should sum at most. It is a wish: what one transaction wrote is summed together.
BATCH = 50_000
_FIRST_STEP, _LARGEST_STEP = 2_000, 1 << 40


@transaction.atomic
def _one_batch(step: int) -> tuple[int, bool]:
    """Sum the next `step` transaction numbers. Returns how many calls that were and whether more can be read now."""
    state = RollUpState.objects.select_for_update(skip_locked=True).filter(pk=1).first()
    if state is None:
        return 0, False
    # What is below the horizon is committed for good, so a call that commits late is above it and comes later, once.
    horizon = sql.horizon()
    until = min(horizon, state.next_tx + step)
    if until <= state.next_tx:
        return 0, False
    calls = sql.roll_up(state.next_tx, until)
    state.next_tx, state.at = until, now()
    state.save(update_fields=["next_tx", "at"])
    return calls, until < horizon


def roll_up(limit: int = 1_000_000) -> int:
    """Sum what is new, batch by batch, until nothing is left or `limit` is reached. Returns how many calls it was.

    Every batch is its own transaction and holds the state's row, so a second process steps aside and a crash repeats
    nothing. Transaction numbers say little about rows, so the step follows what the last batch found.
    """
    RollUpState.objects.get_or_create(pk=1)
    total, step, more = 0, _FIRST_STEP, True
    while more and total < limit:
        calls, more = _one_batch(step)
        total += calls
        if calls < BATCH // 4:
            step = min(step * 4, _LARGEST_STEP)
        elif calls > BATCH:
            step = max(step // 4, 1)
    if total >= limit:
        log.info("Summed %d calls; more are waiting.", total)
    return total
