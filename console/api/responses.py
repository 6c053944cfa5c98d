"""Responses as they are kept: the input and output of their lines in the audit log, and nothing besides.

A line is written in the commit that closes its call, before the answer is given out, so any process can continue from
it at once; redaction, retention and the rights to content are the log's. Only that one was deleted is stored here, and
which line has the answer of one in the background.
"""

import re
import uuid
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import transaction
from django.db.models import Exists, OuterRef

from console.api.background import rows, runs, shapes
from console.api.models import BackgroundResponse, ForgottenResponse
from console.audit import actions
from console.audit.models import AuditEvent, EventType, Payload, Status
from console.audit.services import record
from console.core.clock import now
from console.core.errors import Conflict, NotAllowed
from console.teams.callers import Caller
from console.teams.models import Team

PREFIX = "resp_"
_NAME = re.compile(rf"{PREFIX}[0-9a-f]{{32}}")
_OF_RESPONSE = re.compile(rf'"response": ?"({PREFIX}[0-9a-f]{{32}})"')


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """One response, as it was asked for and answered."""

    id: uuid.UUID
    team_id: uuid.UUID
    request: dict[str, Any]
    response: dict[str, Any]
    size: int  # bytes of both in the log
    is_own: bool  # made by who asks, who needs no right to content for it

    @property
    def previous(self) -> str:
        return str(self.request.get("previous_response_id") or "")


@dataclass(frozen=True, slots=True)
class StoredRows:
    """What is stored of several responses, read together; nothing of other teams than the caller's."""

    background: dict[uuid.UUID, BackgroundResponse]
    lines: dict[uuid.UUID, AuditEvent]
    bodies: dict[uuid.UUID, dict[str, Payload]]

    @classmethod
    def of(cls, caller: Caller, ids: list[uuid.UUID]) -> "StoredRows":
        background = _rows_of(caller, ids)
        lines = AuditEvent.objects.filter(
            pk__in=[_line_of(id, background.get(id)) for id in ids],
            type=EventType.RESPONSE,
            status=Status.OK,
            team_id__in=list(caller.rights),
        ).exclude(Exists(ForgottenResponse.objects.filter(pk=OuterRef("pk"))))
        by_id = {line.pk: line for line in lines.only("team_id", "key_id", "detail")}
        bodies: dict[uuid.UUID, dict[str, Payload]] = {}
        for payload in Payload.objects.filter(event_id__in=list(by_id)):
            bodies.setdefault(payload.event_id, {})[payload.kind] = payload
        return cls(background, by_id, bodies)

    def has(self, id: uuid.UUID) -> bool:
        return id in self.background or id in self.lines


def id_of(name: str) -> uuid.UUID | None:
    """Return the id in `resp_…`; None where there is none."""
    return uuid.UUID(hex=name.removeprefix(PREFIX)) if _NAME.fullmatch(name) else None


def _rows_of(caller: Caller, ids: list[uuid.UUID]) -> dict[uuid.UUID, BackgroundResponse]:
    mine = BackgroundResponse.objects.filter(pk__in=ids, team_id__in=list(caller.rights))
    return {row.pk: row for row in mine.select_related("team", "run__agent").defer("body")}


def _line_of(id: uuid.UUID, row: BackgroundResponse | None) -> uuid.UUID | None:
    """Say which line of the log has a response: its own, or that of the call made for it in the background."""
    return id if row is None else row.request_id


def in_background(caller: Caller, name: str) -> tuple[BackgroundResponse, bool] | None:
    """Return a response in the background and whether it is the caller's own; None for strangers, and for others."""
    id = id_of(name)
    row = _rows_of(caller, [id]).get(id) if id is not None else None
    return _judged(caller, row) if row is not None else None


def _judged(caller: Caller, row: BackgroundResponse) -> tuple[BackgroundResponse, bool] | None:
    runs.look(row)
    is_own = row.key_id in caller.own_keys
    return (row, is_own) if is_own or caller.may("read_content", row.team_id) else None


def find(caller: Caller, name: str, *, param: str | None = None) -> StoredResponse:
    """Return a response to who made it, and to those who may read the team's content; NotFound for all others."""
    id = id_of(name)
    if id is None:
        raise rows.missing(name, param)
    return response_in(caller, name, id, StoredRows.of(caller, [id]), param)


