"""Roll up the log's new calls into hours and days."""

import logging

from django.db import transaction

from console.audit.sql.search import horizon
from console.core.clock import now
from usage_app.models import RollUpState
from usage_app.sql import roll_up as sql

log = logging.getLogger(__name__)

# How many lines one transaction reads at most, unless a single one of the log's transactions wrote more.
BATCH = 100_000
_FIRST_STEP, _LARGEST_STEP = 2_000, 1 << 40


@transaction.atomic
def _one_batch(step: int) -> tuple[int, int, bool]:
    """Sum the next `step` transaction numbers, or fewer where they wrote much.

    Returns how many calls that were, the step taken, and whether more can be read now.
    """
    state = RollUpState.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=1).first()
    if state is None:
        return 0, step, False
    # What is below the horizon is committed for good, so a call that commits late is above it and comes later, once.
    end = horizon()
    step = min(step, end - state.next_tx)
    if step <= 0:
        return 0, step, False
    while step > 1 and sql.holds_more_than(BATCH, state.next_tx, state.next_tx + step):
        step = max(step // 8, 1)
    calls = sql.roll_up(state.next_tx, state.next_tx + step)
    state.next_tx, state.at = state.next_tx + step, now()
    state.save(update_fields=["next_tx", "at"])
    return calls, step, state.next_tx < end


def roll_up(limit: int = 1_000_000) -> int:
    """Sum what is new, batch by batch, until nothing is left or `limit` is reached. Returns how many calls it was.

    Every batch is its own transaction and holds the state's row, so a second process steps aside and a crash repeats
    nothing. Transaction numbers say little about lines, so the step grows where it is quiet and shrinks where it is
    busy.
    """
    RollUpState.objects.get_or_create(pk=1)
    total, step, more = 0, _FIRST_STEP, True
    while more and total < limit:
        calls, step, more = _one_batch(step)
        total += calls
        if calls < BATCH // 4:
            step = min(step * 4, _LARGEST_STEP)
    if more:
        log.info("Summed %d calls; more are waiting.", total)
    return total
