"""The only way to get a touchpoint for somebody: whoever sees a team's usage sees it, builders change it."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from console.core.clock import now
from console.core.sql import get_or_raise, only
from console.teams.access import denied, teams_for
from console.teams.callers import Caller
from console.teams.models import Team
from console.touchpoints import sources
from console.touchpoints.errors import UnknownTouchpoint
from console.touchpoints.models import LegacyTouchpoint, Subject
from console.touchpoints.sources import Reach

VIEW, EDIT = "view_usage", "build"


@dataclass(frozen=True, slots=True)
class Named:
    """A key, a widget or an agent, as far as an expectation needs to know it."""

    kind: str
    id: uuid.UUID
    name: str
    team: Team


def reach_of(caller: Caller, team: Team | None = None) -> Reach:
    """Return whose touchpoints the caller sees, narrowed to one team, and where they may do more."""
    mine = frozenset(teams_for(caller, VIEW).values_list("pk", flat=True))
    return Reach(
        teams=frozenset({team.pk}) & mine if team else mine,
        payers=mine,
        keys_in=frozenset(one for one in mine if caller.may("manage_keys", one)),
        edits_in=frozenset(one for one in mine if caller.may(EDIT, one)),
        checks_log=caller.may("view_audit"),
    )


def subject_for(caller: Caller, kind: str, subject_id: uuid.UUID, to: str = VIEW) -> Named:
    """Return a key, a widget or an agent by its id, 404 for strangers, 403 for members who may not do that."""
    teams = teams_for(caller, VIEW).values_list("pk", flat=True)
    rows: dict[str, QuerySet[Any]] = {
        Subject.KEY: sources.calling_keys(teams, now()),
        Subject.WIDGET: sources.living_widgets(teams),
        Subject.AGENT: sources.answering_agents(teams),
    }
    found = only(rows[kind].select_related("team").filter(pk=subject_id)) if kind in rows else None
    if found is None:
        raise UnknownTouchpoint
    _check(caller, found.team, to)
    return Named(kind, found.pk, found.name, found.team)


def legacy_for(caller: Caller) -> QuerySet[LegacyTouchpoint]:
    return LegacyTouchpoint.objects.filter(team__in=teams_for(caller, VIEW)).select_related("team")


def legacy_one_for(caller: Caller, legacy_id: uuid.UUID, to: str = VIEW) -> LegacyTouchpoint:
    found = get_or_raise(legacy_for(caller).filter(pk=legacy_id), UnknownTouchpoint)
    _check(caller, found.team, to)
    return found


def _check(caller: Caller, team: Team, to: str) -> None:
    if not caller.may(to, team.pk):
        raise denied(team, caller, to)
