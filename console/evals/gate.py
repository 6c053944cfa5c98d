"""What tests say against a version that should get a label which asks for green ones."""

from console.core import words
from console.evals.models import TestCase, TestResult, TestRun
from prompts_app.models import PromptVersion


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
        found.append(f"{len(red)} {are} red on {run.model}: {words.some(red)}.")
    if stale:
        found.append(f"{words.some(stale)} changed since the last run on v{version.number}; run the tests again.")
    return found
