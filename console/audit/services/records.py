"""Write one audit record, in the transaction of the change it records."""

import datetime as dt
import json
import uuid
from typing import Any, Protocol

from django.db import models

from console.audit import sql
from console.audit.actions import Action
from console.audit.models import EventType, Status
from console.core.clock import now
from console.core.ids import uuid7
from console.core.scrub import scrub


class ActorLike(Protocol):
    """Who did it, as the log names them. `console.teams.callers.Actor` is the real one."""

    @property
    def kind(self) -> str: ...
    @property
    def id(self) -> uuid.UUID | None: ...
    @property
    def name(self) -> str: ...
    @property
    def client_address(self) -> str: ...
    @property
    def request_id(self) -> uuid.UUID | None: ...


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, models.Model):
        return str(value)
    return str(value)


def record(
    action: Action,
    *,
    actor: ActorLike,
    target: models.Model | None = None,
    target_name: str = "",
    team: Any = None,
    detail: dict[str, Any] | None = None,
    status: str = Status.OK,
    http_status: int | None = None,
    code: str = "",
    reason: str = "",
    surface: str = "console",
    route: str = "",
) -> uuid.UUID:
    """Append one line, and move the epoch when calls depend on what changed. Returns the line's id.

    `detail` is what changed, best as `changes(before, after)`; secrets never belong in it.
    `team` is the Team the line belongs to; without it the team of the target, if it has one. A line about an alias, or
    about what has one (a pin, a quota), is found by it as calls are.
    """
    if team is None and target is not None:
        team = getattr(target, "team", None)
        if team is None and target._meta.label == "teams.Team":
            team = target
    identifier, at = uuid7(), now()
    text = json.dumps(detail, default=_plain, ensure_ascii=False) if detail else ""
    sql.append(
        {
            "id": identifier,
            "at": at,
            "closed_at": at,
            "type": EventType.ACCESS if action.is_access else EventType.ADMIN,
            "action": action.name,
            "status": status,
            "http_status": http_status,
            "code": code,
            "reason": scrub(reason)[0],
            "team_id": team.pk if team is not None else None,
            "team": team.name if team is not None else "",
            "actor_kind": actor.kind,
            "actor_id": actor.id,
            "actor": scrub(actor.name)[0],
            "client_address": actor.client_address,
            "client_request_id": str(actor.request_id.hex) if actor.request_id else "",
            "surface": surface,
            "route": route,
            "alias": _alias_of(target),
            "target_type": target._meta.model_name if target is not None else "",
            "target_id": str(target.pk) if target is not None else "",
            "target": scrub(target_name or (str(target) if target is not None else ""))[0],
            "detail": scrub(text)[0],
        }
    )
    if action.moves_epoch:
        sql.move_epoch()
    return identifier


def _alias_of(target: models.Model | None) -> str:
    if target is None:
        return ""
    return str(target if target._meta.label == "catalog.Alias" else getattr(target, "alias", ""))


def take_turn() -> None:
    """Wait for the changes in progress and keep the next ones waiting, so that what is read now is still true at the
    end.

    Each change holds the epoch from its line on; one that decides by what it reads holds it from here. Rows that other
    changes lock first are locked before, or two would wait for each other.
    """
    sql.hold_epoch()


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return {"before": …, "after": …} of the fields that differ, for `detail`."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {"before": {n: before.get(n) for n in names}, "after": {n: after.get(n) for n in names}}
