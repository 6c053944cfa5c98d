"""Open and close incidents: a schedule's tests do worse than their baseline."""

from collections.abc import Iterable

from django.db import transaction

from console.audit import actions
from console.core.clock import now
from console.core.errors import Conflict
from console.evals.models import Incident, Schedule, TestRun
from console.evals.services import drift_notices
from console.evals.services.common import record_schedule_change
from console.teams.actors import SYSTEM, Actor
from prompts_app.services.common import check_reason

_LONGEST = 500


def open_incident(
    *, schedule: Schedule, run: TestRun, before: float, after: float, lost: Iterable[str], sentence: str
) -> Incident:
    """Say that a locked schedule's tests drifted, and tell people; one that is open already continues."""
    there = Incident.objects.filter(schedule=schedule, closed_at=None).first()
    if there is not None:
        return there
    incident = Incident.objects.create(
        schedule=schedule,
        run=run,
        score_before=before,
        score_after=after,
        lost=sorted(lost),
        sentence=sentence[:_LONGEST],
    )
    detail = {
        "before": {"score": round(before, 1)},
        "after": {"score": round(after, 1), "lost": incident.lost[:20]},
        "model": run.pinned,
        "version": run.version.number,
    }
    record_schedule_change(actions.DRIFT_FOUND, SYSTEM, schedule, detail)
    drift_notices.notify_of_drift(incident)
    return incident


def end(schedule: Schedule, actor: Actor, reason: str) -> None:
    """Close what is open of a locked schedule, if anything is."""
    for incident in Incident.objects.filter(schedule=schedule, closed_at=None):
        incident.closed_at, incident.closed_by_name, incident.closed_reason = now(), actor.name, reason[:_LONGEST]
        incident.save(update_fields=["closed_at", "closed_by_name", "closed_reason"])
        detail = {"before": {"is_open": True}, "after": {"is_open": False}}
        record_schedule_change(actions.DRIFT_ENDED, actor, schedule, detail, reason=incident.closed_reason)
        if actor == SYSTEM:
            incident.schedule = schedule
            drift_notices.notify_of_end(incident)


@transaction.atomic
def close_incident(*, actor: Actor, incident: Incident, reason: str) -> None:
    """Close an incident by hand. If the tests stay as bad, the next two rounds open another."""
    reason = check_reason(reason)
    schedule = (
        Schedule.objects.select_for_update(no_key=True, of=("self",))
        .select_related("prompt__team")
        .get(pk=incident.schedule_id)
    )
    if not Incident.objects.filter(pk=incident.pk, closed_at=None).exists():
        raise Conflict("This incident is closed already.")
    end(schedule, actor, reason)
