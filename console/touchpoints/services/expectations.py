"""Set or clear the expectations of a key, widget or agent."""

import uuid
from typing import Any

from django.db import transaction

from console.audit import actions
from console.audit.services import changes, record
from console.core.clock import now
from console.core.races import hold
from console.teams.actors import Actor
from console.teams.models import Team
from console.touchpoints.fields import checked
from console.touchpoints.models import Expectation

_FIELDS = ("owner", "expected", "purpose")


@transaction.atomic
def set_expectation(
    *, actor: Actor, team: Team, kind: str, subject_id: uuid.UUID, name: str, **fields: Any
) -> Expectation:
    """Keep the given fields of what is expected of a touchpoint; the others stay. `name` is for the log."""
    kept = checked({field: fields[field] for field in _FIELDS if field in fields})
    hold(team)  # writers of one team take turns, so nothing is kept twice
    one = Expectation.objects.filter(kind=kind, subject_id=subject_id).first()
    one = one or Expectation(kind=kind, subject_id=subject_id)
    before = _logged(one)
    for field, value in kept.items():
        setattr(one, field, value)
    one.team, one.changed_by_name, one.changed_at = team, actor.name[:200], now()
    if before != _logged(one):
        one.save()
        record(
            actions.EXPECTATION_SET,
            actor=actor,
            target=one,
            target_name=f"{kind} {name}",
            detail=changes(before, _logged(one)),
        )
    return one


@transaction.atomic
def clear_expectation(*, actor: Actor, kind: str, subject_id: uuid.UUID, name: str) -> None:
    """Forget what was expected; nothing happens where nothing was."""
    one = Expectation.objects.select_for_update(no_key=True).filter(kind=kind, subject_id=subject_id).first()
    if one is None:
        return
    record(
        actions.EXPECTATION_CLEARED,
        actor=actor,
        target=one,
        target_name=f"{kind} {name}",
        detail={"before": _logged(one)},
    )
    one.delete()


def _logged(one: Expectation) -> dict[str, str]:
    return {field: getattr(one, field) for field in _FIELDS}
