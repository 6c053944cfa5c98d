"""Score an answer with its checks, and account for the calls they make."""

from collections.abc import Callable, Sequence
from typing import Any

from console.evals.calls import Answer, OutcomeCalls
from console.evals.checks import Spec, title_of
from console.evals.models import Outcome
from console.evals.verdicts import AskModel, verdict_on
from console.gateway.refusals import Identify

Bill = Callable[[Answer], None]


def asking(identify: Identify, calls: OutcomeCalls, step: str, bill: Bill) -> AskModel:
    """Return how a check asks: once, and on the outcome's account."""

    async def ask(operation: str, body: dict[str, Any]) -> bytes:
        answer = await calls.make(identify, step, operation, body)
        bill(answer)
        return answer.body

    return ask


async def judged(
    checks: Sequence[Spec], expected: str, output: str, ask_for: Callable[[int], AskModel]
) -> tuple[list[dict[str, Any]], str]:
    """Return what checks say of an answer, and which could not be made and why."""
    shown: list[dict[str, Any]] = []
    trouble = ""
    for at, check in enumerate(checks):
        said = await verdict_on(check, expected, output, ask_for(at))
        title = title_of(check)
        one = {"kind": check["kind"], "title": title, "passed": said.passed, "reason": said.reason}
        shown.append(one if said.was_made else {**one, "was_made": False})
        if not said.was_made and not trouble:
            trouble = f"{title}: this could not be checked. {said.reason}"
    return shown, trouble


def verdict(outcome: Outcome) -> str:
    """Return passed or failed, and error where a check could not be made: that is no verdict on the answer."""
    if outcome.error:
        return Outcome.Status.ERROR
    is_fine = all(check["passed"] for check in outcome.checks if check.get("was_made", True))
    return Outcome.Status.PASSED if is_fine else Outcome.Status.FAILED
