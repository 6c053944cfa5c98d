"""Convert figures to what the overview draws: key figures, series, burn-downs."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.conf import settings

from console.audit.models import EventType
from console.core import formatting
from console.core.histogram import merged, percentile
from console.teams.models import Team
from usage_app import amounts
from usage_app.models import Metric, Window
from usage_app.queries.dashboard import Dashboard, Figures, Span, cost_by_day
from usage_app.queries.quota_state import QuotaState

_MOST_SERIES = 4


@dataclass(frozen=True, slots=True)
class Kpi:
    """One headline number with its change. `good` is None when neither way is."""

    label: str
    value: str
    points: list[float]
    before: str = ""
    change: str = ""
    good: bool | None = None
    up: bool = True
    parts: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Chart:
    """A time chart, its finding in words, the legend, and the same numbers as a table.

    `unfinished` names the last period of amounts, which continues ("Today so far"): its stretch is dashed.
    """

    data: dict[str, Any]
    label: str
    legend: list[tuple[str, str]]
    heads: list[str]
    rows: list[tuple[dt.datetime, list[str]]]
    unfinished: str = ""


@dataclass(frozen=True, slots=True)
class Burn:
    """How a month's budget burns down: SVG paths in a box of 300 by 64."""

    state: QuotaState
    line: str
    ahead: str
    today: float


# Key figures ----------------------------------------------------------------------------------------------------------


def kpis(usage: Dashboard) -> list[Kpi]:
    now, before = usage.now, usage.before
    steps = [usage.steps[moment] for moment in usage.span.moments]
    # An amount of the period that continues would end every line in a fall.
    whole = steps[:-1]
    in_currency = partial(formatting.money, currency=settings.CURRENCY)
    return [
        _amount_kpi("Requests", now.requests, before.requests, [step.requests for step in whole], formatting.number),
        _amount_kpi("Cost", now.cost_micros, before.cost_micros, [step.cost_micros for step in whole], in_currency),
        _latency_kpi(now, before, steps),
        _error_kpi(now, before, steps),
        _amount_kpi("Tokens", now.tokens, before.tokens, [step.tokens for step in whole], formatting.tokens),
    ]


def _amount_kpi(label: str, now: int, before: int, points: list[float], said: Callable[[int], str]) -> Kpi:
    """Return an amount with its change in percent; without one where there was nothing before."""
    if not before:
        return Kpi(label=label, value=said(now), points=points)
    percent = (now - before) * 100 / before
    change = formatting.percent(abs(percent))
    return Kpi(label=label, value=said(now), points=points, before=said(before), change=change, up=percent >= 0)


def _latency_kpi(now: Figures, before: Figures, steps: Sequence[Figures]) -> Kpi:
    change: dict[str, Any] = {}
    if now.p95 is not None and before.p95 is not None:
        difference = now.p95 - before.p95
        change = {
            "change": formatting.duration(abs(difference)),
            "before": f"{formatting.duration(before.p95)} on p95",
            "good": difference <= 0,
            "up": difference > 0,
        }
    parts = [formatting.duration(value).rpartition(" ") for value in (now.p50, now.p95) if value is not None]
    return Kpi(
        label="Latency p50 / p95",
        value="" if parts else "No calls",
        parts=[(number, unit) for number, _, unit in parts],
        points=[step.p95 or 0 for step in steps],
        **change,
    )


def _error_kpi(now: Figures, before: Figures, steps: Sequence[Figures]) -> Kpi:
    change: dict[str, Any] = {}
    if before.requests:
        difference = now.error_percent - before.error_percent
        change = {
            "change": f"{abs(difference):.2f} pt",
            "before": formatting.percent(before.error_percent, 2),
            "good": difference <= 0,
            "up": difference > 0,
        }
    refused = f"{now.refusals:,} refused" if now.refusals else ""
    return Kpi(
        label=f"Error rate{f', {refused}' if refused else ''}",
        value=formatting.percent(now.error_percent, 2),
        points=[step.error_percent for step in steps],
        **change,
    )


# Series ---------------------------------------------------------------------------------------------------------------


def _seconds(moments: Sequence[dt.datetime]) -> list[float]:
    return [moment.timestamp() for moment in moments]


def cost(usage: Dashboard, teams: Sequence[Team]) -> Chart:
    """Cost by team: at most four lines, the dearest teams first and the rest as one."""
    moments = usage.span.moments
    names = {team.pk: team for team in teams}
    totals = sorted(usage.cost_by_team.items(), key=lambda item: (-sum(item[1].values()), names[item[0]].name))
    alone = totals if len(totals) <= _MOST_SERIES else totals[: _MOST_SERIES - 1]
    series: list[tuple[str, str, list[int]]] = []
    for team_id, by_moment in alone:
        team = names[team_id]
        series.append((team.name, _colour(team, series), [by_moment.get(moment, 0) for moment in moments]))
    if rest := totals[len(alone) :]:
        together = [sum(by_moment.get(moment, 0) for _, by_moment in rest) for moment in moments]
        series.append((f"{len(rest)} other teams", "--ink-3", together))
    return Chart(
        data={
            "unit": amounts.currency_sign(),
            "data": [_seconds(moments), *([value / amounts.MICROS for value in values] for _, _, values in series)],
            "series": [{"name": name, "color": colour} for name, colour, _ in series],
            "unfinished": True,
        },
        label=_cost_finding(usage, series),
        legend=[(name, colour.removeprefix("--team-")) for name, colour, _ in series],
        heads=[name for name, _, _ in series],
        rows=[
            (moment, [formatting.money(values[i], settings.CURRENCY) for _, _, values in series])
            for i, moment in enumerate(moments)
        ],
        unfinished=unfinished(usage.span),
    )


