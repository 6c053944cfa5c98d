"""Record exports of costs."""

from typing import Any

from console.audit import actions
from console.audit.services import record
from console.teams.callers import Actor
from console.teams.models import Team


def export_costs(*, actor: Actor, team: Team | None, rows: int, chosen: dict[str, Any]) -> None:
    """Say that somebody takes so many lines out. Call it before the first byte leaves."""
    record(actions.COSTS_EXPORTED, actor=actor, team=team, detail={"format": "csv", "rows": rows, "filter": chosen})
