"""What the rooms above the catalog know of its aliases: quotas, and calls from the roll-ups."""

import datetime as dt
import uuid
from collections.abc import Sequence

from console.catalog.where_used import Traffic, Use
from console.core.clock import now
from console.core.histogram import merged, percentile
from usage_app import sql
from usage_app.models import Quota

# Rows of alias and model, the dearest first: more aliases than anybody reads on one page.
_MOST_ROWS = 1000


class UsageSource:
    """Registered with `console.catalog.where_used` when the process starts."""

    def uses(self, alias: str) -> list[Use]:
        quotas = Quota.objects.filter(alias=alias).select_related("team", "key")
        return [Use("quota", quota.what, quota.team_id, quota.team.name) for quota in quotas]

    def traffic(self, since: dt.datetime, *, teams: Sequence[uuid.UUID], environment: str) -> dict[str, Traffic]:
        until = now() + dt.timedelta(days=1)
        rows = sql.usage_by_alias_and_model("day", list(teams), environment, since, until, _MOST_ROWS)
        sums: dict[str, list[int]] = {}
        latencies: dict[str, list[int]] = {}
        for alias, _, requests, errors, _, _, cost, latency in rows:
            name = alias.partition("@")[0]
            had = sums.get(name, [0, 0, 0])
            sums[name] = [had[0] + requests, had[1] + errors, had[2] + cost]
            latencies[name] = merged(latencies.get(name, []), latency)
        return {
            name: Traffic(requests=requests, errors=errors, cost_micros=cost, p95_us=percentile(latencies[name], 95))
            for name, (requests, errors, cost) in sums.items()
        }
