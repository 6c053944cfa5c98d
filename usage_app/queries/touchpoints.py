"""What single places where AI is used did lately: a key, a widget, an agent."""

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from console.core.histogram import merged, percentile
from usage_app.sql.touchpoints import usage_by_touchpoint


@dataclass(slots=True)
class Use:
    """One place in the days asked for; `last_at` looks back as far as days are kept. Times in microseconds."""

    requests: int = 0
    errors: int = 0
    refusals: int = 0
    cost_micros: int = 0
    last_at: dt.datetime | None = None
    latency: list[int] = field(default_factory=list)
    first_token: list[int] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)

    def add(self, other: "Use") -> None:
        """Count another's calls as its own, such as those of the key it replaced."""
        self.requests += other.requests
        self.errors += other.errors
        self.refusals += other.refusals
        self.cost_micros += other.cost_micros
        self.last_at = max(filter(None, (self.last_at, other.last_at)), default=None)
        self.latency = merged(self.latency, other.latency)
        self.first_token = merged(self.first_token, other.first_token)
        self.aliases = sorted({*self.aliases, *other.aliases})
        self.models = sorted({*self.models, *other.models})

    @property
    def p50(self) -> int | None:
        return percentile(self.latency, 50)

    @property
    def p95(self) -> int | None:
        return percentile(self.latency, 95)

    @property
    def first_token_p95(self) -> int | None:
        return percentile(self.first_token, 95)


def uses(team_ids: Iterable[uuid.UUID], *, since: dt.date) -> dict[tuple[str, str], Use]:
    """Return what these teams' calls came by since that day, by (kind, subject). One query."""
    found = {}
    for (
        kind,
        subject,
        last_at,
        requests,
        errors,
        refusals,
        cost,
        latency,
        first,
        aliases,
        models,
    ) in usage_by_touchpoint(list(team_ids), since):
        found[kind, subject] = Use(
            requests, errors, refusals, cost, last_at, latency, first, sorted(aliases), sorted(models)
        )
    return found
