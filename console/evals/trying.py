"""Try one case of a prompt's tests: ask, and check the answer."""

from functools import partial
from typing import Any

from console.evals.engine import identity_of
from console.evals.lease import Kind
from console.evals.marking import asking, judged, verdict
from console.evals.models import TestResult, TestRun, named_model
from console.evals.paying import Paid, Till
from console.gateway.reading import AnswerReader


async def _ask(run: TestRun, result: TestResult, till: Till) -> None:
    spec, identify = result.spec, identity_of(run)
    body: dict[str, Any] = {
        "model": named_model(run.model, run.environment),  # a key's own environment need not be the run's
        "prompt": {"id": run.version.prompt.slug, "version": run.version.number, "variables": spec["variables"]},
    }
    if spec["message"]:
        body["messages"] = [{"role": "user", "content": spec["message"]}]
    paid = await till.pay(identify, "answer", "chat", body)
    result.output = AnswerReader().whole(paid.body)
    result.request_id, result.latency_us = paid.id, paid.latency_us
    bill = partial(_add, result)
    bill(paid)
    result.checks, result.error = await judged(
        spec["checks"],
        spec["expected"],
        result.output,
        lambda at: asking(identify, till, f"check-{at}", bill),
    )
    result.status = verdict(result)


def _add(result: TestResult, paid: Paid) -> None:
    result.tokens += paid.tokens
    result.cost_micros += paid.cost_micros


TESTS = Kind("evals.advance", TestRun, TestResult, "run", _ask, joined=("version__prompt",))
