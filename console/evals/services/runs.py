"""Start and stop test runs. They are carried out in `engine.py` and `case_run.py`."""

from typing import Any

from django.db import transaction

from console.audit import actions
from console.core.clock import now
from console.core.errors import BadInput
from console.core.tasks import enqueue_on_commit
from console.evals.models import GOING_ON, TestCase, TestResult, TestRun
from console.evals.services.callers import check_caller
from console.evals.subjects import pinned_to
from console.teams.actors import Actor
from console.teams.models import Environment
from prompts_app.models import Prompt, PromptVersion
from prompts_app.services.common import locked, record_change

_MOST_GOING_ON = 5
_TASK, _QUEUE = "evals.advance", "batch"
_SPEC = ("variables", "message", "expected", "checks")


def environment_of(model: str) -> tuple[str, str]:
    """Return the model to name and the environment to ask in: `alias@sandbox`; without one, the alias in production."""
    name, at, environment = model.rpartition("@")
    if at and environment in Environment.values:
        return name, environment
    return model, Environment.SANDBOX if "/" in model else Environment.PRODUCTION


def spec_of(case: TestCase) -> dict[str, Any]:
    """Return a case as a run keeps it."""
    return {field: getattr(case, field) for field in _SPEC}


@transaction.atomic
def start_run(*, actor: Actor, prompt: Prompt, version: PromptVersion, model: str) -> TestRun:
    """Begin to try all cases of a prompt on one version. The calls are the actor's, on the owning team's quota."""
    prompt = locked(prompt)
    if version.prompt_id != prompt.pk:
        raise BadInput(f"{version} is not a version of {prompt.slug}.", param="version")
    check_caller(actor, prompt.team, purpose="run")
    assert actor.id is not None
    name, environment = environment_of(model.strip())
    if not name or len(name) > 200:
        raise BadInput("Say which alias, or which exact version, should answer.", param="model")
    cases = list(TestCase.objects.filter(prompt=prompt))
    if not cases:
        raise BadInput("There are no tests yet; add one first.")
    going_on = TestRun.objects.filter(prompt=prompt, status__in=GOING_ON)
    if going_on.count() >= _MOST_GOING_ON:
        raise BadInput(f"{_MOST_GOING_ON} runs of this prompt are going on; wait for one of them or stop it.")
    run = TestRun.objects.create(
        prompt=prompt,
        version=version,
        team_id=prompt.team_id,
        model=name,
        environment=environment,
        pinned=pinned_to(name, environment),
        started_by_kind=actor.kind,
        started_by_id=actor.id,
        started_by_name=actor.name,
        client_address=actor.client_address,
    )
    TestResult.objects.bulk_create(TestResult(run=run, case=case, name=case.name, spec=spec_of(case)) for case in cases)
    detail = {"version": version.number, "model": name, "environment": environment, "tests": len(cases)}
    record_change(actions.TEST_RUN_STARTED, actor=actor, prompt=prompt, detail=detail)
    enqueue_on_commit(_TASK, run.pk, queue=_QUEUE)
    return run


@transaction.atomic
def stop_run(*, actor: Actor, run: TestRun) -> None:
    """Begin no further case. Calls in progress end by themselves and are paid."""
    going_on = TestRun.objects.filter(pk=run.pk, status__in=GOING_ON)
    if going_on.update(status=TestRun.Status.STOPPED, finished_at=now(), lease_until=None, waits_for=""):
        detail = {"version": run.version.number, "model": run.model}
        record_change(actions.TEST_RUN_STOPPED, actor=actor, prompt=run.prompt, detail=detail)
