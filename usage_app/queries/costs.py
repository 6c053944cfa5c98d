"""Costs by month, from daily roll-ups, never from the log."""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Min, QuerySet, Sum
from django.db.models.functions import TruncMonth

from usage_app.models import UsageDay, UsageEndUser, UsageLabel, UsageTouchpoint
from usage_app.sql.calls import UNCOUNTED_TYPES
from usage_app.sql.end_users import dearest

# What sums can be cut by, and the column that says it.
CUTS = {"team": "team_id", "environment": "environment", "type": "type", "alias": "alias", "model": "model"}
_SUMS = ("requests", "errors", "refusals", "prompt_tokens", "completion_tokens", "cost_micros")


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls came to; cost in millionths of the currency."""

    requests: int = 0
    errors: int = 0
    refusals: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micros: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(*(getattr(self, name) + getattr(other, name) for name in _SUMS))

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(*(getattr(self, name) - getattr(other, name) for name in _SUMS))


@dataclass(frozen=True, slots=True)
class Line:
    """One month (its first day) of one cut: the values asked for, in their order; a team is its id."""

    month: dt.date
    cut: tuple[Any, ...]
    spent: Spent


def month_after(month: dt.date) -> dt.date:
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def month_before(month: dt.date) -> dt.date:
    return (month - dt.timedelta(days=1)).replace(day=1)


def costs(team_ids: Collection[uuid.UUID], *, since: dt.date, until: dt.date, by: Sequence[str]) -> list[Line]:
    """Return the months from `since` until before `until`, cut by some of CUTS. Every environment counts, and copies
    to a shadow, as they do on a provider's bill. One query.
    """
    rows = UsageDay.objects.filter(team_id__in=team_ids).exclude(type__in=UNCOUNTED_TYPES)
    return _lines(rows, since, until, [CUTS[name] for name in by])


def costs_of_places(team_ids: Collection[uuid.UUID], *, since: dt.date, until: dt.date) -> list[Line]:
    """Return the same cut by team, kind, and the id of a key or a widget or the short name of an agent.

    What people only try out is in none of them, and days are kept for `TOUCHPOINTS_KEPT_DAYS`. One query.
    """
    rows = UsageTouchpoint.objects.filter(team_id__in=team_ids)
    return _lines(rows, since, until, ["team_id", "kind", "subject"])


def dearest_named(team_ids: Collection[uuid.UUID], month: dt.date, most: int, *, label: str = "") -> list[Line]:
    """Return at most so many end users of a month, or values of a label, what cost most first, cut by team and name.

    One query.
    """
    rows = dearest(list(team_ids), month, most, label)
    return [Line(month, (team_id, name), Spent(*sums)) for team_id, name, *sums in rows]


def costs_of_named(
    team_ids: Collection[uuid.UUID], names: Collection[str], *, since: dt.date, until: dt.date, label: str = ""
) -> list[Line]:
    """Return the months of these end users, or values of a label, cut by team and name.

    All of a team's together, that have any, have no name. One query.
    """
    months = [since]  # one by one: between two of them PostgreSQL would read all there are
    while (month := month_after(months[-1])) < until:
        months.append(month)
    rows: QuerySet[Any] = UsageLabel.objects.filter(name=label) if label else UsageEndUser.objects.all()
    column = "value" if label else "end_user"
    found = (
        rows.filter(team_id__in=team_ids, month__in=months, **{f"{column}__in": list(names)})
        .order_by("month", "-cost_micros", "-requests", column, "team_id")
        .values_list("month", "team_id", column, *_SUMS)
    )
    return [Line(month, (team_id, name), Spent(*sums)) for month, team_id, name, *sums in found]


def labels_of(team_ids: Collection[uuid.UUID], months: Collection[dt.date]) -> list[str]:
    """Return the names that calls were labelled with in these months, those of the dearest calls first. One query."""
    rows = UsageLabel.objects.filter(team_id__in=team_ids, month__in=months, value="")
    found = rows.values("name").annotate(cost=Sum("cost_micros"), calls=Sum("requests"))
    return list(found.order_by("-cost", "-calls", "name").values_list("name", flat=True))


def costs_of_end_user(team_ids: Collection[uuid.UUID], name: str, today: dt.date) -> list[tuple[dt.date, Spent]]:
    """Return the present month of an end user, and the one before, in these teams together. One query."""
    present, sums = today.replace(day=1), defaultdict[dt.date, Spent](Spent)
    for line in costs_of_named(team_ids, [name], since=month_before(present), until=month_after(present)):
        sums[line.month] += line.spent
    return [(month, sums[month]) for month in (present, month_before(present))]


def first_month(team_ids: Collection[uuid.UUID]) -> dt.date | None:
    """Return the first month any of the teams made a call in."""
    day: dt.date | None = UsageDay.objects.filter(team_id__in=team_ids).aggregate(first=Min("day"))["first"]
    return day.replace(day=1) if day else None


def _lines(rows: QuerySet[Any], since: dt.date, until: dt.date, columns: list[str]) -> list[Line]:
    found = (
        rows.filter(day__gte=since, day__lt=until)
        .annotate(month=TruncMonth("day"))
        .values_list("month", *columns)
        .annotate(**{f"all_{name}": Sum(name) for name in _SUMS})
        .order_by("month", "-all_cost_micros", "-all_requests", *columns)
    )
    return [Line(row[0], tuple(row[1 : -len(_SUMS)]), Spent(*row[-len(_SUMS) :])) for row in found]
