"""Compare the counters with the log, for `manage.py recountquotas` and integration tests."""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction

from console.core.clock import now
from usage_app.models import Quota
from usage_app.sql.counters import recount


@dataclass(frozen=True, slots=True)
class Difference:
    """One counter that is off. A counter that is missing counts as zero."""

    quota: str
    quota_id: int
    period_start: dt.datetime
    used: int
    true_used: int
    reserved: int
    true_reserved: int
    end_user: str = ""

    def __str__(self) -> str:
        whose = f", {self.end_user}" if self.end_user else ""
        return (
            f"{self.quota}{whose}, period of {self.period_start:%Y-%m-%d %H:%M}: used {self.used}, the log says "
            f"{self.true_used}; reserved {self.reserved}, open calls say {self.true_reserved}"
        )


@transaction.atomic
def differences(*, quota_id: int | None = None, closed: bool = True) -> list[Difference]:
    """Return the counters that differ from the log, of open periods and, with `closed`, of past ones."""
    wrong = [
        one
        for one in recount(now(), quota_id=quota_id, closed=closed)
        if (one.used or 0, one.reserved or 0) != (one.true_used, one.true_reserved)
    ]
    names = {
        q.pk: str(q) for q in Quota.objects.filter(pk__in={w.quota_id for w in wrong}).select_related("team", "key")
    }
    return [
        Difference(
            quota=names.get(one.quota_id, str(one.quota_id)),
            quota_id=one.quota_id,
            period_start=one.period_start,
            used=one.used or 0,
            true_used=one.true_used,
            reserved=one.reserved or 0,
            true_reserved=one.true_reserved,
            end_user=one.end_user,
        )
        for one in wrong
    ]
