"""Beat's work for schedules: start due rounds, notice promotions, and settle rounds that are left.

1. A tick is claimed by its schedule's row and kept as a round with the tick as its key, so that two at once, late or
   never, run the tests once. Ticks nobody was there for are one round.
2. A label or a pin that moved is seen within seconds, whoever moved it and by whichever way; a round begins at once.
3. A run's worker judges its round itself; a round whose worker is gone is judged here.
"""

import logging
import uuid
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from console.core.clock import now
from console.core.schedules import GRACE, newest_tick, next_tick
from console.evals.models import GOING_ON, Round, Schedule
from console.evals.services import outcomes, rounds
from console.evals.subjects import subject_of, subjects_of

log = logging.getLogger(__name__)
_AT_ONCE = 200


def tick() -> None:
    """Do all there is to do now. Safe to call twice, late or never."""
    living = Schedule.objects.filter(is_paused=False, prompt__deleted_at=None)
    for schedule_id in living.filter(_is_of_a_clock_ahead()).values_list("pk", flat=True)[:_AT_ONCE]:
        _guarded(_set_back, schedule_id)
    for schedule_id in living.filter(next_at__lte=now()).order_by("next_at").values_list("pk", flat=True)[:_AT_ONCE]:
        _guarded(_due, schedule_id)
    following = list(living.order_by("pk"))
    for schedule, subject in zip(following, subjects_of(following), strict=True):
        version_id = subject.version.pk if subject.version else None
        if (schedule.version_id, schedule.pinned) != (version_id, subject.pinned):
            _guarded(_promoted, schedule.pk)
    waiting = Round.objects.filter(outcome=Round.Outcome.OPEN).exclude(run__status__in=GOING_ON)
    for round_id in waiting.order_by("at", "id").values_list("pk", flat=True)[:_AT_ONCE]:
        _guarded(outcomes.settle, round_id)


def _is_of_a_clock_ahead() -> Exists:
    """Match schedules whose last round is still to come, as where the clock ran ahead and was put right."""
    return Exists(Round.objects.filter(schedule=OuterRef("pk"), at__gt=now() + GRACE))


@transaction.atomic
def _set_back(schedule_id: uuid.UUID) -> None:
    """Go on from now: by the clock that ran ahead, the next tick is as far away as it was wrong."""
    schedule, moment = _claimed(schedule_id), now()
    if schedule is None:
        return
    schedule.next_at = next_tick(schedule.cron, schedule.time_zone, moment)
    schedule.save(update_fields=["next_at"])
    Round.objects.filter(schedule=schedule, at__gt=moment).update(at=moment)


def _guarded(work: Callable[..., object], *given: Any) -> None:
    """One broken schedule must not hold up the others."""
    try:
        work(*given)
    except Exception:
        log.exception("A schedule of tests could not be served.")


def _claimed(schedule_id: uuid.UUID) -> Schedule | None:
    """Return the schedule, its row locked until commit; None where somebody else has it, or it stopped."""
    rows = Schedule.objects.select_for_update(no_key=True, of=("self",), skip_locked=True)
    rows = rows.select_related("prompt__team", "prompt__head", "version")
    return rows.filter(pk=schedule_id, is_paused=False, prompt__deleted_at=None).first()


@transaction.atomic
def _due(schedule_id: uuid.UUID) -> None:
    """Begin the round of the newest tick that is due, and work the next one out."""
    schedule, moment = _claimed(schedule_id), now()
    if schedule is None or schedule.next_at > moment:
        return
    due = newest_tick(schedule.cron, schedule.time_zone, schedule.next_at, moment)
    schedule.next_at = next_tick(schedule.cron, schedule.time_zone, max(due, moment))
    schedule.save(update_fields=["next_at"])
    if _is_going_on(schedule):
        return
    rounds.begin(schedule, Round.Cause.DUE, due.isoformat())


def _is_going_on(schedule: Schedule) -> bool:
    """Return whether the last round is not over yet: then this tick has nothing to add."""
    return Round.objects.filter(schedule=schedule, outcome=Round.Outcome.OPEN, run__status__in=GOING_ON).exists()


@transaction.atomic
def _promoted(schedule_id: uuid.UUID) -> None:
    """Keep what the label and the alias mean now, and try it."""
    schedule = _claimed(schedule_id)
    if schedule is None:
        return
    subject = subject_of(schedule)
    if (schedule.version, schedule.pinned) == subject:
        return
    schedule.version, schedule.pinned = subject
    schedule.save(update_fields=["version", "pinned"])
    rounds.begin(schedule, Round.Cause.PROMOTION, f"promotion {now().isoformat()}")
