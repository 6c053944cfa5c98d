"""Calls, tokens, cost and durations, from the same roll-ups as the overview."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from django.conf import settings
from prometheus_client.metrics_core import Metric

from console.teams.models import Team
from console.telemetry.metrics.families import OTHER, add, add_durations, counter, gauge, histogram, labels, moment
from usage_app.queries import totals
from usage_app.queries.totals import Durations, Teams, Total

_CUT = ("team", "environment", "type", "lane", "alias", "model")
_TIMED = ("environment", "type", "lane", "model")


def families(teams: Teams) -> Iterator[Metric]:
    yield from moment("facet_calls_since_timestamp_seconds", "When the counters of calls began.", totals.since(teams))
    yield from moment(
        "facet_rolled_up_timestamp_seconds",
        "When the log was last read into the counters of calls; they know of nothing later.",
        totals.read_up_to(),
    )
    rows, most = totals.totals(teams), settings.METRICS_MOST_SERIES
    yield from _sums(rows, dict(Team.objects.values_list("pk", "slug")), most)
    timed, most_timed = totals.durations(teams), max(1, most // 10)
    yield from _durations(timed, most_timed)
    left_off = gauge(
        "facet_series_in_other", "Cuts that came after METRICS_MOST_SERIES was reached and share `other`.", ("of",)
    )
    add(left_off, ("calls",), max(0, len(rows) - most))
    add(left_off, ("durations",), max(0, len(timed) - most_timed))
    yield left_off


def _sums(rows: list[Total], slugs: dict[object, str], most: int) -> Iterator[Metric]:
    """Who came first keeps a series of its own. Were it those that are largest now, series would change hands and
    `other` would fall, which a counter must not.
    """
    calls: dict[tuple[str, ...], int] = defaultdict(int)
    tokens: dict[tuple[str, ...], int] = defaultdict(int)
    cost: dict[tuple[str, ...], int] = defaultdict(int)
    for place, row in enumerate(rows):
        team, alias, model, code = slugs.get(row.team_id, row.team_id), row.alias, row.model, row.code
        if place >= most:
            team, alias, model, code = OTHER, OTHER, OTHER, OTHER
        cut = labels((team, row.environment, row.type, row.lane, alias, model))
        calls[(*cut, *labels((row.status, code)))] += row.requests
        if row.status != "refused":
            tokens[(*cut, "input")] += row.prompt_tokens
            tokens[(*cut, "output")] += row.completion_tokens
            cost[(*cut, settings.CURRENCY)] += row.cost_micros
    yield _counted("facet_calls", "Calls of models that ended, by how they ended.", (*_CUT, "status", "code"), calls)
    yield _counted("facet_tokens", "Tokens of calls.", (*_CUT, "direction"), tokens)
    yield _counted("facet_cost", "Cost of calls, in units of the currency.", (*_CUT, "currency"), cost, 1_000_000)


def _counted(name: str, about: str, names: Iterable[str], sums: dict[tuple[str, ...], int], divisor: int = 1) -> Metric:
    family = counter(name, about, tuple(names))
    for values, amount in sums.items():
        add(family, values, amount / divisor)
    return family


def _durations(rows: list[Durations], most: int) -> Iterator[Metric]:
    """Durations are cut by fewer things: each has a series per bucket."""
    latency = histogram("facet_call_duration_seconds", "How long calls took that were let through.", _TIMED)
    first = histogram("facet_time_to_first_token_seconds", "How long until the first token.", _TIMED)
    found: dict[tuple[str, ...], list[Durations]] = defaultdict(list)
    for place, row in enumerate(rows):
        found[labels((row.environment, row.type, row.lane, row.model if place < most else OTHER))].append(row)
    for values, same in found.items():
        add_durations(latency, values, _added(r.latency for r in same), sum(r.latency_us for r in same))
        if any(counts := _added(r.first_token for r in same)):
            add_durations(first, values, counts, sum(r.first_token_us for r in same))
    yield from (latency, first)


def _added(histograms: Iterable[list[int]]) -> list[int]:
    return [sum(counts) for counts in zip(*histograms, strict=True)]
