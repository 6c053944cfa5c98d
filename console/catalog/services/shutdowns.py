"""Warn operators before a provider shuts a model down: once at each threshold."""

import datetime as dt

from django.db import transaction
from django.template.loader import render_to_string

from console.audit import actions
from console.audit.services import record
from console.catalog.models import ModelVersion, ShutdownNotice
from console.catalog.queries.versions import Dependent, dependents
from console.core.clock import now
from console.notices.kinds import NoticeKind
from console.notices.services import notify
from console.teams.callers import SYSTEM

# Days before the end; the smallest that is reached is the one that is told.
THRESHOLDS = (30, 7, 1)


def warn_of_shutdowns() -> int:
    """Tell what ends soon and has not been told at this threshold. Returns how many models that were."""
    today = now().date()
    ending = ModelVersion.objects.filter(
        retired_at=None, shutdown_on__gte=today, shutdown_on__lte=today + dt.timedelta(days=max(THRESHOLDS))
    ).select_related("provider", "successor__provider")
    return sum(_warn(version, today) for version in ending.order_by("shutdown_on"))


@transaction.atomic
def _warn(version: ModelVersion, today: dt.date) -> bool:
    assert version.shutdown_on is not None
    left = (version.shutdown_on - today).days
    threshold = min(days for days in THRESHOLDS if left <= days)
    # Another process may be here too: the constraint decides who tells. A new date is told again.
    notice, is_new = ShutdownNotice.objects.get_or_create(
        model_version=version, shutdown_on=version.shutdown_on, days=threshold
    )
    if not is_new:
        return False
    using = dependents(version)
    record(
        actions.SHUTDOWN_ANNOUNCED,
        actor=SYSTEM,
        target=version,
        detail={"shutdown_on": version.shutdown_on.isoformat(), "days": left, "used_by": [str(d) for d in using]},
        surface="background",
    )
    _tell(notice, version, left, using)
    return True


def _tell(notice: ShutdownNotice, version: ModelVersion, left: int, using: list[Dependent]) -> None:
    """Have operators told."""
    when = "today" if left == 0 else "tomorrow" if left == 1 else f"in {left} days"
    notify(
        NoticeKind.SHUTDOWN,
        team=None,
        title=f"{version} is shut down {when}",
        text=render_to_string("catalog/shutdown_notice.txt", {"version": version, "when": when, "using": using}),
        url=f"/models/versions/{version.pk}/",
        facts={
            "type": "shutdown.announced",
            "model": str(version),
            "shutdown_on": notice.shutdown_on.isoformat(),
            "days": left,
            "successor": str(version.successor) if version.successor else None,
            "used_by": [str(use) for use in using],
        },
        key=str(notice.pk),
    )
