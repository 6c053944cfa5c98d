"""The costs of a month by team, key and other dimensions, for the page, as CSV, and for programs."""

import csv
import datetime as dt
import io
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.conf import settings

from console.chat.models import Widget
from console.core.errors import BadInput
from console.teams.access import scope_for, teams_for
from console.teams.callers import Caller
from console.teams.models import ApiKey, Team
from usage_app import amounts
from usage_app.models import Metric, UsageTouchpoint
from usage_app.queries.audit.export import neutral
from usage_app.queries.costs import (
    Line,
    Spent,
    costs,
    costs_of_named,
    costs_of_places,
    dearest_named,
    month_after,
    month_before,
)
from usage_app.services.pruning import TOUCHPOINTS_KEPT_DAYS

MOST_MONTHS = 36
TOUCHPOINT = "touchpoint"
END_USER = "end_user"
METADATA = "metadata"  # with a dot and the name of a label behind it, by that label's values
# There may be a million: the page names so many, a file or a program gets so many, and the rest is one line.
SHOWN_END_USERS = 50
MOST_END_USERS = 5_000
BY = {
    "team": "Team",
    "alias": "Alias",
    "model": "Model",
    "environment": "Environment",
    TOUCHPOINT: "Key, widget, agent",
    END_USER: "End user",
    METADATA: "Metadata",
}
_ELSE = "else"
_OTHERS, _NOBODY, _VALUE, _WITHOUT = "others", "nobody", "value", "without"


