"""Responses as they are kept: the input and output of their lines in the audit log, and nothing besides.

A line is written in the commit that closes its call, before the answer is given out, so any process can go on from it
at once; redaction, retention and the rights to content are the log's. Only that one was deleted is written down here.
"""

import re
import uuid
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef

from console.api.models import ForgottenResponse
from console.audit import actions
from console.audit.models import AuditEvent, EventType, Payload, Status
from console.audit.services import record
from console.core.clock import now
from console.core.errors import BadInput, Conflict, NotFound
from console.gateway.responses.kept import said_in
from console.gateway.shapes.responses import REFERENCE, kind_of
from console.teams.callers import Caller
from console.teams.models import Team

PREFIX = "resp_"
_MOST_TURNS = 500
# An item of an answer is named after its response and its place there.
_ITEM = re.compile(r"[a-z]+_(?P<response>[0-9a-f]{32})[0-9]{2,4}")


@dataclass(frozen=True, slots=True)
class Kept:
    """One response, as it was asked for and answered."""

    id: uuid.UUID
    team_id: uuid.UUID
    asked: dict[str, Any]
    response: dict[str, Any]
    size: int  # bytes of both in the log

    @property
    def previous(self) -> str:
        return str(self.asked.get("previous_response_id") or "")


def _missing(name: str, param: str | None) -> NotFound:
    return NotFound(f"There is no response {name[:60]!r}, or it is not kept any more.", param=param)


def find(caller: Caller, name: str, *, param: str | None = None) -> Kept:
    """Return a response to who made it, and to those who may read the team's content; NotFound for all others."""
    try:
        id = uuid.UUID(hex=name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None
    except ValueError:
        id = None
    if id is None or ForgottenResponse.objects.filter(pk=id).exists():
        raise _missing(name, param)
    line = AuditEvent.objects.filter(
        pk=id, type=EventType.RESPONSE, status=Status.OK, team_id__in=list(caller.rights)
    ).first()
    if line is None or line.team_id is None:
        raise _missing(name, param)
    if (caller.key_id is None or line.key_id != caller.key_id) and not caller.may("read_content", line.team_id):
        raise _missing(name, param)
    bodies = {payload.kind: payload for payload in Payload.objects.filter(event_id=id)}
    if bodies.keys() < {"input", "output"}:
        raise _missing(name, param)
    if any(payload.is_cut for payload in bodies.values()):
        raise Conflict(
            f"The response {name!r} is longer than what the log keeps of one, so it is not there as a whole:"
            " send the whole conversation as input.",
            param=param,
            code="response_not_whole",
            headers={"x-should-retry": "false"},
        )
    asked, response = (orjson.loads(bodies[kind].body) for kind in ("input", "output"))
    if asked.get("store") is False:
        raise _missing(name, param)
    return Kept(id, line.team_id, asked, response, sum(len(payload.body) for payload in bodies.values()))


def turns(caller: Caller, name: str) -> list[Kept]:
    """Return a response and those it went on from, the first of all first."""
    param, found, size = "previous_response_id", list[Kept](), 0
    while name:
        kept = find(caller, name, param=param)
        found.append(kept)
        size += kept.size
        if len(found) > _MOST_TURNS or size > settings.GATEWAY_BODY_BYTES:
            raise BadInput(
                f"A conversation goes on for {_MOST_TURNS} responses and {settings.GATEWAY_BODY_BYTES:,} bytes at most:"
                " begin another one with what still matters.",
                param=param,
            )
        name = kept.previous
    return found[::-1]


def history(caller: Caller, name: str) -> list[dict[str, Any]]:
    """Return all items of a conversation up to and with this response: what was said to it, and what it said."""
    items: list[dict[str, Any]] = []
    for kept in turns(caller, name):
        items += named_items(caller, said_in(kept.asked), param="previous_response_id")
        items += kept.response["output"]
    return items


def named_items(caller: Caller, items: list[dict[str, Any]], *, param: str = "") -> list[dict[str, Any]]:
    """Return items with those in full that are only named (`item_reference`): parts of kept answers, by their ids."""
    found: dict[str, Kept] = {}
    whole = []
    for place, item in enumerate(items):
        if kind_of(item) == REFERENCE:
            item = _named(caller, item, found, param or f"input[{place}].id")
        whole.append(item)
    return whole


def _named(caller: Caller, item: dict[str, Any], found: dict[str, Kept], param: str) -> dict[str, Any]:
    name = str(item.get("id") or "")
    made = _ITEM.fullmatch(name)
    if made is None:
        raise NotFound(f"There is no item {name[:60]!r}; send the item itself.", param=param)
    response = PREFIX + made["response"]
    if response not in found:
        found[response] = find(caller, response, param=param)
    for one in found[response].response["output"]:
        if one["id"] == name:
            return dict(one)
    raise NotFound(f"There is no item {name[:60]!r} in {response}; send the item itself.", param=param)


@transaction.atomic
def read(caller: Caller, name: str, *, what: str) -> Kept:
    """Return a response to somebody who looks at it, which the log says like every reading of content."""
    kept = find(caller, name)
    record(
        actions.RESPONSE_READ,
        actor=caller.actor,
        target_name=name,
        team=_team(kept),
        surface="api",
        detail={"part": what},
    )
    return kept


@transaction.atomic
def forget(caller: Caller, name: str) -> None:
    """Make a response unknown to everybody who calls; what the log keeps of it stays as long as that keeps it."""
    kept = find(caller, name)
    ForgottenResponse.objects.get_or_create(pk=kept.id, defaults={"forgotten_at": now()})
    record(actions.RESPONSE_DELETED, actor=caller.actor, target_name=name, team=_team(kept), surface="api")


def _team(kept: Kept) -> Team:
    return Team.objects.get(pk=kept.team_id)


def prune() -> int:
    """Drop what says that a response was deleted once the log does not keep it any more; return how many."""
    kept = Payload.objects.filter(event_id=OuterRef("pk"))
    return ForgottenResponse.objects.filter(~Exists(kept)).delete()[0]
