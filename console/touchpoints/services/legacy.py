"""Add, change, migrate and remove places that are not on Facet."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction

from console.audit import actions
from console.audit.services import changes, record
from console.core.clock import now
from console.core.errors import BadInput, check_revision
from console.core.races import hold
from console.teams.actors import Actor
from console.teams.models import Team
from console.touchpoints.errors import BadList, NameTaken, StaleTouchpoint, UnknownTouchpoint
from console.touchpoints.fields import checked
from console.touchpoints.models import LegacyTouchpoint
from console.touchpoints.queries import replacements

_FIELDS = ("name", "place", "kind", "model", "owner", "expected", "spend_micros", "notes", "status")
MOST = 1000  # of a team


@transaction.atomic
def create_legacy(*, actor: Actor, team: Team, name: str, kind: str, **fields: Any) -> LegacyTouchpoint:
    """List one place; a name is there once in a team, however it is spelled."""
    kept = checked({"name": name, "kind": kind, **fields})
    taken = _names(hold(team))  # writers of one team take turns, so nothing is listed twice
    _check_room(len(taken) + 1)
    if kept["name"].lower() in taken:
        raise NameTaken(kept["name"])
    return _create(actor, team, kept)


@transaction.atomic
def import_legacy(
    *, actor: Actor, team: Team, rows: Sequence[tuple[int, dict[str, Any]]], skip_known: bool = False
) -> tuple[int, int]:
    """List many places, (line, fields) each: all of them, or with one that cannot be, none. Returns made and skipped.

    Names that are listed already are left alone with `skip_known`, and refused without: an import overwrites nothing.
    """
    taken = _names(hold(team))
    problems, made, skipped = [], [], 0
    for line, fields in rows:
        name = fields["name"]
        if name.lower() in taken and skip_known:
            skipped += 1
        elif name.lower() in taken:
            problems.append(f"Line {line}, name: {name[:60]!r} is in the team's list already.")
        else:
            taken.add(name.lower())
            made.append(fields)
    if problems:
        raise BadList(problems)
    _check_room(len(taken))
    for fields in made:
        _create(actor, team, checked(fields))
    return len(made), skipped


@transaction.atomic
def change_legacy(
    *,
    actor: Actor,
    legacy: LegacyTouchpoint,
    seen_revision: int | None = None,
    replaced_by: str | None = None,
    **fields: Any,
) -> LegacyTouchpoint:
    """Change the given fields. `replaced_by` is `kind:id` of something on Facet of the same team; empty: of nothing."""
    legacy = _locked(legacy)
    check_revision(legacy.name, legacy.revision, seen_revision, StaleTouchpoint)
    before, kept = logged(legacy), checked(fields)
    if "name" in kept and kept["name"].lower() != legacy.name.lower() and kept["name"].lower() in _names(legacy.team):
        raise NameTaken(kept["name"])
    for field, value in kept.items():
        setattr(legacy, field, value)
    if replaced_by is not None:
        _replace(legacy, replaced_by)
    after = logged(legacy)
    if before == after:
        return legacy
    legacy.revision, legacy.changed_at = legacy.revision + 1, now()
    _save(legacy)
    record(actions.LEGACY_CHANGED, actor=actor, target=legacy, detail=changes(before, after))
    return legacy


@transaction.atomic
def remove_legacy(*, actor: Actor, legacy: LegacyTouchpoint) -> None:
    """Take a place off the list, as if it had never been: one that is gone is retired instead. The log keeps it."""
    legacy = _locked(legacy)
    record(actions.LEGACY_REMOVED, actor=actor, target=legacy, detail={"before": logged(legacy)})
    legacy.delete()


def logged(legacy: LegacyTouchpoint) -> dict[str, Any]:
    """Return what the log says of it."""
    by = f"{legacy.replaced_by_kind} {legacy.replaced_by_name}" if legacy.replaced_by_kind else ""
    return {**{field: getattr(legacy, field) for field in _FIELDS}, "replaced_by": by}


def _create(actor: Actor, team: Team, kept: dict[str, Any]) -> LegacyTouchpoint:
    legacy = LegacyTouchpoint(team=team, **kept)
    _save(legacy)
    record(actions.LEGACY_CREATED, actor=actor, target=legacy, detail={"after": logged(legacy)})
    return legacy


def _save(legacy: LegacyTouchpoint) -> None:
    """Save one, and since when it is over; of a few letters the database knows another small one: its word counts."""
    legacy.over_at = None if legacy.is_left else legacy.over_at or now()
    try:
        with transaction.atomic():
            legacy.save()
    except IntegrityError:
        raise NameTaken(legacy.name) from None


def _locked(legacy: LegacyTouchpoint) -> LegacyTouchpoint:
    hold(legacy.team)  # first, as whoever adds one does
    found = (
        LegacyTouchpoint.objects.select_for_update(no_key=True, of=["self"])
        .select_related("team")
        .filter(pk=legacy.pk)
        .first()
    )
    if found is None:
        raise UnknownTouchpoint
    return found


def _names(team: Team) -> set[str]:
    # Lowered here: how far a database goes with that depends on its locale.
    return {name.lower() for name in LegacyTouchpoint.objects.filter(team=team).values_list("name", flat=True)}


def _check_room(count: int) -> None:
    if count > MOST:
        raise BadInput(f"A team lists {MOST:,} places at most; this would make {count:,}.")


def _replace(legacy: LegacyTouchpoint, choice: str) -> None:
    if not choice:
        legacy.replaced_by_kind, legacy.replaced_by_id, legacy.replaced_by_name = "", None, ""
        return
    kind, _, identifier = choice.partition(":")
    if choice == f"{legacy.replaced_by_kind}:{legacy.replaced_by_id}":
        return  # it may be gone by now; that it was this stays true
    words = dict(replacements(legacy.team_id)).get(choice)
    if words is None:
        raise BadInput("Choose a key, a widget or an agent of the same team.", param="replaced_by")
    legacy.replaced_by_kind, legacy.replaced_by_id = kind, uuid.UUID(identifier)
    legacy.replaced_by_name = words.rpartition(" (")[0][:200]
