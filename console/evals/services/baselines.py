"""Make a run the baseline of a schedule's later rounds."""

from collections.abc import Sequence

from django.db import transaction

from console.audit import actions
from console.core.errors import BadInput
from console.evals.drift import frozen, points, score_of
from console.evals.models import Baseline, Schedule, TestResult, TestRun
from console.evals.services import incidents
from console.evals.services.common import record_schedule_change
from console.evals.services.rounds import locked_schedule
from console.teams.actors import Actor
from prompts_app.services.common import check_reason


def freeze(
    *,
    actor: Actor,
    schedule: Schedule,
    run: TestRun,
    results: Sequence[TestResult],
    reason: str,
    keeps_passed: bool = False,
) -> Baseline:
    """Make a finished run the baseline of a locked schedule.

    With `keeps_passed`, what passed in the baseline so far is still wanted, though it failed in this run.
    """
    score = score_of(results)
    if score is None:
        raise BadInput("No test of this run was answered, so it has no score to hold others against.", param="run")
    was = schedule.baseline
    cases = frozen(results, was.cases if was is not None and keeps_passed else None)
    if keeps_passed and cases:
        score = points(sum(case["passed"] for case in cases.values()), len(cases))
    baseline = Baseline.objects.create(
        schedule=schedule,
        run=run,
        version=run.version,
        pinned=run.pinned,
        score=score,
        cases=cases,
        reason=reason,
        taken_by_name=actor.name,
    )
    schedule.baseline = baseline
    schedule.save(update_fields=["baseline"])
    detail = {"before": _logged(was), "after": _logged(baseline)}
    record_schedule_change(actions.TEST_BASELINE_TAKEN, actor, schedule, detail, reason=reason)
    return baseline


def _logged(baseline: Baseline | None) -> dict[str, object]:
    if baseline is None:
        return {"score": None}
    return {"score": round(baseline.score, 1), "version": baseline.version.number, "model": baseline.pinned}


@transaction.atomic
def take_baseline(*, actor: Actor, schedule: Schedule, run: TestRun, reason: str) -> Baseline:
    """Hold later rounds against this run: whoever does so says that it is good enough, so an open incident ends."""
    reason = check_reason(reason)
    schedule = locked_schedule(schedule)
    if run.prompt_id != schedule.prompt_id or (run.model, run.environment) != (schedule.model, schedule.environment):
        raise BadInput(f"A baseline is a run of this prompt on {schedule.target}.", param="run")
    if run.status != TestRun.Status.DONE:
        raise BadInput("Only a run that came to its end can be the baseline.", param="run")
    baseline = freeze(actor=actor, schedule=schedule, run=run, results=list(run.results.all()), reason=reason)
    incidents.end(schedule, actor, f"A new baseline was taken: {reason}")
    return baseline
