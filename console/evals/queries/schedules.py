"""Queries of schedules: last result, history of scores, open incidents."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from console.core import formatting
from console.evals.models import Incident, Round, Schedule, TestCase, TestResult, TestRun, named_model
from prompts_app.models import Prompt

_MOST_POINTS = 90
_MOST_FAILING = 8
_MOST_ROUNDS = 12

# State, its words, the tone of its badge.
_STATES = {
    "drifted": ("Drifted", "bad"),
    "paused": ("Paused", ""),
    "failing": ("Cannot run", "warn"),
    "running": ("Running", ""),
    "waiting": ("Waits", "warn"),
    "queued": ("Queued", ""),
    "suspicious": ("Being repeated", "warn"),
    "fine": ("Fine", "ok"),
    "red": ("No test passes", "warn"),
    "new": ("Not run yet", ""),
}


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """One schedule, the newest round that has a score, and what is open of it."""

    schedule: Schedule
    last: Round | None
    newest: Round | None
    incident: Incident | None
    cases: int

    @property
    def state(self) -> str:
        if self.incident is not None:
            return "drifted"
        if self.schedule.is_paused:
            return "paused"
        if self.schedule.trouble:
            return "failing"
        if self.newest is not None and self.newest.outcome == Round.Outcome.OPEN:
            run = self.newest.run
            return {"Waits": "waiting", "Queued": "queued"}.get(run.how_far if run else "", "running")
        if self.last is None:
            return "new"
        return "fine" if self.last.score else "red"

    @property
    def state_words(self) -> str:
        return _STATES[self.state][0]

    @property
    def tone(self) -> str:
        return _STATES[self.state][1]

    @property
    def change(self) -> float | None:
        """How far the last score is from the baseline's, in points."""
        if self.last is None or self.last.score is None or self.schedule.baseline is None:
            return None
        return self.last.score - self.schedule.baseline.score

    @property
    def is_low(self) -> bool:
        return self.change is not None and -self.change > self.schedule.tolerance


@dataclass(frozen=True, slots=True)
class History:
    """The scores of a schedule, oldest first, as a chart and in words."""

    rounds: list[Round]
    data: dict[str, Any]
    label: str


def with_states(schedules: QuerySet[Schedule]) -> list[ScheduleState]:
    """Return schedules with their states: five queries, however many there are."""
    rows = list(schedules.select_related("prompt__team", "version", "baseline").order_by("created_at", "id"))
    ids = [row.pk for row in rows]
    scored = _newest(ids, Q(score__isnull=False))
    newest = _newest(ids, Q())
    incidents = {one.schedule_id: one for one in Incident.objects.filter(schedule__in=ids, closed_at=None)}
    counts = TestCase.objects.filter(prompt__in={row.prompt_id for row in rows}).order_by()
    cases = dict(counts.values_list("prompt").annotate(Count("pk")))
    return [
        ScheduleState(row, scored.get(row.pk), newest.get(row.pk), incidents.get(row.pk), cases.get(row.prompt_id, 0))
        for row in rows
    ]


def _newest(ids: Sequence[uuid.UUID], which: Q) -> dict[uuid.UUID, Round]:
    rows = Round.objects.filter(which, schedule__in=ids).select_related("run__version")
    return {one.schedule_id: one for one in rows.order_by("schedule_id", "-at", "-id").distinct("schedule_id")}


def shown_one(schedule: Schedule) -> ScheduleState:
    return with_states(Schedule.objects.filter(pk=schedule.pk))[0]


def most_pressing(schedules: Sequence[ScheduleState]) -> ScheduleState | None:
    """Return what a page shows first: what drifted, then what is low, then what ran last."""
    ran = [schedule for schedule in schedules if schedule.last is not None]
    return max(ran, key=lambda one: (one.state == "drifted", one.is_low, one.last and one.last.at), default=None)


def history(schedule: Schedule) -> History | None:
    """Return the scores; nothing while there are none. One query."""
    rows = Round.objects.filter(schedule=schedule, score__isnull=False).select_related("run__version")
    rounds = list(reversed(rows[:_MOST_POINTS]))
    if not rounds:
        return None
    scores = [round(one.score or 0.0, 1) for one in rounds]
    baseline = schedule.baseline
    floor = min([*scores, *([baseline.score - schedule.tolerance] if baseline else [])])
    data: dict[str, Any] = {
        "unit": "%",
        "range": [max(0, int(floor // 10) * 10 - 5), 107],
        "incrs": [5, 10, 20],
        "data": [[one.at.timestamp() for one in rounds], scores],
        "series": [{"name": "Score", "color": "--team-1"}],
        "marks": _moves(rounds),
    }
    if baseline:
        lowest = max(0.0, round(baseline.score - schedule.tolerance, 1))
        data["limits"] = [{"v": lowest, "label": f"Tolerated down to {formatting.percent(lowest)}", "below": True}]
    message = f"Score by run. The last one is {formatting.percent(scores[-1])}"
    if baseline:
        message += f", the baseline {formatting.percent(round(baseline.score, 1))}"
    return History(rounds, data, f"{message}.")


def _moves(rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """Return where another version or another model began to be tried."""
    marks = []
    for before, after in zip(rounds, rounds[1:], strict=False):
        if before.run is None or after.run is None:
            continue
        if before.run.version_id != after.run.version_id:
            marks.append({"t": after.at.timestamp(), "label": f"v{after.run.version.number}"})
        elif before.run.pinned != after.run.pinned:
            marks.append({"t": after.at.timestamp(), "label": after.run.pinned.rpartition("/")[2]})
    return marks[-4:]


def rounds_of(schedule: Schedule) -> list[Round]:
    return list(Round.objects.filter(schedule=schedule).select_related("run__version")[:_MOST_ROUNDS])


def failing_of(one: Round | None) -> list[TestResult]:
    """Return the cases a round did not pass, without the answers."""
    if one is None or one.run_id is None:
        return []
    red = TestResult.objects.filter(run=one.run_id, status__in=[TestResult.Status.FAILED, TestResult.Status.ERROR])
    return list(red.defer("spec", "calls", "output")[:_MOST_FAILING])


def runs_to_take(schedule: Schedule) -> QuerySet[TestRun]:
    """Return the finished runs that could be the baseline, the newest first."""
    same = TestRun.objects.filter(
        prompt=schedule.prompt_id,
        model=schedule.model,
        environment=schedule.environment,
        status=TestRun.Status.DONE,
    )
    return same.select_related("version").annotate(
        total=Count("results"), passed=Count("results", filter=Q(results__status=TestResult.Status.PASSED))
    )


def usual_model(prompt: Prompt, models: Sequence[tuple[str, str]]) -> str:
    """Return what the tests were run on last, else the first that there is."""
    last = TestRun.objects.filter(prompt=prompt).first()
    if last is not None:
        return named_model(last.model, last.environment)
    return models[0][0] if models else ""
