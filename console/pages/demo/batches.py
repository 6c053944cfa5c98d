"""Create the demo's batches, all invented."""

import datetime as dt
import random
from itertools import groupby
from typing import NamedTuple

import orjson

from console.audit.models import AuditEvent, Status
from console.batches import storage
from console.batches.engine import results
from console.batches.engine.outcomes import Failed
from console.batches.models import Batch, File, Line, LineState, Purpose, State
from console.batches.services.files import begin_file
from console.core.clock import now
from console.pages.demo.calls import SEED
from console.pages.demo.cast import STREAMS
from console.pages.demo.ids import id_at
from console.pages.demo.texts import bodies
from console.teams.models import ApiKey, Environment, Team, User

_STREAM = next(stream for stream in STREAMS if stream.lane == "batch")
_ENDPOINT = "/v1/chat/completions"
_NIGHTS, _DAY, _HALF = 4, dt.timedelta(days=1), dt.timedelta(hours=12)
_BY = "tomas.lind@demo.example"
_FAILURE = Failed(502, "upstream_error", "The provider answered with an error.", "api_error")


class _Asked(NamedTuple):
    """A line of an input file, and the body of its answer."""

    custom_id: str
    line: bytes
    answer: bytes


def make_batches(team: Team, key: ApiKey, people: dict[str, User]) -> None:
    """Make a batch of each of the last whole nights in the log, and one whose file was refused."""
    rng = random.Random(SEED)  # noqa: S311  invented texts, no secret
    noon = now().replace(hour=12, minute=0, second=0, microsecond=0)
    until = noon if noon <= now() else noon - _DAY
    logged = AuditEvent.objects.filter(key_id=key.pk, lane="batch", client_request_id__startswith="demo-")
    nights = logged.filter(at__gte=until - _NIGHTS * _DAY, at__lt=until).order_by("at", "id")
    for night, calls in groupby(nights, key=lambda call: (call.at - _HALF).date()):
        _make_night(team, key, f"tickets-{night}.jsonl", list(calls), rng)
    _make_refused(team, people[_BY], until - dt.timedelta(hours=3), rng)


def _make_night(team: Team, key: ApiKey, name: str, calls: list[AuditEvent], rng: random.Random) -> None:
    """Make a batch that is done, with its lines and its files."""
    began, ended = calls[0].at - dt.timedelta(seconds=9), max(call.closed_at or call.at for call in calls)
    asked = [_ask(f"ticket-{48_000 + number}", rng, call) for number, call in enumerate(calls, 1)]
    answered = [call for call in calls if call.status != Status.ERROR]
    batch = Batch.objects.create(
        id=id_at(began),
        team=team,
        environment=key.environment,
        key=key,
        creator=key.name,
        name=name,
        endpoint=_ENDPOINT,
        input_file=_file(team, key, name, Purpose.BATCH, [one.line for one in asked], began),
        state=State.COMPLETED,
        created_at=began,
        in_progress_at=began + dt.timedelta(seconds=6),
        expires_at=began + _DAY,
        finalizing_at=ended + dt.timedelta(seconds=1),
        completed_at=ended + dt.timedelta(seconds=2),
        total=len(calls),
        completed=len(answered),
        failed=len(calls) - len(answered),
        prompt_tokens=sum(call.prompt_tokens for call in answered),
        cached_tokens=sum(call.cached_tokens for call in answered),
        completion_tokens=sum(call.completion_tokens for call in answered),
        cost_micros=sum(call.cost_micros for call in answered),
    )
    done, failed = _lines(batch, asked, calls)
    if done:
        batch.output_file = _file(team, key, f"{batch.public_id}_output.jsonl", Purpose.BATCH_OUTPUT, done, ended)
    if failed:
        batch.error_file = _file(team, key, f"{batch.public_id}_errors.jsonl", Purpose.BATCH_OUTPUT, failed, ended)
    batch.save(update_fields=["output_file", "error_file"])


def _lines(batch: Batch, asked: list[_Asked], calls: list[AuditEvent]) -> tuple[list[bytes], list[bytes]]:
    """Write the batch's lines as a worker leaves them; return those of its output and of its error file."""
    lines, offset = [], 0
    for number, (one, call) in enumerate(zip(asked, calls, strict=True), 1):
        line = Line(batch=batch, number=number, custom_id=one.custom_id, offset=offset, length=len(one.line), fence=1)
        line.request_id, line.finished_at = call.pk, call.closed_at
        if call.status == Status.ERROR:
            line.state, line.status_code, line.attempts = LineState.FAILED, _FAILURE.status, call.attempts
            line.error_code, line.error_message = _FAILURE.code, _FAILURE.message
        else:
            line.state, line.status_code = LineState.DONE, 200
        lines.append(line)
        offset += len(one.line) + 1
    Line.objects.bulk_create(lines)
    done, failed = [], []
    for line, one in zip(lines, asked, strict=True):
        if line.state == LineState.DONE:
            done.append(results.success(line, one.answer).encode())
        else:
            failed.append(results.refused(line, _FAILURE).encode())
    return done, failed


def _make_refused(team: Team, person: User, at: dt.datetime, rng: random.Random) -> None:
    """Make the batch somebody tried by hand: two lines of its file have one name, so nothing was sent."""
    name, names = "tickets-by-hand.jsonl", ("ticket-48213", "ticket-48240", "ticket-48240")
    message = f"The custom_id {names[2]!r} is that of line 2 as well."
    Batch.objects.create(
        id=id_at(at),
        team=team,
        environment=Environment.SANDBOX,
        person=person,
        creator=person.name,
        name=name,
        endpoint=_ENDPOINT,
        input_file=_file(team, person, name, Purpose.BATCH, [_ask(custom_id, rng).line for custom_id in names], at),
        state=State.FAILED,
        errors=[{"code": "duplicate_custom_id", "message": message, "param": "custom_id", "line": 3}],
        created_at=at,
        expires_at=at + _DAY,
        failed_at=at + dt.timedelta(seconds=1),
    )


def _ask(custom_id: str, rng: random.Random, call: AuditEvent | None = None) -> _Asked:
    request, reply = bodies(_STREAM.topics, _STREAM.alias, custom_id, is_stream=False, rng=rng)
    line = {"custom_id": custom_id, "method": "POST", "url": _ENDPOINT, "body": orjson.Fragment(request)}
    answer = orjson.loads(reply)
    if call is not None:
        used, made = call.prompt_tokens, call.completion_tokens
        usage = {"prompt_tokens": used, "completion_tokens": made, "total_tokens": used + made}
        answer |= {"model": call.model, "created": int(call.at.timestamp()), "usage": usage}
    return _Asked(custom_id, orjson.dumps(line), orjson.dumps(answer))


def _file(team: Team, by: ApiKey | User, name: str, purpose: str, lines: list[bytes], at: dt.datetime) -> File:
    """Write a file of that moment, ready to be read."""
    file = begin_file(
        team=team,
        environment=by.environment if isinstance(by, ApiKey) else Environment.SANDBOX,
        filename=name,
        purpose=purpose,
        creator=by.name,
        key_id=by.pk if isinstance(by, ApiKey) else None,
        person_id=by.pk if isinstance(by, User) else None,
    )
    writer = storage.Writer(file)
    writer.write(b"".join(line + b"\n" for line in lines))
    file.sha256, file.bytes, file.is_ready, file.created_at = writer.close(), writer.size, True, at
    file.save(update_fields=["sha256", "bytes", "is_ready", "created_at"])
    return file
