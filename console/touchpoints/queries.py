"""The inventory as its page, its export and its JSON show it: everything read once, judged, then narrowed.

States and overlaps come of several rooms together, so a state cannot be asked of the database; the number of queries
does not grow with what is found.
"""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.core.paginator import Page, Paginator
from django.urls import reverse

from console.core.clock import now as present
from console.teams.models import Environment
from console.touchpoints import overlaps, sources
from console.touchpoints.models import TO_MIGRATE, Expectation, Kind, LegacyTouchpoint
from console.touchpoints.rows import DAYS, Link, Touchpoint
from console.touchpoints.sources import Reach
from usage_app.queries.touchpoints import Uses, all_together, uses_by_team

PER_PAGE = 50
# What the filter offers; two of them are more than one state.
FILTERS = {
    "slower": "Slower than expected",
    "in_time": "In time",
    "unset": "No expectation set",
    "unused": "Unused for 30 days",
    "quiet": "Nothing measured yet",
    "overlaps": "Overlaps with another",
    "to_migrate": "To migrate",
    "over": "Migrated or retired",
}
_FIRST = {"slower": 0, "unused": 1}


@dataclass(frozen=True, slots=True)
class Summary:
    """The line above the list. Spend elsewhere is what people estimated a month."""

    total: int
    missed: int
    unset: int
    overlapping: int
    cost_micros: int
    legacy_left: int
    legacy_done: int
    legacy_micros: int

    @property
    def legacy(self) -> int:
        return self.legacy_left + self.legacy_done

    @property
    def done_words(self) -> str:
        return f"{self.legacy_done:,} of {self.legacy:,} done"

    @property
    def percent_done(self) -> float:
        return self.legacy_done * 100 / self.legacy if self.legacy else 0.0


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to. Without a state, what is over is left out."""

    kind: str = ""
    state: str = ""
    words: str = ""

    @classmethod
    def of(cls, kind: str, state: str, words: str) -> "Filters":
        """Read a query string; what means nothing narrows nothing."""
        return cls(
            kind if kind in Kind.values else "",
            state if state in FILTERS else "",
            words.replace("\0", "").strip()[:200].casefold(),
        )

    def takes(self, row: Touchpoint) -> bool:
        if self.kind and self.kind not in row.kinds:
            return False
        text = " ".join([row.name, row.owner, row.purpose, row.place, row.team.name, *row.aliases, *row.models])
        if not all(word in text.casefold() for word in self.words.split()[:8]):
            return False
        if self.state == "overlaps":
            return bool(row.overlaps)
        if self.state == "to_migrate":
            return row.state in TO_MIGRATE
        if self.state == "over":
            return row.is_over
        return row.state == self.state if self.state else not row.is_over


@dataclass(frozen=True, slots=True)
class Inventory:
    """`counted` is what was counted in the 30 days for each team that pays, of what is no touchpoint any more too."""

    rows: list[Touchpoint]
    counted: dict[uuid.UUID, Uses]

    @property
    def summary(self) -> Summary:
        left = [row for row in self.rows if row.state in TO_MIGRATE]
        over = [row for row in self.rows if row.is_over]
        return Summary(
            total=len(self.rows) - len(over),
            missed=sum(row.state == "slower" for row in self.rows),
            unset=sum(row.state == "unset" for row in self.rows),
            overlapping=sum(bool(row.overlaps) for row in self.rows),
            cost_micros=sum(row.cost_micros for row in self.rows),
            legacy_left=len(left),
            legacy_done=len(over),
            legacy_micros=sum(row.legacy.spend_micros or 0 for row in left if row.legacy),
        )

    def found(self, wanted: Filters) -> list[Touchpoint]:
        return [row for row in self.rows if wanted.takes(row)]

    def page(self, wanted: Filters, number: int, *, showing: str = "") -> Page[Touchpoint]:
        """Return one page; the page of `showing`, a row's key, where that is given, whatever the filters say."""
        rows = [row for row in self.rows if wanted.takes(row) or row.key == showing]
        if showing:
            number = 1 + next((n for n, row in enumerate(rows) if row.key == showing), 0) // PER_PAGE
        return Paginator(rows, PER_PAGE).get_page(number)


