"""The lease of a piece of work: nobody else works on it while it lives, and the sweeper wakes what has none.

A fence number tells a worker from those before it.
"""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.db.models import F, QuerySet

from console.core.clock import now
from console.core.tasks import enqueue_on_commit
from console.evals.calls import OutcomeCalls
from console.evals.models import GOING_ON, Outcome, Replay, TestRun, Work

# A message may be on its way for so long before somebody takes it for lost.
_PATIENCE = dt.timedelta(seconds=15)
QUEUE = "batch"
_MOST_WOKEN = 100

WorkT = TypeVar("WorkT", bound=Work)
OutcomeT = TypeVar("OutcomeT", bound=Outcome)


@dataclass(frozen=True)
class Kind(Generic[WorkT, OutcomeT]):
    """One kind of work: its tables, the task that advances it, and how one outcome is asked for and judged."""

    task: str
    work: type[WorkT]
    outcome: type[OutcomeT]
    of: str  # the outcome's field that names its work
    ask: Callable[[WorkT, OutcomeT, OutcomeCalls], Awaitable[None]]
    joined: tuple[str, ...] = ()  # what asking reads of the work
    joined_each: tuple[str, ...] = ()  # and of each outcome


def length() -> dt.timedelta:
    return dt.timedelta(seconds=settings.BATCH_LEASE_SECONDS)


def claim(kind: Kind[WorkT, OutcomeT], work_id: uuid.UUID) -> WorkT | None:
    """Take a piece of work; None where somebody has it, or it may not continue."""
    moment = now()
    free = _free(kind.work, moment).filter(pk=work_id)
    work = free.select_related(*kind.joined).first()
    if work is None:
        return None
    # The fence is ours by what was read before: read afterwards, it could be that of whoever came in between.
    is_as_read = free.filter(fence=work.fence)
    work.status, work.fence, work.lease_until = Work.Status.RUNNING, work.fence + 1, moment + length()
    taken = is_as_read.update(
        status=work.status, fence=work.fence, lease_until=work.lease_until, not_before=None, waits_for=""
    )
    return work if taken else None


def _going_on(work: type[WorkT]) -> QuerySet[WorkT]:
    return work._default_manager.filter(status__in=GOING_ON)


def _free(work: type[WorkT], moment: dt.datetime) -> QuerySet[WorkT]:
    """Match what anybody may continue with: no worker has it, and it has not been told to wait."""
    return _going_on(work).exclude(lease_until__gt=moment).exclude(not_before__gt=moment)


def leased(kind: Kind[WorkT, OutcomeT], work: WorkT) -> QuerySet[WorkT]:
    """Match the work as long as it continues and nobody else has taken it."""
    return kind.work._default_manager.filter(pk=work.pk, status=Work.Status.RUNNING, fence=work.fence)


def sweep(*kinds: Kind[Any, Any], patience: dt.timedelta = _PATIENCE) -> int:
    """Wake the work that has no worker: those are gone, their message was lost, or it was another's turn.

    In the order in which it gets a turn; return how much.
    """
    moment = now()
    waiting: list[tuple[dt.datetime, dt.datetime, uuid.UUID, uuid.UUID, str]] = []
    busy: Counter[uuid.UUID] = Counter()
    for kind in kinds:
        busy.update(_going_on(kind.work).filter(lease_until__gt=moment).values_list("team_id", flat=True))
        free = _free(kind.work, moment).filter(started_at__lte=moment - patience)
        rows = free.order_by(F("lease_until").asc(nulls_first=True), "started_at", "id")[:_MOST_WOKEN]
        for had, began, work_id, team_id in rows.values_list("lease_until", "started_at", "pk", "team_id"):
            waiting.append((had or began, began, work_id, team_id, kind.task))
    woken = 0
    while waiting and woken < _MOST_WOKEN:
        waiting.sort(key=lambda one: (busy[one[3]], *one[:3]))
        *_, work_id, team_id, task = waiting.pop(0)
        busy[team_id] += 1
        enqueue_on_commit(task, work_id, queue=QUEUE, expires=60)
        woken += 1
    return woken


def others_wait(moment: dt.datetime) -> bool:
    """Return whether there is work that could continue, and has no worker."""
    return _free(TestRun, moment).exists() or _free(Replay, moment).exists()
