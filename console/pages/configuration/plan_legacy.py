"""The part of a plan about places that are not on Facet, identified by team and name."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from agents_app.models import Agent
from console.chat.models import Widget
from console.core.errors import BadInput
from console.pages.configuration.document import Place
from console.pages.configuration.forms import Entry
from console.pages.configuration.steps import Ref, differences
from console.teams.models import ApiKey
from console.touchpoints.fields import checked
from console.touchpoints.models import LegacyTouchpoint, Status
from console.touchpoints.services import legacy as services

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan

_WORDS = ("name", "kind", "place", "model", "owner", "expected", "notes", "status")
_MICROS = 1_000_000


def ref_of(entry: Entry) -> Ref:
    return ("place", f"{entry['team']}/{entry['name'].strip().lower()}")


class LegacyPlan:
    """Adds the steps of such places to a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        rows = LegacyTouchpoint.objects.filter(team__archived_at=None).select_related("team")
        self.rows = {f"{row.team.slug}/{row.name.lower()}": row for row in rows}

    def place(self, entry: Entry) -> None:
        if not entry.has("kind"):
            return
        try:
            fields = checked(_fields(entry))
        except BadInput as refusal:
            self.plan.problem_at(entry.find(refusal.param or ""), refusal.message)
            return
        row = self.rows.get(ref_of(entry)[1])
        name = f"{entry['team']}/{fields['name']}"
        by: Entry | None = entry.get("replaced_by")
        if row is None:
            self._create(entry, name, fields, by)
        else:
            self._change(entry, row, name, fields, by)

    def _create(self, entry: Entry, name: str, fields: dict[str, Any], by: Entry | None) -> None:
        def make() -> None:
            team = self.plan.team(entry)
            row = services.create_legacy(actor=self.plan.actor, team=team, **fields)
            if by is not None:
                services.change_legacy(actor=self.plan.actor, legacy=row, replaced_by=_choice(by, team.pk))

        said = _as_in_file(fields) | {"status": fields.get("status", Status.PLANNED.value)}
        said |= {"replaced_by": _words(by)} if by is not None else {}
        self.plan.create(entry, "place", name, said, make, self._needs(entry, by), lambda p: _find(entry, p))

    def _change(self, entry: Entry, row: LegacyTouchpoint, name: str, fields: dict[str, Any], by: Entry | None) -> None:
        kept = {field: getattr(row, field) for field in fields}
        changed = differences(
            {field: (_as_in_file(kept)[field], value) for field, value in _as_in_file(fields).items()},
        )
        if entry.has("replaced_by"):
            was = f"{row.replaced_by_kind} {row.replaced_by_name}" if row.replaced_by_kind else None
            if not _is_by(row, by):
                changed += differences({"replaced_by": (was, _words(by) if by is not None else None)})

        def change() -> None:
            choice = None
            if entry.has("replaced_by"):
                choice = _choice(by, row.team_id) if by is not None else ""
            services.change_legacy(actor=self.plan.actor, legacy=row, replaced_by=choice, **fields)

        self.plan.change(
            entry, "place", name, changed, change, self._needs(entry, by), lambda param: _find(entry, param)
        )

    @staticmethod
    def _needs(entry: Entry, by: Entry | None) -> frozenset[Ref]:
        if by is None or not by.values:
            return frozenset()
        kind, name = next(iter(by.values.items()))
        return frozenset({("agent", name) if kind == "agent" else (kind, f"{entry['team']}/{name}")})


def replacement(team_id: uuid.UUID, kind: str, identifier: uuid.UUID) -> dict[str, str] | None:
    """Return how a file names what has a place's work; None when it is gone, or no name of its team is only its own."""
    found = {named: pk for named, pk in _named(team_id, kind, None) if pk == identifier}
    if not found or len(_named(team_id, kind, next(iter(found)))) > 1:
        return None
    return {kind: next(iter(found))}


def _named(team_id: uuid.UUID, kind: str, name: str | None) -> list[tuple[str, uuid.UUID]]:
    rows: Any
    if kind == "key":
        rows, field = ApiKey.objects.filter(revoked_at=None, replaced_by=None), "name"
    elif kind == "widget":
        rows, field = Widget.objects.filter(deleted_at=None), "name"
    else:
        rows, field = Agent.objects.filter(archived_at=None), "slug"
    rows = rows.filter(team_id=team_id).order_by("created_at", "pk")
    return list((rows if name is None else rows.filter(**{field: name})).values_list(field, "pk"))


def _choice(by: Entry, team_id: uuid.UUID) -> str:
    """Return `kind:id` of what the file names."""
    kind, name = next(iter(by.values.items()))
    found = _named(team_id, kind, name)
    if len(found) != 1:
        many = f"{len(found)} {kind}s are called {name!r}; rename them" if found else f"There is no {kind} {name!r}"
        raise BadInput(f"{many}.", param="replaced_by")
    return f"{kind}:{found[0][1]}"


def _is_by(row: LegacyTouchpoint, by: Entry | None) -> bool:
    if by is None or not by.values:
        return not row.replaced_by_kind
    try:
        return _choice(by, row.team_id) == f"{row.replaced_by_kind}:{row.replaced_by_id}"
    except BadInput:  # it may be made by this file; the step says what is wrong
        kind, name = next(iter(by.values.items()))
        has_ended = kind == row.replaced_by_kind == "key"  # and is made no second time, so it stays what it was
        those = ApiKey.objects.filter(pk__in=[row.replaced_by_id], name=name, revoked_at__isnull=False)
        return has_ended and those.exists()


def _words(by: Entry) -> str:
    return " ".join(f"{kind} {name}" for kind, name in by.values.items())


def _fields(entry: Entry) -> dict[str, Any]:
    fields = {field: entry[field] or "" for field in _WORDS if entry.has(field)}
    if entry.has("spend"):
        fields["spend_micros"] = None if entry["spend"] is None else int(entry["spend"] * _MICROS)
    return fields


def _as_in_file(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields as a file says them."""
    said = {field: value for field, value in fields.items() if field not in {"spend_micros", "name"}}
    if "spend_micros" in fields:
        said["spend"] = spend_of(fields["spend_micros"])
    return {"name": fields["name"]} | said if "name" in fields else said


def spend_of(micros: int | None) -> int | float | None:
    if micros is None:
        return None
    return micros // _MICROS if micros % _MICROS == 0 else micros / _MICROS


def _find(entry: Entry, param: str) -> Place:
    return entry.find("spend" if param == "spend_micros" else param)