class Place(NamedTuple):
    """What a key, a widget, an agent, an end user or a value of a label is called.

    What is none of the first three is of the kind `else` and has no name; nor have the end users and values that are
    not named one by one (`others`), and calls that say nothing of one (`nobody`, `without`).
    """

    kind: str
    name: str
    owner: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the page: of its month, and of the month before. `name` is empty where calls had none."""

    name: str
    spent: Spent
    before: Spent
    share: float
    team: Team | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Bill:
    month: dt.date
    rows: list[Row]
    whole: Spent
    before: Spent
    places_since: dt.date  # single keys, widgets and agents are known from that day on


def teams_billed(caller: Caller, slug: str) -> list[Team]:
    """Return whose costs somebody sees; where no team is named, operators see those of archived teams too."""
    if scope := scope_for(caller, slug, "view_usage"):
        return [scope]
    return list(Team.objects.all() if caller.is_operator else teams_for(caller, "view_usage"))


def month_of(text: str, present: dt.date, param: str) -> dt.date:
    """Return the first day of the month written as `2026-10`, the present month for no text; BadInput otherwise."""
    if not text:
        return present.replace(day=1)
    try:
        day = dt.date.fromisoformat(f"{text}-01")
        if not 1970 <= day.year < dt.MAXYEAR:  # nothing was spent before, and there is no month after the last
            raise ValueError(text)
        return day
    except ValueError:
        raise BadInput("Write a month as a year and a month, such as 2026-10.", param=param) from None


def label_in(by: str) -> str:
    """Return the label whose values costs are cut by, nothing where they are cut by something else."""
    return by.removeprefix(f"{METADATA}.") if by.startswith(f"{METADATA}.") else ""


def is_named(by: str) -> bool:
    """Return whether costs are cut by what callers name themselves: end users, or the values of a label."""
    return by == END_USER or bool(label_in(by))


def bill(teams: Sequence[Team], month: dt.date, by: str, today: dt.date) -> Bill:
    """Return a month cut by one of BY or by a label, what cost most first."""
    ids = [team.pk for team in teams]
    span = {"since": month_before(month), "until": month_after(month)}
    names = {team.pk: team for team in teams}
    sums: dict[Any, dict[dt.date, Spent]] = defaultdict(lambda: defaultdict(Spent))
    if by == TOUCHPOINT:
        for line, named in _named_places(ids, **span):
            # Keys and widgets of two teams may have one name; what is left over is one line of all.
            of_team = None if named.kind == _ELSE else line.cut[0]
            sums[of_team, named][line.month] += line.spent
    elif is_named(by):
        for line, named in _named(ids, month, SHOWN_END_USERS, label=label_in(by), with_before=True):
            of_team = line.cut[0] if named.name else None
            sums[of_team, named][line.month] += line.spent
    else:
        for line in costs(ids, by=[by], **span):
            sums[line.cut[0]][line.month] += line.spent
    whole = sum((of[month] for of in sums.values()), Spent())
    before = sum((of[span["since"]] for of in sums.values()), Spent())
    rows = []
    for cut, of in sums.items():
        spent = of[month]
        team_id, place = cut if by == TOUCHPOINT or is_named(by) else (cut if by == "team" else None, None)
        team = names[team_id] if team_id else None
        share = spent.cost_micros * 100 / whole.cost_micros if whole.cost_micros else 0.0
        name = place.name if place else str(team) if team else cut
        rows.append(Row(name, spent, of[span["since"]], share, team, place))
    rows.sort(
        key=lambda row: (_below(row), -row.spent.cost_micros, -row.spent.requests, -row.before.cost_micros, row.name)
    )
    return Bill(month, rows, whole, before, today - dt.timedelta(days=TOUCHPOINTS_KEPT_DAYS))


def _below(row: Row) -> int:
    """Return how far below the lines with a name one stands that is what is left of them."""
    return {_OTHERS: 1, _NOBODY: 2, _WITHOUT: 2}.get(row.place.kind if row.place else "", 0)


def _named(
    team_ids: Collection[uuid.UUID], month: dt.date, most: int, *, label: str = "", with_before: bool = False
) -> Iterator[tuple[Line, Place]]:
    """Yield what the dearest end users of a month spent, or values of a label, and then, by team, what the others did
    and what calls did that name none.

    With `with_before`, the same ones' month before comes as well.
    """
    since, until = month_before(month) if with_before else month, month_after(month)
    lines = dearest_named(team_ids, month, most, label=label)
    named = {line.cut for line in lines}
    if with_before and lines:
        earlier = costs_of_named(team_ids, {name for _, name in named}, since=since, until=month, label=label)
        lines += [line for line in earlier if line.cut in named]
    left: dict[tuple[dt.date, uuid.UUID], Spent] = {}
    for line in costs_of_named(team_ids, [""], since=since, until=until, label=label):
        left[line.month, line.cut[0]] = line.spent
    nameless = {
        (line.month, line.cut[0]): line.spent for line in costs(team_ids, since=since, until=until, by=["team"])
    }
    for key, spent in left.items():
        nameless[key] = nameless.get(key, Spent()) - spent
    for line in lines:
        team_id, name = line.cut
        left[line.month, team_id] = left.get((line.month, team_id), Spent()) - line.spent
        yield line, Place(_VALUE if label else END_USER, name, "")
    for kind, sums in ((_OTHERS, left), (_WITHOUT if label else _NOBODY, nameless)):
        for (of_month, team_id), spent in sorted(sums.items()):
            if spent != Spent():
                yield Line(of_month, (team_id, ""), spent), Place(kind, "", "")


def _named_places(team_ids: Collection[uuid.UUID], *, since: dt.date, until: dt.date) -> Iterator[tuple[Line, Place]]:
    """Yield what each key, widget and agent spent, and then, by month and team, what is left of the whole."""
    lines = costs_of_places(team_ids, since=since, until=until)
    left = {(line.month, line.cut[0]): line.spent for line in costs(team_ids, since=since, until=until, by=["team"])}
    ids = {kind: {line.cut[2] for line in lines if line.cut[1] == kind} for kind in UsageTouchpoint.Kind.values}
    keys = {str(key.pk): key for key in ApiKey.objects.filter(pk__in=ids["key"]).select_related("owner")}
    widgets = {str(pk): name for pk, name in Widget.objects.filter(pk__in=ids["widget"]).values_list("pk", "name")}
    for line in lines:
        team, kind, subject = line.cut
        left[line.month, team] = left.get((line.month, team), Spent()) - line.spent
        if kind == "key" and (key := keys.get(subject)):
            yield line, Place(kind, key.name, str(key.owner) if key.owner else "")
        else:
            yield line, Place(kind, widgets.get(subject, subject) if kind == "widget" else subject, "")
    for (month, team), spent in sorted(left.items()):
        if spent != Spent():
            yield Line(month, (team, _ELSE, ""), spent), Place(_ELSE, "", "")


# Line by line ---------------------------------------------------------------------------------------------------------


def span_of(since: dt.date, last: dt.date, param: str = "to") -> dict[str, dt.date]:
    """Return both ends of a stretch of whole months, BadInput for one that is none, or too long."""
    if last < since:
        raise BadInput("The last month is before the first.", param=param)
    if (last.year - since.year) * 12 + last.month - since.month >= MOST_MONTHS:
        raise BadInput(f"Ask for at most {MOST_MONTHS} months at once.", param=param)
    return {"since": since, "until": month_after(last)}


def lines_of(
    teams: Sequence[Team], by: Sequence[str], *, since: dt.date, until: dt.date, end_user: str = ""
) -> list[tuple[dict[str, str], Spent]]:
    """Return months cut by some of CUTS, by touchpoints, end users or a label: the words of each line, and its sums.

    With `end_user`, as the log keeps it, only that one's lines. BadInput for all end users of several months.
    """
    slugs = {team.pk: team.slug for team in teams}
    ids = [team.pk for team in teams]
    if TOUCHPOINT in by:
        return [
            ({"month": f"{line.month:%Y-%m}", "team": slugs[line.cut[0]], **place._asdict()}, line.spent)
            for line, place in _named_places(ids, since=since, until=until)
        ]
    if is_named(by[0]):
        lines = _of_values(ids, since, until, label) if (label := label_in(by[0])) else None
        return [
            ({"month": f"{line.month:%Y-%m}", "team": slugs[line.cut[0]], "kind": kind, "name": name}, line.spent)
            for line, (kind, name, _) in lines or _of_end_users(ids, since, until, end_user)
        ]
    found = []
    for line in costs(ids, by=by, since=since, until=until):
        words = {name: slugs[one] if name == "team" else one for name, one in zip(by, line.cut, strict=True)}
        found.append(({"month": f"{line.month:%Y-%m}", **words}, line.spent))
    return found


def _of_values(ids: Collection[uuid.UUID], since: dt.date, until: dt.date, label: str) -> Iterator[tuple[Line, Place]]:
    while since < until:
        yield from _named(ids, since, MOST_END_USERS, label=label)
        since = month_after(since)


def _of_end_users(
    ids: Collection[uuid.UUID], since: dt.date, until: dt.date, end_user: str
) -> Iterator[tuple[Line, Place]]:
    if end_user:
        for line in costs_of_named(ids, [end_user], since=since, until=until):
            yield line, Place(END_USER, end_user, "")
        return
    if month_after(since) != until:
        raise BadInput("Ask for one month of all end users at once, or for one end user.", param="to")
    yield from _named(ids, since, MOST_END_USERS)


def figures(spent: Spent) -> dict[str, Any]:
    """Return what programs read: counts, and the cost as a decimal string."""
    return {
        "requests": spent.requests,
        "errors": spent.errors,
        "refusals": spent.refusals,
        "input_tokens": spent.prompt_tokens,
        "output_tokens": spent.completion_tokens,
        "cost": amounts.for_input(Metric.COST, spent.cost_micros),
    }


def as_csv(lines: Sequence[tuple[dict[str, str], Spent]], by: Sequence[str]) -> str:
    """Return the lines as CSV; the currency stands in each, for whoever puts several files together."""
    cuts = ("team", *Place._fields) if TOUCHPOINT in by else ("team", "kind", "name") if is_named(by[0]) else by
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["month", *cuts, *figures(Spent()), "currency"])
    for words, spent in lines:
        writer.writerow([*map(neutral, words.values()), *figures(spent).values(), settings.CURRENCY])
    return text.getvalue()
