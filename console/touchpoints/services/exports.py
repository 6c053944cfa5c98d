"""Record exports of the inventory."""

from typing import Any

from django.db import transaction

from console.audit import actions
from console.audit.services import record
from console.teams.actors import Actor
from console.teams.models import Team


@transaction.atomic
def export_list(*, actor: Actor, team: Team | None, form: str, rows: int, chosen: dict[str, Any]) -> None:
    """Say that somebody takes so many rows out. Call it before the first byte leaves."""
    detail = {"format": form, "rows": rows, "filter": chosen}
    record(actions.TOUCHPOINTS_EXPORTED, actor=actor, team=team, detail=detail)
