"""Record reads of the log."""

import uuid
from typing import Any

from console.audit import actions
from console.audit.models import AuditEvent
from console.audit.services import record
from console.core.ids import request_id
from console.teams.callers import Actor
from console.teams.models import Team


def read_content(*, actor: Actor, event: AuditEvent) -> None:
    """Record that somebody looked at an input and output."""
    team = Team.objects.filter(pk=event.team_id).first() if event.team_id else None
    record(
        actions.CONTENT_READ,
        actor=actor,
        target_name=request_id(event.pk),
        team=team,
        detail={"record": request_id(event.pk)},
    )


def search_content(*, actor: Actor, team: Team | None, text: str) -> None:
    """Record that somebody searched inputs and outputs for a text."""
    record(actions.AUDIT_SEARCHED, actor=actor, team=team, detail={"text": text})


def begin_export(*, actor: Actor, team: Team | None, form: str, content: bool, chosen: dict[str, str]) -> uuid.UUID:
    """Record an export before its first byte leaves, so that one that breaks off is in the log, too."""
    detail: dict[str, Any] = {"format": form, "content": content, "filter": chosen}
    return record(actions.AUDIT_EXPORTED, actor=actor, team=team, target_name="started", detail=detail)


def end_export(*, actor: Actor, team: Team | None, export: uuid.UUID, rows: int, is_complete: bool) -> None:
    """Record how many records an export gave out, and whether these are all."""
    detail = {"export": request_id(export), "rows": rows} | ({} if is_complete else {"incomplete": True})
    record(actions.AUDIT_EXPORTED, actor=actor, team=team, target_name="finished", detail=detail)
