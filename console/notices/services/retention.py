"""Delete old notices."""

import datetime as dt

from console.core.clock import now
from console.notices.models import Notice

KEPT_DAYS = 30
_AT_ONCE = 1000


def forget() -> int:
    """Remove notices past their time with their deliveries, in bounded batches; return how many notices."""
    removed = 0
    while True:
        old = Notice.objects.filter(created_at__lt=now() - dt.timedelta(days=KEPT_DAYS)).order_by("created_at", "id")
        found = list(old.values_list("pk", flat=True)[:_AT_ONCE])
        Notice.objects.filter(pk__in=found).delete()
        removed += len(found)
        if len(found) < _AT_ONCE:
            return removed
