"""The calls and quotas of aliases, for the pages of the catalog."""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.urls import reverse

from console.catalog.traffic import Traffic
from console.core.clock import now
from console.core.histogram import merged, percentile
from console.core.where_used import Use
from usage_app.models import Metric, Purpose, Quota
from usage_app.sql.figures import usage_by_alias_and_model

# Rows of alias and model, the dearest first: more aliases than anybody reads on one page.
_MOST_ROWS = 1000


def quotas_of(alias: str) -> list[Use]:
    """Return the quotas of an alias."""
    page = reverse("usage:quotas")
    return [
        Use(
            "quota",
            quota.what,
            quota.team_id,
            quota.team.name,
            url=f"{page}?team={quota.team.slug}",
            opens_to="view_usage",
        )
        for quota in Quota.objects.filter(alias=alias).select_related("team", "key")
    ]


class RolledUpTraffic:
    """Reads the calls of aliases from the roll-ups."""

    def shadow_budgets(self, alias: str) -> dict[uuid.UUID, str]:
        budgets = Quota.objects.filter(purpose=Purpose.SHADOW, alias__in=["", alias], team__archived_at=None)
        return dict(budgets.exclude(metric=Metric.CONCURRENCY).values_list("team_id", "team__name"))

    def by_alias(self, since: dt.datetime, *, teams: Sequence[uuid.UUID], environment: str) -> dict[str, Traffic]:
        return _summed((row[0].partition("@")[0], row) for row in _rows("day", since, teams, environment))

    def by_model(
        self, alias: str, since: dt.datetime, *, teams: Sequence[uuid.UUID], environment: str
    ) -> dict[str, Traffic]:
        rows = _rows("hour", since, teams, environment)
        return _summed((row[1], row) for row in rows if row[0].partition("@")[0] == alias)


def _rows(grain: str, since: dt.datetime, teams: Sequence[uuid.UUID], environment: str) -> list[tuple[Any, ...]]:
    until = now() + dt.timedelta(days=1)
    return usage_by_alias_and_model(grain, list(teams), environment, since, until, _MOST_ROWS, with_shadows=False)


def _summed(rows: Iterable[tuple[str, tuple[Any, ...]]]) -> dict[str, Traffic]:
    sums: dict[str, list[int]] = {}
    latencies: dict[str, list[int]] = {}
    for name, (_, _, requests, errors, _, _, cost, latency) in rows:
        had = sums.get(name, [0, 0, 0])
        sums[name] = [had[0] + requests, had[1] + errors, had[2] + cost]
        latencies[name] = merged(latencies.get(name, []), latency)
    return {
        name: Traffic(requests=requests, errors=errors, cost_micros=cost, p95_us=percentile(latencies[name], 95))
        for name, (requests, errors, cost) in sums.items()
    }
