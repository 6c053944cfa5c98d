"""One worker advances a batch at a time, until it stops renewing. A fence number tells it from those before it."""

import datetime as dt
import uuid

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from console.batches.models import Batch
from console.batches.models.batches import ACTIVE


def _length() -> dt.timedelta:
    """Return how long a lease is: short, so that a batch whose worker died continues soon. Renewed every second."""
    return dt.timedelta(seconds=settings.BATCH_LEASE_SECONDS)


class LeaseLost(Exception):
    """Another worker has the batch; nothing may be written any more."""


def free() -> Q:
    """Match batches a worker may take: in progress, with no worker, and not told to wait."""
    has_no_worker = Q(lease_until=None) | Q(lease_until__lt=Now())
    may_go_on = Q(not_before=None) | Q(not_before__lte=Now()) | Q(expires_at__lte=Now()) | ~Q(ends_as="")
    return Q(state__in=ACTIVE) & has_no_worker & may_go_on


def take(batch_id: uuid.UUID) -> Batch | None:
    """Return the batch with a lease on it, None when it has a worker, must wait, or is over."""
    batch = Batch.objects.select_related("team").filter(free(), pk=batch_id).first()
    if batch is None:
        return None
    # The fence is ours by what was read before: read afterwards, it could be that of whoever came in between.
    is_as_read = Batch.objects.filter(free(), pk=batch_id, fence=batch.fence)
    batch.fence, batch.not_before, batch.waits_for = batch.fence + 1, None, ""
    taken = is_as_read.update(lease_until=Now() + _length(), fence=batch.fence, not_before=None, waits_for="")
    return batch if taken else None


def change(batch: Batch, **fields: object) -> None:
    """Write to the batch as its worker, and extend the lease. Locks the row until the end of a transaction."""
    held = Batch.objects.filter(pk=batch.pk, fence=batch.fence)
    if not held.update(lease_until=Now() + _length(), **fields):
        raise LeaseLost


def release(batch: Batch, *, wait: float = 0, waits_for: str = "") -> None:
    """Let the next worker have it, at once or after a wait of so many seconds."""
    not_before = Now() + dt.timedelta(seconds=wait) if wait else None
    Batch.objects.filter(pk=batch.pk, fence=batch.fence).update(
        lease_until=None, not_before=not_before, waits_for=waits_for[:500]
    )
