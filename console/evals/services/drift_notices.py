"""Notify a team of its schedules: drift, the end of it, and a pause because nobody is responsible any more."""

from typing import Any

from django.urls import reverse

from console.core import formatting
from console.core.clock import now
from console.evals.models import Incident, Schedule
from console.notices.kinds import NoticeKind
from console.notices.services import notify


def notify_of_drift(incident: Incident) -> None:
    schedule = incident.schedule
    score, before = (formatting.percent(round(value, 1)) for value in (incident.score_after, incident.score_before))
    _tell(
        schedule,
        title=f"{schedule.prompt.slug} has drifted on {schedule.model}: {score}",
        text=f"{incident.sentence}\n\nThe tests of what {schedule.label} means were run on {schedule.target}, twice "
        f"in a row. The baseline is {before}, the tolerance {schedule.tolerance} points.\n\nLook at the answers, then "
        "roll back, or take a new baseline:",
        facts={
            "type": "drift.found",
            "incident": str(incident.pk),
            "score_before": incident.score_before,
            "score_after": incident.score_after,
            "lost": incident.lost,
        },
        key=str(incident.pk),
    )


def notify_of_end(incident: Incident) -> None:
    schedule = incident.schedule
    _tell(
        schedule,
        title=f"{schedule.prompt.slug} is as before on {schedule.model}",
        text=f"{incident.closed_reason} The incident is closed.",
        facts={"type": "drift.ended", "incident": str(incident.pk), "reason": incident.closed_reason},
        key=f"{incident.pk} ended",
    )


def notify_of_pause(schedule: Schedule) -> None:
    _tell(
        schedule,
        title=f"The tests of {schedule.prompt.slug} do not run any more",
        text=f"{schedule.pause_reason}\n\nThe schedule of {schedule.label} on {schedule.target} is paused. A builder "
        f"of {schedule.prompt.team} resumes it:",
        facts={"type": "schedule.paused", "reason": schedule.pause_reason},
        key=f"{schedule.pk} paused {now().isoformat()}",
    )


def _tell(schedule: Schedule, *, title: str, text: str, facts: dict[str, Any], key: str) -> None:
    prompt = schedule.prompt
    about = {
        "schedule": str(schedule.pk),
        "prompt": prompt.slug,
        "label": schedule.label,
        "model": schedule.model,
        "environment": schedule.environment,
        "pinned": schedule.pinned,
    }
    url = reverse("evals:schedule", args=[prompt.slug, schedule.pk])
    notify(NoticeKind.DRIFT, team=prompt.team, title=title, text=text, url=url, facts={**facts, **about}, key=key)
