"""Run one test case of a prompt: ask, and check the answer."""

from functools import partial
from typing import Any

from console.evals.calls import Answer, OutcomeCalls
from console.evals.engine import identity_of
from console.evals.lease import Kind
from console.evals.models import TestResult, TestRun, named_model
from console.evals.scoring import asking, judged, verdict
from console.gateway.answer_reader import AnswerReader


async def _ask(run: TestRun, result: TestResult, calls: OutcomeCalls) -> None:
    spec, identify = result.spec, identity_of(run)
    body: dict[str, Any] = {
        "model": named_model(run.model, run.environment),  # a key's own environment need not be the run's
        "prompt": {"id": run.version.prompt.slug, "version": run.version.number, "variables": spec["variables"]},
    }
    if spec["message"]:
        body["messages"] = [{"role": "user", "content": spec["message"]}]
    answer = await calls.make(identify, "answer", "chat", body)
    result.output = AnswerReader().read(answer.body)
    result.request_id, result.latency_us = answer.id, answer.latency_us
    bill = partial(_add, result)
    bill(answer)
    result.checks, result.error = await judged(
        spec["checks"],
        spec["expected"],
        result.output,
        lambda at: asking(identify, calls, f"check-{at}", bill),
    )
    result.status = verdict(result)


def _add(result: TestResult, answer: Answer) -> None:
    result.tokens += answer.tokens
    result.cost_micros += answer.cost_micros


TESTS = Kind("evals.advance", TestRun, TestResult, "run", _ask, joined=("version__prompt",))
