"""The lease of a run: one worker at a time, which must renew it. A fence number distinguishes successive workers."""

import datetime as dt
import os
import socket
import uuid

from django.conf import settings
from django.db import transaction
from django.db.models import Case, Count, F, Min, Q, Value, When
from django.db.models.functions import Now

from agents_app import sql
from agents_app.models import Run
from console.core.clock import now

State = Run.State


class LeaseLost(Exception):
    """Another worker has the run, or it is over; nothing may be written any more."""


def _length() -> dt.timedelta:
    """Return how long a lease is: short, so that a run whose worker died continues soon. It is renewed all the time."""
    return dt.timedelta(seconds=settings.AGENT_LEASE_SECONDS)


def free() -> Q:
    """Match runs a worker may take: without one, and in progress, or at the end of their wait."""
    has_no_worker = Q(lease_until=None) | Q(lease_until__lt=Now())
    goes_on = Q(state__in=[State.QUEUED, State.RUNNING, State.CANCELLING]) & (Q(wake_at=None) | Q(wake_at__lte=Now()))
    return has_no_worker & (goes_on | Q(state=State.WAITING, wake_at__lte=Now()))


def take(run_id: uuid.UUID) -> Run | None:
    """Return the run with a lease on it, None when it has a worker, must wait, or is over."""
    run = Run.objects.select_related("agent__team", "team", "version").filter(free(), pk=run_id).first()
    if run is None:
        return None
    # The fence is ours by what was read before. Read afterwards, it could be that of whoever took the run from a worker
    # that was away in between, and two would hold the same.
    is_as_read = Run.objects.filter(free(), pk=run_id, fence=run.fence)
    run.fence, run.attempts, run.worker, run.wake_at = run.fence + 1, run.attempts + 1, _name(), None
    taken = is_as_read.update(
        lease_until=Now() + _length(),
        fence=run.fence,
        attempts=F("attempts") + 1,
        worker=run.worker,
        wake_at=None,
    )
    return run if taken else None


def _name() -> str:
    return f"{socket.gethostname()[:60]}:{os.getpid()}"


def change(run: Run, **fields: object) -> None:
    """Write to the run as its worker, and extend the lease. Locks the row until the end of a transaction."""
    leased = Run.objects.filter(pk=run.pk, fence=run.fence).exclude(state__in=Run.OVER)
    if not leased.update(lease_until=Now() + _length(), **_unless_cancelling(fields)):
        raise LeaseLost


def renew(run: Run) -> None:
    """Extend the lease, and read what may have changed in the row meanwhile."""
    row = sql.renew(run.pk, run.fence, settings.AGENT_LEASE_SECONDS)
    if row is None:
        raise LeaseLost
    for name, value in row.items():
        setattr(run, name, value)


def put_down(run: Run, **fields: object) -> None:
    """Let the next worker have the run; one that somebody cancels at once, whatever it was to wait for.

    Unless it says otherwise, its time stands still from then on until somebody has it.
    """
    fields.setdefault("waiting_since", fields.get("wake_at") or now())
    leased = Run.objects.filter(pk=run.pk, fence=run.fence).exclude(state__in=Run.OVER)
    if not leased.update(lease_until=None, worker="", **_unless_cancelling(fields)):
        raise LeaseLost


def _unless_cancelling(fields: dict[str, object]) -> dict[str, object]:
    """Return what is written so that it leaves a wish to cancel as it is, which may come between any two statements."""
    kept: dict[str, object] = {"state": Value(State.CANCELLING), "wake_at": None}
    return {
        name: Case(When(state=State.CANCELLING, then=kept[name]), default=Value(value)) if name in kept else value
        for name, value in fields.items()
    }


def take_any() -> Run | None:
    """Return a run that waits for a worker, with a lease on it; None when none does.

    Teams take turns: the one with the fewest runs at work comes first, then the one that has waited longest, so that
    ten thousand runs of one team do not keep another's waiting. Within a team it is who has had the fewest turns.
    """
    for team_id in _teams_in_turn():
        with transaction.atomic():
            waiting = Run.objects.select_for_update(no_key=True, skip_locked=True).filter(free(), team=team_id)
            run_id = waiting.order_by("fence", "created_at").values_list("pk", flat=True).first()
            if run_id is not None and (run := take(run_id)) is not None:
                return run
    return None


def _teams_in_turn() -> list[uuid.UUID]:
    """Return the teams that have runs to take, the one whose turn it is first."""
    waiting = Run.objects.filter(free()).order_by().values_list("team").annotate(Min("created_at"))
    at_work = Run.objects.exclude(state__in=Run.OVER).filter(lease_until__gt=Now()).order_by()
    busy = dict(at_work.values_list("team").annotate(Count("pk")))
    return [team_id for team_id, _ in sorted(waiting, key=lambda one: (busy.get(one[0], 0), one[1]))]
