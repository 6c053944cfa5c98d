"""Wake batches that are in progress and have no worker. PostgreSQL is the queue of record."""

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from console.audit import actions
from console.audit.services import record
from console.batches.engine.lease import free
from console.batches.models import Batch, Line, State
from console.batches.models.batches import ACTIVE, TERMINAL
from console.batches.services.batches import wake
from console.batches.services.files import prune_files
from console.core.clock import now
from console.teams.actors import SYSTEM

_MOST_AT_ONCE = 200
# Long after its window, a batch that still cannot be ended is broken.
_BROKEN_AFTER = dt.timedelta(hours=6)


def drive() -> int:
    """Wake every batch that a worker may take, those with the fewest turns so far first; return how many."""
    _give_up()
    woken = list(Batch.objects.filter(free()).order_by("fence", "pk")[:_MOST_AT_ONCE])
    for batch in woken:
        wake(batch)
    return len(woken)


def _give_up() -> None:
    """End what keeps breaking its worker, so that it does not do so forever.

    One that nobody has tried since, because the console was off, is still to be ended: it has results.
    """
    broken_from = F("expires_at") + _BROKEN_AFTER
    was_tried = Q(lease_until__gt=broken_from) | Q(not_before__gt=broken_from)
    broken = Batch.objects.filter(free(), was_tried, expires_at__lt=now() - _BROKEN_AFTER)
    for batch in broken.order_by("pk")[:_MOST_AT_ONCE]:
        message = "The batch could not be ended; the console's log says why."
        error = {"code": "internal_error", "message": message, "param": None, "line": None}
        with transaction.atomic():
            ended = Batch.objects.filter(pk=batch.pk, state__in=ACTIVE, fence=batch.fence).update(
                state=State.FAILED, failed_at=Now(), errors=[*batch.errors, error]
            )
            if ended:
                record(actions.BATCH_ENDED, actor=SYSTEM, target=batch, detail={"state": "failed"}, surface="batch")


def prune() -> int:
    """Remove files past their time and the lines of batches that ended as long ago; the batches stay to be seen."""
    removed = prune_files()
    long_ago = now() - dt.timedelta(days=settings.FILE_KEEP_DAYS)
    old = Batch.objects.filter(state__in=TERMINAL, expires_at__lt=long_ago)
    for batch_id in old.filter(lines__isnull=False).values_list("pk", flat=True).distinct()[:_MOST_AT_ONCE]:
        Line.objects.filter(batch_id=batch_id).delete()
    return removed
