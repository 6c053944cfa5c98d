"""Recent usage of single keys, widgets and agents.

A month of hundreds of busy places is tens of thousands of days with histograms. All but today are over, and each
process remembers what they came to; it reads them again when a call was added to them, as shortly after midnight.
"""

import datetime as dt
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NamedTuple

import orjson
from django.db.models import Sum

from console.core.clock import now
from console.core.histogram import merged, percentile
from console.teams.models import ApiKey
from usage_app.models import UsageTouchpoint
from usage_app.sql import touchpoints as sql

# What is remembered is read again after so long: a late call that began before the last one leaves the mark as it was.
_REMEMBERED_SECONDS = 3600
_MOST = 1_000  # spans of days, of which a team has two


@dataclass(frozen=True, slots=True)
class Use:
    """One place in the days asked for; `last_at` looks back as far as days are kept. Times in microseconds.

    Histograms are kept as they were read, in parts: of most places nobody asks more than one figure.
    """

    requests: int = 0
    errors: int = 0
    refusals: int = 0
    cost_micros: int = 0
    last_at: dt.datetime | None = None
    latencies: tuple[str, ...] = ()
    first_tokens: tuple[str, ...] = ()
    aliases: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)

    @property
    def latency(self) -> list[int]:
        return merged(*map(orjson.loads, self.latencies))

    @property
    def p50(self) -> int | None:
        return percentile(self.latency, 50)

    @property
    def p95(self) -> int | None:
        return percentile(self.latency, 95)

    @property
    def first_token_p95(self) -> int | None:
        return percentile(merged(*map(orjson.loads, self.first_tokens)), 95)


def together(uses: Sequence[Use]) -> Use:
    """Return several as one, such as a key with those it replaced."""
    if len(uses) == 1:
        return uses[0]
    return Use(
        requests=sum(use.requests for use in uses),
        errors=sum(use.errors for use in uses),
        refusals=sum(use.refusals for use in uses),
        cost_micros=sum(use.cost_micros for use in uses),
        last_at=max((use.last_at for use in uses if use.last_at), default=None),
        latencies=tuple(latency for use in uses for latency in use.latencies),
        first_tokens=tuple(first_token for use in uses for first_token in use.first_tokens),
        aliases=sorted({alias for use in uses for alias in use.aliases}),
        models=sorted({model for use in uses for model in use.models}),
    )


Place = tuple[str, str]  # kind and subject
Uses = dict[Place, Use]


class _Over(NamedTuple):
    """What the days of a team that are over came to, read at `at`, when they had the mark."""

    at: float
    mark: tuple[Any, ...]
    uses: Uses


_over: OrderedDict[tuple[uuid.UUID, dt.date, dt.date], _Over] = OrderedDict()


def uses_by_team(team_ids: Iterable[uuid.UUID], *, since: dt.date) -> dict[uuid.UUID, Uses]:
    """Return what each team's calls came by since that day. Two queries once the days that are over are known."""
    teams = list(team_ids)
    until = max(since, now().date())
    found = _days_over(teams, since, until)
    today: dict[uuid.UUID, Uses] = {}
    for row in sql.usage_by_touchpoint(teams, until, dt.date.max):
        today.setdefault(row[0], {})[row[1:3]] = _use(row)
    return {team: all_together([found[team], today.get(team, {})]) for team in found}


def all_together(parts: Iterable[Uses]) -> Uses:
    """Return several as one, such as those of all teams, place by place."""
    found: dict[Place, list[Use]] = {}
    for uses in parts:
        for place, use in uses.items():
            found.setdefault(place, []).append(use)
    return {place: together(several) for place, several in found.items()}


def uses_over(team_ids: Iterable[uuid.UUID], *, since: dt.date, until: dt.date) -> Uses:
    """Return what these teams' calls came by in days that are over. One query once they are known."""
    return all_together(_days_over(list(team_ids), since, until).values())


def _days_over(teams: list[uuid.UUID], since: dt.date, until: dt.date) -> dict[uuid.UUID, Uses]:
    """Return by team what the days before `until` came to, as far as it is remembered without reading them."""
    marks, at = sql.marks(teams, since, until), monotonic()
    known = {team: _over.get((team, since, until)) for team in teams}
    missing = [
        team
        for team, over in known.items()
        if over is None or over.mark != marks.get(team, ()) or at - over.at > _REMEMBERED_SECONDS
    ]
    if missing:
        read: dict[uuid.UUID, Uses] = {team: {} for team in missing}
        for team, kind, subject, last_at in sql.last_before(missing, since):
            read[team][kind, subject] = Use(last_at=last_at)
        for row in sql.usage_by_touchpoint(missing, since, until):
            read[row[0]][row[1:3]] = _use(row)
        for team in missing:
            _remember((team, since, until), _Over(at, marks.get(team, ()), read[team]))
        known |= {team: _over.get((team, since, until)) or _Over(at, (), read[team]) for team in missing}
    return {team: over.uses for team, over in known.items() if over is not None}


def _remember(key: tuple[uuid.UUID, dt.date, dt.date], over: _Over) -> None:
    _over[key] = over
    _over.move_to_end(key)
    while len(_over) > _MOST:
        _over.popitem(last=False)


def _use(row: tuple[Any, ...]) -> Use:
    _, _, _, last_at, requests, errors, refusals, cost, latency, first_token, aliases, models = row
    return Use(
        requests=requests,
        errors=errors,
        refusals=refusals,
        cost_micros=cost,
        last_at=last_at,
        latencies=(latency,) if latency else (),
        first_tokens=(first_token,) if first_token else (),
        aliases=sorted(aliases),
        models=sorted(models),
    )


@dataclass(frozen=True, slots=True)
class Week:
    """The calls of one key in the last seven days, UTC, today included; runs that it started are their agents'."""

    days: list[int]

    @property
    def calls(self) -> int:
        return sum(self.days)


def weeks_of_keys(keys: Sequence[ApiKey]) -> dict[uuid.UUID, Week]:
    """Return what each of these keys called lately. One query."""
    today = now().date()
    first = today - dt.timedelta(days=6)
    rows = UsageTouchpoint.objects.filter(
        team_id__in={key.team_id for key in keys},
        day__range=(first, today),
        kind=UsageTouchpoint.Kind.KEY,
        subject__in=[str(key.pk) for key in keys],
    )
    found: dict[str, list[int]] = {}
    for subject, day, calls in rows.values_list("subject", "day").annotate(Sum("requests")).order_by():
        found.setdefault(subject, [0] * 7)[(day - first).days] = calls
    return {key.pk: Week(found.get(str(key.pk), [0] * 7)) for key in keys}
