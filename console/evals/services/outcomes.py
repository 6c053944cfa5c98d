"""Decide the outcome of a round whose run is over: fine, repeat, or drift. The rule is in `drift.py`."""

import uuid

from django.db import transaction

from console.core import formatting
from console.evals import drift
from console.evals.models import Incident, Round, Schedule, TestResult, TestRun
from console.evals.services import baselines, incidents, rounds
from console.teams.actors import SYSTEM

Outcome = Round.Outcome
_LONGEST = 500
_ANSWERED = {TestResult.Status.PASSED, TestResult.Status.FAILED}


def settle_run(run_id: uuid.UUID) -> None:
    """Judge the rounds that wait for this run."""
    for round_id in Round.objects.filter(run=run_id, outcome=Outcome.OPEN).values_list("pk", flat=True):
        settle(round_id)


@transaction.atomic
def settle(round_id: uuid.UUID) -> None:
    """Judge one round, once: whoever holds its schedule's row first does."""
    found = Round.objects.select_related("schedule").get(pk=round_id)
    schedule = rounds.locked_schedule(found.schedule)
    found.refresh_from_db(fields=["outcome", "run"])
    run = found.run
    if found.outcome != Outcome.OPEN or (run is not None and not run.is_over):
        return
    if run is None or run.status == TestRun.Status.STOPPED:
        found.outcome = Outcome.INCOMPLETE
        found.sentence = "The run was stopped." if run else "The run is not there any more."
    else:
        _judge(schedule, found, run)
    found.save(update_fields=["outcome", "score", "lost", "sentence"])
    schedule.save(update_fields=["trouble"])
    if found.outcome == Outcome.SUSPICIOUS and not schedule.is_paused:
        rounds.begin(schedule, Round.Cause.AGAIN, f"again {found.pk}", before=found)


def _judge(schedule: Schedule, this_round: Round, run: TestRun) -> None:
    results = list(run.results.all())
    this_round.score = drift.score_of(results)
    schedule.trouble = _trouble(results)
    baseline = schedule.baseline
    seen = drift.compare(baseline.cases, results) if baseline else None
    if baseline is None or seen is None or not seen.compared:
        _first(schedule, this_round, run, results)
        return
    this_round.lost = sorted(seen.lost.values())
    is_open = Incident.objects.filter(schedule=schedule, closed_at=None).exists()
    other = _round_before(this_round, is_open=is_open)
    pair = drift.compare(baseline.cases, other.results.all()) if other else None
    if pair is not None and not pair.compared:  # its results are past their retention: it says nothing any more
        pair = None
    if pair is not None and drift.is_drift(pair, seen, schedule.tolerance):
        this_round.outcome = Outcome.DRIFTED
        this_round.sentence = _drifted(schedule, run, seen, pair)
        incidents.open_incident(
            schedule=schedule,
            run=run,
            before=seen.before,
            after=seen.after,
            lost=drift.lost_in_both(pair, seen).values(),
            sentence=this_round.sentence,
        )
    elif pair is None and drift.is_suspicious(seen, schedule.tolerance):
        this_round.outcome = Outcome.SUSPICIOUS
        again = "Not asked again, for the schedule is paused." if schedule.is_paused else "Asked again at once."
        this_round.sentence = f"Passed before and not now: {formatting.first_few(this_round.lost)}. {again}"[:_LONGEST]
    elif schedule.trouble:
        this_round.outcome, this_round.sentence = Outcome.INCOMPLETE, schedule.trouble
    else:
        _fine(schedule, this_round, run, results, seen)


def _first(schedule: Schedule, found: Round, run: TestRun, results: list[TestResult]) -> None:
    """Take the first whole run there is as the baseline; also when every test has changed since the last."""
    if schedule.trouble:
        found.outcome, found.sentence = Outcome.INCOMPLETE, schedule.trouble
        return
    reason = "Every test changed since the last baseline." if schedule.baseline else "The first run."
    baselines.freeze(actor=SYSTEM, schedule=schedule, run=run, results=results, reason=reason)
    found.outcome, found.sentence = Outcome.FINE, "Taken as the baseline."


def _fine(
    schedule: Schedule, found: Round, run: TestRun, results: list[TestResult], comparison: drift.Comparison
) -> None:
    found.outcome = Outcome.FINE
    incidents.end(schedule, SYSTEM, f"Back within the tolerance: {_score(comparison.after)}.")
    # A run of what was live before may end after the promotion: it is no measure of what is live now.
    is_live = (run.version_id, run.pinned) == (schedule.version_id, schedule.pinned)
    if is_live and (moved := _moved(schedule, run)):
        baselines.freeze(
            actor=SYSTEM, schedule=schedule, run=run, results=results, reason=f"{moved}.", keeps_passed=True
        )
        still = f" Still counted as passed before: {formatting.first_few(found.lost)}." if found.lost else ""
        found.sentence = f"{moved}. Taken as the baseline.{still}"[:_LONGEST]
    elif found.lost:
        found.sentence = f"Failed once, which is no drift: {formatting.first_few(found.lost)}."[:_LONGEST]
    elif comparison.not_compared:
        are = "test is" if comparison.not_compared == 1 else "tests are"
        found.sentence = f"{comparison.not_compared} {are} new or changed since the baseline, and not compared."


def _round_before(found: Round, *, is_open: bool) -> TestRun | None:
    """Return the run that must say the same: the one that is repeated; while an incident is open, the last one."""
    if found.cause == Round.Cause.AGAIN:
        return found.before.run if found.before else None
    if not is_open:
        return None
    judged = Round.objects.filter(schedule=found.schedule_id, run__isnull=False, at__lt=found.at)
    last = judged.exclude(outcome__in=[Outcome.OPEN, Outcome.REFUSED]).select_related("run").first()
    return last.run if last else None


def _trouble(results: list[TestResult]) -> str:
    broken = [result for result in results if result.status not in _ANSWERED]
    if not broken:
        return ""
    why = next((result.error for result in broken if result.error), "")
    return f"{len(broken)} of {len(results)} tests could not be asked. {why}".strip()[:_LONGEST]


def _moved(schedule: Schedule, run: TestRun) -> str:
    """Say what was promoted since the baseline, nothing when nothing was."""
    was = schedule.baseline
    if was is None:
        return ""
    parts = []
    if was.version_id != run.version_id:
        parts.append(f"{schedule.label} moved from v{was.version.number} to v{run.version.number}")
    if was.pinned != run.pinned:
        parts.append(f"{schedule.model} moved from {was.pinned} to {run.pinned}")
    return " and ".join(parts)


def _drifted(schedule: Schedule, run: TestRun, comparison: drift.Comparison, pair: drift.Comparison) -> str:
    lost = sorted(drift.lost_in_both(pair, comparison).values())
    moved = _moved(schedule, run)
    since = f" since {moved}" if moved else ""
    scores = f"{_score(comparison.before)} to {_score(comparison.after)}"
    message = f"{schedule.prompt.slug} fell from {scores} on {schedule.model}{since}."
    return (f"{message} No longer passes: {formatting.first_few(lost)}." if lost else message)[:_LONGEST]


def _score(value: float) -> str:
    return formatting.percent(round(value, 1))
