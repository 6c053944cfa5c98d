"""Read an input file once, validate its lines, and store where each of them is."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from console.batches import sql, storage
from console.batches.endpoints import ENDPOINTS, FAILING_ALONE
from console.batches.engine import lease
from console.batches.engine.parsing import parse, read
from console.batches.models import Batch, Line, State
from console.batches.sql import NewLine
from console.core.errors import BadInput
from console.gateway.operations import OPERATIONS
from console.gateway.unknown_fields import dropped_by
from console.teams.unknown_fields import policy_of

_AT_ONCE = 1000
# More would tell nobody more. OpenAI's clients show them all.
_MOST_ERRORS = 100


class _Errors:
    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []

    def add(self, code: str, message: str, *, line: int | None = None, param: str | None = None) -> None:
        if len(self.found) < _MOST_ERRORS:
            self.found.append({"code": code, "message": message, "param": param, "line": line})


def validate(batch: Batch) -> None:
    """Make the batch's lines and set it in progress; or set it failed, with what is wrong in which line."""
    Line.objects.filter(batch=batch).delete()  # what a worker that died had written
    errors, total = _Errors(), 0
    policy = policy_of(batch.key)
    waiting: list[NewLine] = []
    for raw in storage.raw_lines(batch.input_file_id, longest=settings.GATEWAY_BODY_BYTES):
        if not raw.body.strip():
            continue
        total += 1
        if total > settings.BATCH_MAX_LINES:
            errors.add("too_many_lines", f"A batch has at most {settings.BATCH_MAX_LINES:,} lines.", line=raw.number)
            break
        if (line := _line(batch, raw, errors, policy)) is not None:
            waiting.append(line)
        if len(waiting) >= _AT_ONCE:
            _write(batch, waiting, errors)
            waiting = []
    _write(batch, waiting, errors)
    if not total:
        errors.add("empty_file", "The input file has no lines.")
    _conclude(batch, total, errors)


def _line(batch: Batch, raw: storage.RawLine, errors: _Errors, policy: str) -> NewLine | None:
    if raw.is_cut:
        limit = f"{settings.GATEWAY_BODY_BYTES:,}"
        errors.add("line_too_long", f"The line is longer than {limit} bytes.", line=raw.number)
        return None
    try:
        custom_id = _checked(batch, raw.body, policy)
    except BadInput as wrong:
        errors.add(wrong.code, wrong.message, line=raw.number, param=wrong.param)
        return None
    return NewLine(raw.number, custom_id, raw.offset, len(raw.body))


def _checked(batch: Batch, body: bytes, policy: str) -> str:
    """Return the line's custom_id, once it is one that can be sent, or one that is to fail by itself."""
    if batch.endpoint in FAILING_ALONE:
        return read(body, batch.endpoint).custom_id
    parsed = parse(body, batch.endpoint)
    operation = OPERATIONS[ENDPOINTS[batch.endpoint]]
    dropped_by(policy, parsed.body.keys() - operation.known_fields, operation.withheld)
    return parsed.custom_id


def _write(batch: Batch, lines: list[NewLine], errors: _Errors) -> None:
    """Write lines whose custom_id is new. Asked of the database, since a file's ids may not fit into memory."""
    if not lines:
        return
    wanted = [line.custom_id for line in lines]
    seen = dict(Line.objects.filter(batch=batch, custom_id__in=wanted).values_list("custom_id", "number"))
    fresh = []
    for line in lines:
        first = seen.setdefault(line.custom_id, line.number)
        if first == line.number:
            fresh.append(line)
        else:
            message = f"The custom_id {line.custom_id[:60]!r} is that of line {first} as well."
            errors.add("duplicate_custom_id", message, line=line.number, param="custom_id")
    with transaction.atomic():
        lease.change(batch)
        if fresh:
            sql.add_lines(batch.pk, fresh)


def _conclude(batch: Batch, total: int, errors: _Errors) -> None:
    if errors.found:
        Line.objects.filter(batch=batch).delete()
        lease.change(batch, state=State.FAILED, failed_at=Now(), errors=errors.found)
        return
    lease.change(batch, total=total)
    started = Batch.objects.filter(pk=batch.pk, ends_as="")  # it may have been cancelled meanwhile
    started.update(state=State.IN_PROGRESS, in_progress_at=Now())
