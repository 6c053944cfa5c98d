"""Store the result of a line: its row, its line of an output file, and the batch's counts."""

from typing import Any, NamedTuple

import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import F

from console.batches import sql
from console.batches.engine import lease
from console.batches.engine.outcomes import Again, Done, Failed, Outcome, Stopped, Unknown, Used
from console.batches.models import Batch, Line, LineState, State
from console.core.ids import request_id


class Finding(NamedTuple):
    """A line that was sent, and what came of it."""

    line: Line
    outcome: Outcome


@transaction.atomic
def record(batch: Batch, findings: list[Finding]) -> None:
    """Write outcomes and counts in one transaction, or nothing when the lease is lost."""
    written: list[sql.Outcome] = []
    completed, failed, used = 0, 0, [Used()]
    stopped: Failed | None = None
    for line, outcome in findings:
        outcome = _decide(line, outcome)
        completed += isinstance(outcome, Done)
        failed += isinstance(outcome, Failed)
        if isinstance(outcome, Done):
            used.append(outcome.used)
        if isinstance(outcome, Stopped):
            stopped = outcome.failure
        written.append(_written_of(batch, line, outcome))
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
    if written:
        sql.write_outcomes(written)


def _written_of(batch: Batch, line: Line, outcome: Outcome) -> sql.Outcome:
    fence, attempts = line.fence, line.attempts
    if isinstance(outcome, Unknown):  # as if left by the worker before: the log will say
        return sql.Outcome(line.pk, LineState.SENT, batch.fence - 1, attempts)
    if isinstance(outcome, Done):
        return sql.Outcome(
            line.pk, LineState.DONE, fence, attempts, status_code=200, result=success(line, outcome.body)
        )
    if isinstance(outcome, Failed):
        return sql.Outcome(
            line.pk,
            LineState.FAILED,
            fence,
            attempts,
            status_code=outcome.status,
            error_code=outcome.code[:80],
            error_message=outcome.message[:500],
            result=refused(line, outcome),
        )
    if isinstance(outcome, Again):
        wait = None if outcome.holds else outcome.seconds
        return sql.Outcome(line.pk, LineState.PENDING, fence, attempts + outcome.counts, wait)
    return sql.Outcome(line.pk, LineState.PENDING, fence, attempts)


def _decide(line: Line, outcome: Outcome) -> Outcome:
    """Give up on a line that failed too often, with its latest error."""
    if isinstance(outcome, Again) and outcome.counts and line.attempts + 1 >= settings.BATCH_LINE_ATTEMPTS:
        return outcome.failure
    return outcome


def success(line: Line, body: bytes) -> str:
    return _output_line(line, {"status_code": 200, "request_id": _request(line), "body": orjson.Fragment(body)}, None)


def refused(line: Line, failure: Failed) -> str:
    response = {"status_code": failure.status, "request_id": _request(line), "body": failure.body()}
    return _output_line(line, response, None)


def unsent(line: Line, code: str, message: str) -> str:
    """Return the error file's line of a call that never got its turn."""
    return _output_line(line, None, {"code": code, "message": message})


def _request(line: Line) -> str:
    return request_id(line.request_id) if line.request_id else ""


def _output_line(line: Line, response: dict[str, Any] | None, error: dict[str, str] | None) -> str:
    identifier = f"batch_req_{line.pk:x}"
    return orjson.dumps({"id": identifier, "custom_id": line.custom_id, "response": response, "error": error}).decode()