def unfinished(span: Span) -> str:
    return "This hour so far" if span.grain == "hour" else "Today so far"


def _colour(team: Team, taken: Sequence[tuple[str, str, list[int]]]) -> str:
    """The team's own slot; where a dearer team has it already, the first free one, so that lines stay apart."""
    used = {colour for _, colour, _ in taken}
    slots = [team.colour, *range(1, _MOST_SERIES + 1)]
    return next((f"--team-{slot}" for slot in slots if f"--team-{slot}" not in used), "--ink")


def _cost_finding(usage: Dashboard, series: Sequence[tuple[str, str, list[int]]]) -> str:
    unit = "hour" if usage.span.grain == "hour" else "day"
    if not series:
        return f"Cost per {unit}: nothing was spent."
    name, _, values = series[0]
    spent = formatting.money(sum(values), settings.CURRENCY)
    return f"Cost per {unit} by team. {name} is highest with {spent} in total."


def latency(usage: Dashboard) -> Chart:
    """p95 by type of call, the most frequent types first; at most four."""
    moments = usage.span.moments
    ranked = sorted(usage.latency_by_type.items(), key=lambda item: (-sum(map(sum, item[1].values())), item[0]))
    colours = ["--team-1", "--team-3", "--team-2", "--team-4"]
    series = []
    for (kind, by_moment), colour in zip(ranked[:_MOST_SERIES], colours, strict=False):
        label = EventType(kind).label if kind in EventType.values else kind
        series.append((label, colour, [percentile(by_moment.get(moment, []), 95) for moment in moments]))
    finding = "No calls."
    if ranked:
        slowest = percentile(merged(*ranked[0][1].values()), 95) or 0
        finding = f"p95 latency by type of call. {series[0][0]}: {formatting.duration(slowest)} over the whole time."
    return Chart(
        data={
            "unit": "ms",
            "data": [
                _seconds(moments),
                *([None if v is None else v / 1000 for v in values] for _, _, values in series),
            ],
            "series": [{"name": name, "color": colour} for name, colour, _ in series],
        },
        label=finding,
        legend=[(name, colour.removeprefix("--team-")) for name, colour, _ in series],
        heads=[name for name, _, _ in series],
        rows=[
            (moment, ["No calls" if (v := values[i]) is None else formatting.duration(v) for _, _, values in series])
            for i, moment in enumerate(moments)
        ],
    )


# Budgets --------------------------------------------------------------------------------------------------------------


def burns(quotas: Sequence[QuotaState], now: dt.datetime) -> list[Burn]:
    """One card for each team with a monthly budget, those that run out first."""
    budgets = [
        s for s in quotas if s.quota.is_team_wide and s.quota.metric == Metric.COST and s.quota.window == Window.MONTH
    ]
    if not budgets:
        return []
    spent = cost_by_day([s.quota.team_id for s in budgets], since=budgets[0].period_start.date())
    budgets.sort(key=lambda s: (not s.runs_out, -s.bar_used))
    return [_burn(state, spent.get(state.quota.team_id, {}), now) for state in budgets[:6]]


def _burn(state: QuotaState, by_day: dict[dt.date, int], now: dt.datetime) -> Burn:
    start, end = state.period_start, state.period_end
    assert end is not None
    whole = (end - start).total_seconds()

    def x(moment: dt.datetime) -> float:
        return round(300 * (moment - start).total_seconds() / whole, 1)

    def y(used: float) -> float:
        left = 1 - used / state.limit if state.limit > 0 else 0
        return round(63 - 60 * max(0.0, min(1.0, left)), 1)

    # What a quota of mid-month did not see is spread before the first day, so the line ends where the counter stands.
    points, total = [(0.0, y(0))], 0
    day = start + dt.timedelta(days=1)
    while day <= now:
        total = min(total + by_day.get((day - dt.timedelta(days=1)).date(), 0), state.used)
        points.append((x(day), y(total)))
        day += dt.timedelta(days=1)
    today = x(now)
    points.append((today, y(state.used)))
    ahead = ""
    if state.forecast is not None:
        last = state.forecast.runs_out_at or end
        ahead = f"M{today} {y(state.used)}L{x(last)} {y(min(state.forecast.expected, state.limit))}"
    line = "M" + "L".join(f"{a} {b}" for a, b in points)
    return Burn(state=state, line=line, ahead=ahead, today=today)
