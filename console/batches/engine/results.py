"""What is written down of a line's outcome: its row, its line of an output file, and the batch's counts."""

from typing import Any, NamedTuple

import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from console.batches.engine import lease
from console.batches.engine.outcomes import Again, Done, Failed, Outcome, Stopped, Unknown, Used
from console.batches.models import Batch, Line, LineState, State
from console.core.ids import request_id


class Finding(NamedTuple):
    """A line that was sent, and what came of it."""

    line: Line
    outcome: Outcome


_WRITTEN = [
    "state",
    "fence",
    "attempts",
    "not_before",
    "status_code",
    "error_code",
    "error_message",
    "result",
    "finished_at",
]


@transaction.atomic
def record(batch: Batch, findings: list[Finding]) -> None:
    """Write outcomes and counts in one transaction, or nothing when the lease is lost."""
    lines, completed, failed, used = [], 0, 0, [Used()]
    stopped: Failed | None = None
    for line, outcome in findings:
        outcome = _decide(line, outcome)
        if isinstance(outcome, Unknown):
            line.fence = batch.fence - 1  # as if left by the worker before: the log will say
        elif isinstance(outcome, Done):
            completed += 1
            used.append(outcome.used)
            _finish(line, LineState.DONE, 200, success(line, outcome.body))
        elif isinstance(outcome, Failed):
            failed += 1
            line.error_code, line.error_message = outcome.code[:80], outcome.message[:500]
            _finish(line, LineState.FAILED, outcome.status, refused(line, outcome))
        else:
            line.state, line.not_before = LineState.PENDING, None
            if isinstance(outcome, Again):
                line.attempts += outcome.counts
                line.not_before = Now() + lease.seconds(outcome.seconds) if not outcome.holds else None
            if isinstance(outcome, Stopped):
                stopped = outcome.failure
        lines.append(line)
    counts = {
        "completed": completed,
        "failed": failed,
        "prompt_tokens": sum(u.prompt for u in used),
        "cached_tokens": sum(u.cached for u in used),
        "completion_tokens": sum(u.completion for u in used),
        "reasoning_tokens": sum(u.reasoning for u in used),
        "cost_micros": sum(u.cost_micros for u in used),
    }
    lease.change(batch, **{name: F(name) + value for name, value in counts.items() if value})
    if stopped is not None:
        error = {"code": stopped.code, "message": stopped.message, "param": None, "line": None}
        Batch.objects.filter(pk=batch.pk, ends_as="").update(ends_as=State.FAILED, errors=[error])
    if lines:
        Line.objects.bulk_update(lines, _WRITTEN)


def _decide(line: Line, outcome: Outcome) -> Outcome:
    """Give up on a line that failed too often, with its latest error."""
    if isinstance(outcome, Again) and outcome.counts and line.attempts + 1 >= settings.BATCH_LINE_ATTEMPTS:
        return outcome.failure
    return outcome


def _finish(line: Line, state: LineState, status: int, result: str) -> None:
    line.state, line.status_code, line.result, line.finished_at = state, status, result, Now()


def success(line: Line, body: bytes) -> str:
    return _written(line, {"status_code": 200, "request_id": _request(line), "body": orjson.Fragment(body)}, None)


def refused(line: Line, failure: Failed) -> str:
    response = {"status_code": failure.status, "request_id": _request(line), "body": failure.body()}
    return _written(line, response, None)


def unsent(line: Line, code: str, message: str) -> str:
    """Return the error file's line of a call that never got its turn."""
    return _written(line, None, {"code": code, "message": message})


def _request(line: Line) -> str:
    return request_id(line.request_id) if line.request_id else ""


def _written(line: Line, response: dict[str, Any] | None, error: dict[str, str] | None) -> str:
    identifier = f"batch_req_{line.pk:x}"
    return orjson.dumps({"id": identifier, "custom_id": line.custom_id, "response": response, "error": error}).decode()
