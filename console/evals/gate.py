"""Objections of tests to a version that should get a label, or that an alias should point at."""

import datetime as dt

from console.audit.models import AuditEvent
from console.catalog.models import Alias, ModelVersion
from console.core.clock import now
from console.core.formatting import first_few, percent
from console.evals.drift import ANSWERED, compare, is_suspicious, not_shown, points
from console.evals.models import Baseline, Schedule, TestCase, TestResult, TestRun
from console.evals.subjects import subjects_of
from console.teams.models import Environment
from prompts_app.models import PromptVersion

# A run from before a promotion speaks for what is promoted if it is no older.
STILL_SPEAKS = dt.timedelta(days=1)


def latest_run(version: PromptVersion) -> TestRun | None:
    """Return the run that counts: the newest finished one, on whichever model the team chose for it."""
    return TestRun.objects.filter(version=version, status=TestRun.Status.DONE).first()


def objections(version: PromptVersion, label: str) -> list[str]:
    """Return what is red or not tried, a sentence each; nothing when every present case passed as it is now."""
    cases = list(TestCase.objects.filter(prompt_id=version.prompt_id).only("id", "name", "changed_at"))
    if not cases:
        return [f"The prompt has no tests yet, so nothing says that v{version.number} is fine."]
    run = latest_run(version)
    if run is None:
        return [f"Its tests have not been run on v{version.number} yet."]
    passed = dict(run.results.values_list("case_id", "status"))
    fresh = [case for case in cases if case.pk in passed and case.changed_at <= run.started_at]
    red = [case.name for case in fresh if passed[case.pk] != TestResult.Status.PASSED]
    stale = [case.name for case in cases if case not in fresh]
    found = []
    if red:
        are = "test is" if len(red) == 1 else "tests are"
        found.append(f"{len(red)} {are} red on {run.model}: {first_few(red)}.")
    if stale:
        found.append(f"{first_few(stale)} changed since the last run on v{version.number}; run the tests again.")
    return found


def against_move(alias: Alias, version: ModelVersion) -> list[str]:
    """Return what the tests that are scheduled on an alias in production say against a version it should mean.

    They have to have been run on it within a day, with the prompt as its label means it now, answered by it alone (a
    fallback or canary of the pin they were asked by says nothing of it), and to do no worse than their baseline by more
    than the schedule's tolerance. A test that passed in the baseline and was removed counts as lost, and so does one
    that was changed and is red: else who may write tests could open the way to any version.
    """
    on_it = Schedule.objects.filter(model=alias.name, environment=Environment.PRODUCTION, prompt__deleted_at=None)
    schedules = list(on_it.select_related("prompt", "baseline").order_by("prompt__slug", "label"))
    if not schedules:
        return [f"No tests are scheduled on {alias.name} in production, so nothing says that {version} does as well."]
    found = []
    for schedule, subject in zip(schedules, subjects_of(schedules), strict=True):
        if subject.version is None:
            found.append(f"The label {schedule.label} of {schedule.prompt.slug} is on no version.")
        elif said := _against(schedule, subject.version, str(version)):
            found.append(said)
    return found


def _against(schedule: Schedule, prompt: PromptVersion, model: str) -> str:
    tests = f"{prompt}’s tests"
    runs = TestRun.objects.filter(version=prompt, pinned=model, status=TestRun.Status.DONE)
    run = runs.filter(started_at__gt=now() - STILL_SPEAKS).first()
    if run is None:
        return f"{tests} have not been run on {model} within a day; run them there."
    changed = TestCase.objects.filter(prompt_id=prompt.prompt_id, changed_at__gt=run.started_at)
    if stale := list(changed.order_by("name").values_list("name", flat=True)):
        return f"{first_few(stale)} of {tests} changed since they were run on {model}; run them again."
    results = list(run.results.all())
    broken = sum(result.status not in ANSWERED for result in results)
    if broken:
        return f"{broken} of {tests} could not be asked on {model}; run them again."
    asked = [result.request_id for result in results if result.request_id]
    answered = set(AuditEvent.objects.filter(pk__in=asked).values_list("model", flat=True))
    if others := sorted(answered - {model, ""}):
        return f"{first_few(others)} answered {tests}, not {model} alone; run them on that exact version."
    if schedule.baseline is None:
        return f"{tests} have no baseline to be held against yet."
    seen = compare(schedule.baseline.cases, results)
    if not seen.compared:
        return f"All of {tests} changed since their baseline, so nothing can be compared."
    if not is_suspicious(seen, schedule.tolerance) and seen.before - seen.after <= schedule.tolerance:
        return _against_changes(schedule, schedule.baseline, results, model)
    before, after = (percent(round(score, 1)) for score in (seen.before, seen.after))
    fell = f"{tests} fall from {before} to {after} on {model}"
    return f"{fell}: {first_few(sorted(seen.lost.values()))}." if seen.lost else f"{fell}."


def _against_changes(schedule: Schedule, baseline: Baseline, results: list[TestResult], model: str) -> str:
    """Return what the tests that are not as they were in the baseline say; empty while that is within the tolerance."""
    lost = not_shown(baseline.cases, results)
    if points(len(lost), len(baseline.cases)) <= schedule.tolerance:
        return ""
    return (
        f"{first_few(sorted(lost.values()))} passed in the baseline of {schedule.prompt.slug} and changed or went"
        f" since, and nothing says that they pass on {model}. If that is meant, take a new baseline."
    )