def inventory(reach: Reach, *, now: dt.datetime | None = None) -> Inventory:
    """Read everything these teams use, what it did lately and what is expected of it, what needs a look first."""
    now = now or present()
    counted = uses_by_team(reach.payers, since=(now - dt.timedelta(days=DAYS)).date())
    rows = [*_live(reach, all_together(counted.values()), now), *_legacy(reach)]
    by_id = {(row.subject, row.id): row for row in rows}
    for row in rows:
        if row.legacy is not None and row.legacy.replaced_by_id:
            row.replaced_by = _replacement(row.legacy, by_id)
        row.judge(now)
    overlaps.find(rows)
    rows.sort(key=lambda row: (_FIRST.get(row.state, 2), row.name.casefold(), row.id))
    return Inventory(rows, counted)


def _live(reach: Reach, counted: Uses, now: dt.datetime) -> Iterable[Touchpoint]:
    expected = {(one.kind, one.subject_id): one for one in Expectation.objects.filter(team__in=reach.teams)}
    for row, chain in sources.keys(reach, counted, now):
        yield _with_expectation(row, expected, chain)
    for row in (*sources.widgets(reach, counted), *sources.agents(reach, counted, now)):
        yield _with_expectation(row, expected, [row.id])


def _with_expectation(
    row: Touchpoint, expected: dict[tuple[str, uuid.UUID], Expectation], ids: Sequence[uuid.UUID]
) -> Touchpoint:
    """Add what people said of it, or of the key it replaced."""
    said = next((one for pk in ids if (one := expected.get((row.subject, pk))) is not None), None)
    if said is not None:
        row.owner, row.expected, row.purpose = said.owner or row.owner, said.expected, said.purpose
    return row


def _legacy(reach: Reach) -> Iterable[Touchpoint]:
    for one in LegacyTouchpoint.objects.filter(team__in=reach.teams).select_related("team"):
        yield Touchpoint(
            source="legacy",
            id=one.pk,
            name=one.name,
            team=one.team,
            kinds=(Kind(one.kind),),
            created_at=one.created_at,
            url=reverse("touchpoints:edit", args=[one.pk]),
            place=one.place,
            owner=one.owner,
            purpose=one.notes,
            expected=one.expected,
            models=[one.model] if one.model else [],
            legacy=one,
        )


def _replacement(legacy: LegacyTouchpoint, by_id: dict[tuple[str, uuid.UUID], Touchpoint]) -> Link:
    assert legacy.replaced_by_id is not None
    live = by_id.get((legacy.replaced_by_kind, legacy.replaced_by_id))
    if live is not None:
        return live.link
    return Link(legacy.replaced_by_kind, legacy.replaced_by_id, legacy.replaced_by_name)


def replacements(team_id: uuid.UUID, *, now: dt.datetime | None = None) -> list[tuple[str, str]]:
    """Return what on Facet could stand for something of a team: (`kind:id`, words), by name."""
    teams = [team_id]
    words = {"key": "API key", "widget": "Chat widget", "agent": "Agent"}
    keys = sources.calling_keys(teams, now or present()).filter(replaced_by=None)
    found = [
        *(("key", key.pk, key.name, key.environment) for key in keys),
        *(("widget", widget.pk, widget.name, "") for widget in sources.living_widgets(teams)),
        *(("agent", agent.pk, agent.name, "") for agent in sources.answering_agents(teams)),
    ]
    return [
        (f"{kind}:{pk}", f"{name} ({words[kind]}{', sandbox' if where == Environment.SANDBOX else ''})")
        for kind, pk, name, where in sorted(found, key=lambda one: one[2].casefold())
    ]
