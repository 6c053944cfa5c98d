"""Figures, series and rankings of the overview, from roll-ups, never from the log."""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django.db.models import Sum

from console.core import clock
from console.core.histogram import merged, percentile
from usage_app.models import UsageDay, UsageHour
from usage_app.sql.figures import latency_and_tops, usage_by_time_and_team

Grain = Literal["hour", "day"]
_STEPS: dict[Grain, dt.timedelta] = {"hour": dt.timedelta(hours=1), "day": dt.timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class Span:
    """The stretch of time a page shows, in steps of an hour or a day, and the equal stretch before it.

    Its last step continues still: `so_far` is the end of the present hour.
    """

    name: str
    grain: Grain
    start: dt.datetime
    end: dt.datetime
    so_far: dt.datetime

    @property
    def before(self) -> dt.datetime:
        return self.start - (self.end - self.start)

    @property
    def before_so_far(self) -> dt.datetime:
        """The end of what is compared: the stretch before had come as far as the present one has."""
        return self.so_far - (self.end - self.start)

    @property
    def moments(self) -> list[dt.datetime]:
        step, at, found = _STEPS[self.grain], self.start, []
        while at < self.end:
            found.append(at)
            at += step
        return found


SPANS: dict[str, tuple[Grain, int]] = {"24h": ("hour", 24), "7d": ("day", 7), "30d": ("day", 30)}


def span(name: str, now: dt.datetime) -> Span:
    """Return the span of that name that ends with the present hour or day; seven days for a name unknown."""
    name = name if name in SPANS else "7d"
    grain, steps = SPANS[name]
    end = clock.period_start(grain, now) + _STEPS[grain]
    so_far = clock.period_start("hour", now) + _STEPS["hour"]
    return Span(name=name, grain=grain, start=end - steps * _STEPS[grain], end=end, so_far=so_far)


@dataclass(slots=True)
class Tally:
    """How any set of calls went. Latencies are a histogram of microseconds.

    `attempts` are those of the errors that a fallback followed: calls like every other, but no caller heard of them.
    """

    requests: int = 0
    errors: int = 0
    refusals: int = 0
    attempts: int = 0
    latency: list[int] = field(default_factory=list)

    @property
    def error_percent(self) -> float:
        """Errors that callers heard of, among the calls that were let through."""
        tried = self.requests - self.refusals - self.attempts
        return (self.errors - self.attempts) * 100 / tried if tried else 0.0

    @property
    def p95(self) -> int | None:
        return percentile(self.latency, 95)


@dataclass(slots=True)
class Figures(Tally):
    """Sums over any set of calls."""

    tokens: int = 0
    cost_micros: int = 0

    def add(self, requests: int, errors: int, refusals: int, attempts: int, tokens: int, cost_micros: int) -> None:
        self.requests += requests
        self.errors += errors
        self.refusals += refusals
        self.attempts += attempts
        self.tokens += tokens
        self.cost_micros += cost_micros

    @property
    def p50(self) -> int | None:
        return percentile(self.latency, 50)


@dataclass(slots=True)
class Top:
    """One alias, or one model, and what it had in the span."""

    name: str
    figures: Figures
    others: list[str]
    share: float = 0.0


@dataclass(slots=True)
class Dashboard:
    """Everything about calls that the overview shows for one span, scope and environment."""

    span: Span
    now: Figures
    before: Figures
    steps: dict[dt.datetime, Figures]
    cost_by_team: dict[uuid.UUID, dict[dt.datetime, int]]
    latency_by_type: dict[str, dict[dt.datetime, list[int]]]
    aliases: list[Top]
    models: list[Top]

    @property
    def is_empty(self) -> bool:
        return not self.now.requests and not self.before.requests


def dashboard(span: Span, *, team_ids: Iterable[uuid.UUID], environment: str) -> Dashboard:
    """Read a span and the one before it, as far as it had come by then. Three queries, whatever the volume."""
    teams = list(team_ids)
    moments = span.moments
    now, before = Figures(), Figures()
    steps = {moment: Figures() for moment in moments}
    cost_by_team: dict[uuid.UUID, dict[dt.datetime, int]] = defaultdict(dict)
    # A morning would look like a loss beside a whole day, so of the last day before only its hours until now count.
    last_before = span.start - _STEPS[span.grain]
    if span.grain == "day":
        for _, _, *sums in usage_by_time_and_team("hour", teams, environment, last_before, span.before_so_far):
            before.add(*sums)
    for moment, team_id, *sums in usage_by_time_and_team(span.grain, teams, environment, span.before, span.end):
        if moment < span.start:
            if span.grain == "hour" or moment < last_before:
                before.add(*sums)
            continue
        now.add(*sums)
        steps[moment].add(*sums)
        cost_by_team[team_id][moment] = sums[-1]
    latency_by_type: dict[str, dict[dt.datetime, list[int]]] = defaultdict(dict)
    old: list[Sequence[int]] = []
    latencies, tops = latency_and_tops(
        span.grain, teams, environment, span.before, span.end, tops_since=span.start, limit=200
    )
    for moment, kind, counts in latencies:
        if moment < span.start:
            old.append(counts)
        else:
            latency_by_type[kind][moment] = counts
            steps[moment].latency = merged(steps[moment].latency, counts)
    before.latency = merged(*old)
    now.latency = merged(*(step.latency for step in steps.values()))
    aliases, models = _tops(tops)
    return Dashboard(
        span=span,
        now=now,
        before=before,
        steps=steps,
        cost_by_team=dict(cost_by_team),
        latency_by_type=dict(latency_by_type),
        aliases=aliases,
        models=models,
    )


def _tops(rows: list[tuple[Any, ...]]) -> tuple[list[Top], list[Top]]:
    """Return the aliases and the models that cost most; among those that cost nothing, those called most."""
    by_alias: dict[str, Figures] = defaultdict(Figures)
    by_model: dict[str, Figures] = defaultdict(Figures)
    models_of: dict[str, list[str]] = defaultdict(list)
    aliases_of: dict[str, list[str]] = defaultdict(list)
    for alias, model, requests, errors, refusals, attempts, tokens, cost, latency in rows:
        # A fallback mends a call of the alias, and no call of the model that failed.
        met = ([(by_alias[alias], attempts)] if alias else []) + ([(by_model[model], 0)] if model else [])
        for figures, mended in met:
            figures.add(requests, errors, refusals, mended, tokens, cost)
            figures.latency = merged(figures.latency, latency)
        if alias and model:
            models_of[alias].append(model)
            aliases_of[model].append(alias)
    return _ranked(by_alias, models_of), _ranked(by_model, aliases_of)


def _ranked(found: dict[str, Figures], others: dict[str, list[str]]) -> list[Top]:
    whole = sum(f.cost_micros for f in found.values())
    calls = sum(f.requests for f in found.values())
    ranked = sorted(found.items(), key=lambda item: (-item[1].cost_micros, -item[1].requests, item[0]))
    return [
        Top(
            name=name,
            figures=figures,
            others=others.get(name, []),
            share=figures.cost_micros * 100 / whole if whole else figures.requests * 100 / (calls or 1),
        )
        for name, figures in ranked
    ]


def has_usage(team_ids: Iterable[uuid.UUID]) -> bool:
    """Return whether any of the teams ever made a call."""
    return UsageDay.objects.filter(team_id__in=list(team_ids)).exists()


def cost_by_day(team_ids: Iterable[uuid.UUID], *, since: dt.date) -> dict[uuid.UUID, dict[dt.date, int]]:
    """Return what each team spent each day in every environment, as a team's cost quota counts it."""
    rows = (
        UsageDay.objects.filter(team_id__in=list(team_ids), day__gte=since)
        .values_list("team_id", "day")
        .annotate(cost=Sum("cost_micros"))
    )
    found: dict[uuid.UUID, dict[dt.date, int]] = defaultdict(dict)
    for team_id, day, cost in rows:
        found[team_id][day] = cost
    return found


def cost_by_alias(team_id: uuid.UUID, *, since: dt.date) -> list[tuple[str, int]]:
    """Return where a team's money went since that day, the dearest alias first."""
    rows = (
        UsageDay.objects.filter(team_id=team_id, day__gte=since)
        .values_list("alias")
        .annotate(cost=Sum("cost_micros"))
        .order_by("-cost")
    )
    return [(alias, cost) for alias, cost in rows if cost]


@dataclass(frozen=True, slots=True)
class Failing:
    """A provider whose calls mostly fail at present."""

    provider: str
    requests: int
    errors: int


def failing_providers(team_ids: Iterable[uuid.UUID], *, now: dt.datetime) -> list[Failing]:
    """Return providers with at least five errors, and those a fifth of the calls, in this hour and the one before."""
    since = now.replace(minute=0, second=0, microsecond=0) - dt.timedelta(hours=1)
    rows = (
        UsageHour.objects.filter(team_id__in=list(team_ids), hour__gte=since)
        .exclude(model="")
        .values_list("model")
        .annotate(requests=Sum("requests"), errors=Sum("errors"))
    )
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for model, requests, errors in rows:
        provider = sums[model.partition("/")[0]]
        provider[0] += requests
        provider[1] += errors
    return [
        Failing(provider=name, requests=requests, errors=errors)
        for name, (requests, errors) in sorted(sums.items())
        if errors >= 5 and errors * 5 >= requests
    ]
