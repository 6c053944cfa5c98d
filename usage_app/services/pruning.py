"""Delete old counters. Usage stays in the log and in the roll-ups."""

import datetime as dt
from collections.abc import Callable
from functools import partial

from django.conf import settings

from console.core.clock import now
from usage_app.models import Window
from usage_app.sql.pruning import (
    prune_alerts,
    prune_counters,
    prune_end_user_counters,
    prune_end_users,
    prune_hours,
    prune_labels,
    prune_touchpoints,
)

_BATCH = 5_000
# Of end users there may be as many as calls, and what is past shows nowhere; this is long enough for calls that end
# late. A month began up to 31 days ago.
_END_USERS_KEPT = {
    Window.MINUTE: dt.timedelta(hours=2),
    Window.HOUR: dt.timedelta(days=1),
    Window.DAY: dt.timedelta(days=3),
    Window.MONTH: dt.timedelta(days=33),
}
# Hours are drawn for two days and read for a month's opening; the days carry everything older. The inventory reads a
# month of each touchpoint, and when it was last used.
_HOURS_KEPT_DAYS = TOUCHPOINTS_KEPT_DAYS = 100


def _in_batches(prune_some: Callable[[int], int]) -> int:
    total = 0
    while gone := prune_some(_BATCH):
        total += gone
    return total


def prune() -> int:
    """Remove closed periods in batches. Returns how many rows went. Open calls keep their period's counter."""
    moment = now()
    kept = dt.timedelta(days=settings.AUDIT_KEEP_DAYS)
    kept_of_month = kept + dt.timedelta(days=31)  # it may have begun so long before it ends
    ages = {
        Window.MINUTE: dt.timedelta(hours=2),
        Window.HOUR: dt.timedelta(days=7),
        Window.DAY: kept,
        Window.MONTH: kept_of_month,
    }
    gone = 0
    for window, age in ages.items():
        gone += _in_batches(partial(prune_counters, window, moment - age))
    for window, age in _END_USERS_KEPT.items():
        gone += _in_batches(partial(prune_end_user_counters, window, moment - age))
    gone += _in_batches(partial(prune_alerts, moment - kept_of_month))
    gone += _in_batches(partial(prune_hours, moment - dt.timedelta(days=_HOURS_KEPT_DAYS)))
    gone += _in_batches(partial(prune_touchpoints, moment - dt.timedelta(days=TOUCHPOINTS_KEPT_DAYS)))
    # Who they are is known as long as the log says it, and not longer.
    gone += _in_batches(partial(prune_end_users, (moment - kept).date().replace(day=1)))
    gone += _in_batches(partial(prune_labels, (moment - kept).date().replace(day=1)))
    return gone
