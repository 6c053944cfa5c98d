"""Queries of the quotas page: limits by team, the most urgent one, spending of the month, recent changes."""

import datetime as dt
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from console.audit.actions import action
from console.audit.models import AuditEvent
from usage_app import amounts
from usage_app.models import Metric, Mode, Window
from usage_app.queries import dashboard
from usage_app.queries.quota_state import QuotaState
from usage_app.queries.quotas import of_teams

_CHANGES = ("quota.created", "quota.changed", "quota.deleted", "quota.increased", "quota.increase_ended")


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the history: who did what to which limit."""

    at: dt.datetime
    actor: str
    sentence: str
    target: str
    team: str
    detail: str
    reason: str


@dataclass(frozen=True, slots=True)
class Spending:
    """One team's money over the month: a running sum, where it is heading, and the aliases it went to."""

    state: QuotaState
    chart: dict[str, Any]
    label: str
    by_alias: list[tuple[str, int, float]]
    rows: list[tuple[dt.date, int, int]]


@dataclass(frozen=True, slots=True)
class QuotaPage:
    states: list[QuotaState]
    urgent: QuotaState | None
    spending: Spending | None
    history: list[Change]


def page(team_ids: Iterable[uuid.UUID], *, history_of: Iterable[uuid.UUID], now: dt.datetime) -> QuotaPage:
    found = of_teams(team_ids, now=now)
    money = [
        s for s in found if s.quota.is_team_wide and s.quota.metric == Metric.COST and s.quota.window == Window.MONTH
    ]
    shown = max(money, key=_urgency, default=None)
    return QuotaPage(
        states=found,
        urgent=_urgent(found),
        spending=_spending(shown, now) if shown else None,
        history=_history(list(history_of)),
    )


def _urgency(state: QuotaState) -> tuple[bool, bool, float]:
    return (state.tone == "bad", state.tone == "warn", state.bar_used)


def _urgent(states: list[QuotaState]) -> QuotaState | None:
    """Return the limit that needs somebody first: of a day or month, hard before soft, soonest before later."""
    running_out = [s for s in states if s.quota.window in {Window.DAY, Window.MONTH} and s.runs_out]
    return min(
        running_out,
        key=lambda s: (s.quota.mode != Mode.HARD, s.forecast.runs_out_at if s.forecast else None, s.quota.pk),
        default=None,
    )


def _spending(state: QuotaState, now: dt.datetime) -> Spending:
    team_id, start, end = state.quota.team_id, state.period_start, state.period_end
    assert end is not None
    by_day = dashboard.cost_by_day([team_id], since=start.date()).get(team_id, {})
    moments: list[float] = []
    spent: list[float | None] = []
    ahead: list[float | None] = []
    rows: list[tuple[dt.date, int, int]] = []
    total, day = 0, start
    while day.date() <= now.date():
        total += by_day.get(day.date(), 0)
        rows.append((day.date(), by_day.get(day.date(), 0), total))
        moments.append(day.timestamp())
        spent.append(total / amounts.MICROS)
        ahead.append(None)
        day += dt.timedelta(days=1)
    # Today's point is what the counter says: the days follow it by seconds, and by what a mid-month quota left out.
    spent[-1] = ahead[-1] = state.used / amounts.MICROS
    expected = state.forecast.expected if state.forecast else None
    last = (end - dt.timedelta(days=1)).timestamp()
    if last > moments[-1]:
        moments.append(last)
        spent.append(None)
        ahead.append(None if expected is None else expected / amounts.MICROS)
    chart = {
        "unit": amounts.currency_sign(),
        "data": [moments, spent, ahead],
        "series": [
            {"name": "Spent", "color": f"--team-{state.quota.team.colour}", "fill": True},
            {"name": "Forecast", "color": "--ink-3", "dash": [4, 4]},
        ],
        "limits": [
            {
                "v": state.limit / amounts.MICROS,
                "label": f"{state.quota.get_mode_display()} limit {amounts.rough(Metric.COST, state.limit)}",
                "color": "--bad",
            }
        ],
        "marks": [{"t": moments[len(rows) - 1], "label": "Today"}],
        "range": [0, max(state.limit, state.used, expected or 0) * 1.12 / amounts.MICROS],
    }
    by_alias = dashboard.cost_by_alias(team_id, since=start.date())
    whole = sum(cost for _, cost in by_alias) or 1
    top = [(alias or "No alias", cost, cost * 100 / whole) for alias, cost in by_alias[:5]]
    if rest := sum(cost for _, cost in by_alias[5:]):
        top.append((f"{len(by_alias) - 5} other aliases", rest, rest * 100 / whole))
    label = f"{state.quota.team}'s spending this month: {state.used_text} of {state.limit_text}. {state.forecast_text}."
    return Spending(state=state, chart=chart, label=label, by_alias=top, rows=rows)


def _history(team_ids: list[uuid.UUID]) -> list[Change]:
    """Return the last changes of limits. Reads the log by its index of actions, newest first."""
    lines = AuditEvent.objects.filter(team_id__in=team_ids, action__in=_CHANGES).order_by("-id")[:8]
    return [_change(line) for line in lines.only("id", "at", "actor", "action", "target", "team", "detail")]


# What a value does not say by itself.
_BEFORE_IT = {"nameless": "calls that name no end user "}


def _change(line: AuditEvent) -> Change:
    known = action(line.action)
    detail = json.loads(line.detail) if line.detail else {}
    before, after = detail.get("before") or {}, detail.get("after") or {}
    metric = detail.get("metric", "")
    parts = []
    for name in ("limit", "amount", "mode", "nameless"):
        old, new = before.get(name), after.get(name)
        texts = [
            amounts.in_words(metric, value) if isinstance(value, int) else str(value)
            for value in (old, new)
            if value is not None
        ]
        if texts:
            parts.append(_BEFORE_IT.get(name, "") + " to ".join(texts))
    return Change(
        at=line.at,
        actor=line.actor,
        sentence=known.sentence if known else line.action,
        target=line.target,
        team=line.team,
        detail=", ".join(parts),
        reason=str(after.get("reason", "")),
    )
