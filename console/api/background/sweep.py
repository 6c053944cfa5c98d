"""Wake responses that are in progress and have no worker. PostgreSQL is the queue of record."""

import datetime as dt

from console.api.background import rows
from console.api.models import BackgroundResponse, ResponseFrames
from console.audit.services.retention import content_kept_since
from console.core.clock import now
from console.core.lanes import Lane
from console.core.tasks import enqueue_on_commit

_MOST_AT_ONCE = 200  # of one lane: a lane whose workers are all busy holds up no other
LANES = (Lane.STANDARD, Lane.BATCH)  # nobody waits for it, so it is in none that is faster
# A stream is followed while it comes, and for a while after. The answer itself is in the log.
_EVENTS_STAY = dt.timedelta(hours=1)
TASK = "api.answer"


def wake(row: BackgroundResponse) -> None:
    """Have a worker look at it. The sweeper does when this message is lost."""
    enqueue_on_commit(TASK, row.pk, row.lane, queue=row.lane, expires=60)


def drive() -> int:
    """Wake the responses that a worker may take, of each lane the oldest first; return how many."""
    woken = 0
    for lane in LANES:
        for row in (
            BackgroundResponse.objects.filter(rows.free(), lane=lane).only("lane").order_by("pk")[:_MOST_AT_ONCE]
        ):
            wake(row)
            woken += 1
    return woken


def prune() -> None:
    """Remove events that nobody follows any more, and rows whose answers the log does not keep any more."""
    ResponseFrames.objects.filter(response__ended_at__lt=now() - _EVENTS_STAY).delete()
    since = content_kept_since()
    BackgroundResponse.objects.filter(ended_at__lt=since).delete()
    BackgroundResponse.objects.filter(run__isnull=False, created_at__lt=since).delete()
