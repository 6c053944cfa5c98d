"""Work through a run: a few cases at a time, on a lease, to be taken up by anybody when the worker is gone.

1. Claim the run: nobody else works on it while the lease lives. It is renewed while calls are under way.
2. For each case that has no verdict yet: ask, check the answer, write the verdict. Calls are made once (`paying.py`).
3. When no case waits any more, the run is done.
"""

import asyncio
import datetime as dt
import logging
import uuid
from functools import partial
from typing import Any

from django.conf import settings

from console.audit.redaction import prepare_payload, redact
from console.core.clock import now
from console.core.connections import in_thread
from console.core.errors import ProviderError, Refusal
from console.evals.checks import title_of
from console.evals.models import TestResult, TestRun
from console.evals.paying import Paid, pay
from console.evals.verdicts import AskModel, verdict_on
from console.gateway import sync
from console.gateway.identity import PersonIdentity, StartedByKey
from console.gateway.reading import AnswerReader
from console.gateway.refusing import Identify

log = logging.getLogger(__name__)

# Cases of one run under way at a time; the batch lane's permits hold all runs together.
_AT_ONCE = 4


def _lease() -> dt.timedelta:
    return dt.timedelta(seconds=settings.BATCH_LEASE_SECONDS)


def advance(run_id: uuid.UUID) -> None:
    """Go on with a run until it is over. Safe to call twice, late or never."""
    run = _claim(run_id)
    if run is not None:
        sync.run(_work(run))


def _claim(run_id: uuid.UUID) -> TestRun | None:
    moment = now()
    free = TestRun.objects.filter(pk=run_id, status__in=[TestRun.Status.QUEUED, TestRun.Status.RUNNING])
    free = free.exclude(lease_until__gt=moment)
    if not free.update(status=TestRun.Status.RUNNING, lease_until=moment + _lease()):
        return None
    return TestRun.objects.select_related("version__prompt").get(pk=run_id)


def identity_of(run: TestRun) -> Identify:
    if run.started_by_kind == "key":
        return StartedByKey(run.started_by_id, run.client_address, now())
    return PersonIdentity(run.started_by_id, run.team_id, run.environment)


async def _work(run: TestRun) -> None:
    keeper = asyncio.create_task(_keep_lease(run.pk))
    try:
        waiting = await in_thread(lambda: list(run.results.filter(status=TestResult.Status.WAITING)))
        turn, identify = asyncio.Semaphore(_AT_ONCE), identity_of(run)

        async def one(result: TestResult) -> None:
            async with turn:
                await _try(run, result, identify)

        await asyncio.gather(*(one(result) for result in waiting))
        await in_thread(lambda: _finish(run.pk))
    finally:
        keeper.cancel()


async def _keep_lease(run_id: uuid.UUID) -> None:
    while True:
        await asyncio.sleep(settings.BATCH_LEASE_SECONDS / 3)
        await in_thread(partial(_renew, run_id))


def _renew(run_id: uuid.UUID) -> None:
    TestRun.objects.filter(pk=run_id, status=TestRun.Status.RUNNING).update(lease_until=now() + _lease())


def _finish(run_id: uuid.UUID) -> None:
    TestRun.objects.filter(pk=run_id, status=TestRun.Status.RUNNING).update(
        status=TestRun.Status.DONE, finished_at=now(), lease_until=None
    )


async def _try(run: TestRun, result: TestResult, identify: Identify) -> None:
    """Ask one case and write its verdict; what goes wrong is the verdict of this case alone."""
    if not await in_thread(lambda: TestRun.objects.filter(pk=run.pk, status=TestRun.Status.RUNNING).exists()):
        return
    try:
        await _ask(run, result, identify)
    except (Refusal, ProviderError) as error:
        result.status, result.error = TestResult.Status.ERROR, error.message
    except Exception as broken:
        log.exception("Case %s of run %s could not be tried.", result.pk, run.pk)
        result.status, result.error = TestResult.Status.ERROR, f"Something broke on our side: {type(broken).__name__}."
    _cover(result)
    fields = ["status", "error", "output", "checks", "request_id", "tokens", "cost_micros", "latency_us"]
    await in_thread(lambda: result.save(update_fields=fields))


def _cover(result: TestResult) -> None:
    """Keep of the answer what the log would keep: no secrets, not longer. It was judged as it came."""
    result.output = prepare_payload(result.output).body
    for check in result.checks:
        check["reason"] = redact(check["reason"])[0].replace("\x00", "\ufffd")


def _named(run: TestRun) -> str:
    """Return the model with the run's environment: a key has one of its own, which need not be the run's."""
    return run.model if "/" in run.model else f"{run.model}@{run.environment}"


async def _ask(run: TestRun, result: TestResult, identify: Identify) -> None:
    spec = result.spec
    body: dict[str, Any] = {
        "model": _named(run),
        "prompt": {"id": run.version.prompt.slug, "version": run.version.number, "variables": spec["variables"]},
    }
    if spec["message"]:
        body["messages"] = [{"role": "user", "content": spec["message"]}]
    paid = await pay(identify, result.pk, "answer", "chat", body)
    reader = AnswerReader()
    result.output = reader.whole(paid.body)
    result.request_id, result.latency_us = paid.id, paid.latency_us
    _add(result, paid)
    result.checks = []
    for at, check in enumerate(spec["checks"]):
        verdict = await verdict_on(check, spec["expected"], result.output, _asking(identify, result, f"check-{at}"))
        shown = {"kind": check["kind"], "title": title_of(check), "passed": verdict.passed, "reason": verdict.reason}
        result.checks.append(shown)
        if not verdict.was_made and not result.error:
            result.error = f"{shown['title']}: this could not be checked. {verdict.reason}"
    is_fine = all(check["passed"] for check in result.checks)
    result.status = _status(is_fine, result)


def _status(is_fine: bool, result: TestResult) -> str:
    """Return passed or failed, and error where a check could not be made: that is no verdict on the answer."""
    if result.error:
        return TestResult.Status.ERROR
    return TestResult.Status.PASSED if is_fine else TestResult.Status.FAILED


def _asking(identify: Identify, result: TestResult, step: str) -> AskModel:
    """Return how a check of a result asks: once, and on the result's account."""

    async def ask(operation: str, body: dict[str, Any]) -> bytes:
        paid = await pay(identify, result.pk, step, operation, body)
        _add(result, paid)
        return paid.body

    return ask


def _add(result: TestResult, paid: Paid) -> None:
    result.tokens += paid.tokens
    result.cost_micros += paid.cost_micros