def response_in(caller: Caller, name: str, id: uuid.UUID, stored: StoredRows, param: str | None) -> StoredResponse:
    """Return a response out of what was read of several, as `find` does."""
    line_id: uuid.UUID | None = id
    background = stored.background.get(id)
    background_row = _judged(caller, background) if background is not None else None
    if background_row is not None:
        row, is_own = background_row
        if row.is_open:
            raise Conflict(
                f"The response {name!r} is {row.get_state_display().lower()}; go on from it when it is completed.",
                param=param,
                code="response_not_over",
            )
        if row.run_id is not None:
            return _of_run(row, name, param, is_own=is_own)
        is_answered = row.state in {BackgroundResponse.State.COMPLETED, BackgroundResponse.State.INCOMPLETE}
        line_id = row.request_id if is_answered else None
    line = stored.lines.get(line_id) if line_id is not None else None
    if line is None or line.team_id is None:
        raise rows.missing(name, param)
    if background_row is None and (names := _OF_RESPONSE.search(line.detail)) and names[1] != name:
        raise rows.missing(name, param)  # the call of a response with another id, under which it is found or not
    is_own = line.key_id in caller.own_keys
    if not is_own and not caller.may("read_content", line.team_id):
        raise rows.missing(name, param)
    bodies = stored.bodies.get(line.pk, {})
    if bodies.keys() < {"input", "output"}:
        raise rows.missing(name, param)
    if any(payload.is_cut for payload in bodies.values()):
        raise _not_whole(name, param)
    request, response = (orjson.loads(bodies[kind].body) for kind in ("input", "output"))
    if request.get("store") is False:
        raise rows.missing(name, param)
    size = sum(len(payload.body) for payload in bodies.values())
    return StoredResponse(id, line.team_id, request, response, size, is_own)


def _of_run(row: BackgroundResponse, name: str, param: str | None, *, is_own: bool) -> StoredResponse:
    """Return a response that a run answered."""
    request = shapes.body_of(row)
    if row.state != BackgroundResponse.State.COMPLETED or request.get("store") is False:
        raise rows.missing(name, param)
    if not row.body:
        raise _not_whole(name, param)
    response = runs.response_of(row, waits=False).events.response
    return StoredResponse(row.pk, row.team_id, request, response, row.size + len(orjson.dumps(response)), is_own)


def _not_whole(name: str, param: str | None) -> Conflict:
    return Conflict(
        f"The response {name!r} is longer than what the log keeps of one, so it is not there as a whole: "
        + ("send the whole conversation as input." if param else "have AUDIT_CONTENT_BYTES raised for such answers."),
        param=param,
        code="response_not_whole",
        headers={"x-should-retry": "false"},
    )


def read(caller: Caller, name: str, *, part: str) -> StoredResponse:
    """Return a response to somebody who looks at it, which the log says like every reading of content."""
    stored = find(caller, name)
    record_reading(caller, stored, part)
    return stored


@transaction.atomic
def note_reading(caller: Caller, row: BackgroundResponse, is_own: bool, *, part: str) -> None:
    """Put on record that somebody looked at a response in the background; not each look of who waits for their own."""
    if not (is_own and row.is_open):
        detail = {"part": part}
        record(
            actions.RESPONSE_READ,
            actor=caller.actor,
            target_name=row.public_id,
            team=row.team,
            surface="api",
            detail=detail,
        )


@transaction.atomic
def record_reading(caller: Caller, stored: StoredResponse, part: str) -> None:
    record(
        actions.RESPONSE_READ,
        actor=caller.actor,
        target_name=PREFIX + stored.id.hex,
        team=_team(stored),
        surface="api",
        detail={"part": part},
    )


@transaction.atomic
def forget(caller: Caller, name: str) -> None:
    """Make a response of one's own unknown to everybody who calls; the log keeps of it what it keeps."""
    stored = find(caller, name)
    if not stored.is_own:
        raise NotAllowed("Only the key that made a response, or one it was rotated into, deletes it.")
    ForgottenResponse.objects.get_or_create(pk=stored.id, defaults={"forgotten_at": now()})
    record(actions.RESPONSE_DELETED, actor=caller.actor, target_name=name, team=_team(stored), surface="api")


def _team(stored: StoredResponse) -> Team:
    return Team.objects.get(pk=stored.team_id)


def prune() -> int:
    """Drop what says that a response was deleted once the log does not keep it any more; return how many."""
    payloads = Payload.objects.filter(event_id=OuterRef("pk"))
    return ForgottenResponse.objects.filter(~Exists(payloads)).delete()[0]
