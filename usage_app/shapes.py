"""The quotas in the gateway's snapshot: plain values, no rows."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import cast

from console.core.clock import Window, now, period_end, period_start
from console.teams.models import ApiKey
from usage_app.models import Mode, Nameless, Quota

# Concurrency has no window; all its counting happens in one endless period.
ENDLESS = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class QuotaShape:
    id: int
    team_id: uuid.UUID
    key_id: uuid.UUID | None
    # The key and those that replaced it: rotating a limited key makes no unlimited one.
    key_ids: frozenset[uuid.UUID]
    alias: str
    metric: str
    window: str
    limit: int
    is_hard: bool
    increases: tuple[tuple[dt.datetime, dt.datetime, int], ...]
    purpose: str = ""  # a Purpose: which calls it counts
    agent: str = ""
    widget_id: uuid.UUID | None = None
    widget: str = ""
    each_end_user: bool = False
    refuses_nameless: bool = False  # calls by programs and visitors that say of no end user that they are theirs

    def limit_at(self, moment: dt.datetime) -> int:
        if not self.increases:
            return self.limit
        return self.limit + sum(amount for start, end, amount in self.increases if start <= moment < end)

    def period(self, moment: dt.datetime) -> dt.datetime:
        return period_start(cast(Window, self.window), moment) if self.window else ENDLESS

    def resets_at(self, moment: dt.datetime) -> dt.datetime | None:
        """Return when the present period ends; None for concurrency, which frees itself call by call."""
        return period_end(cast(Window, self.window), self.period(moment)) if self.window else None

    @property
    def scope(self) -> str:
        if self.agent:
            return "agent"
        return "widget" if self.widget_id else "key" if self.key_id else "alias" if self.alias else "team"


def _line(key_id: uuid.UUID | None, successors: dict[uuid.UUID, uuid.UUID]) -> frozenset[uuid.UUID]:
    line: set[uuid.UUID] = set()
    while key_id is not None and key_id not in line:
        line.add(key_id)
        key_id = successors.get(key_id)
    return frozenset(line)


def quota_shapes() -> dict[uuid.UUID, tuple[QuotaShape, ...]]:
    """Return the quotas of each team, smallest id first, which is the order their counters are locked in."""
    moment = now()
    successors = {
        old: new for old, new in ApiKey.objects.exclude(replaced_by=None).values_list("pk", "replaced_by_id") if new
    }
    found: dict[uuid.UUID, list[QuotaShape]] = {}
    for row in Quota.objects.order_by("id").prefetch_related("increases"):
        increases = tuple(
            (i.starts_at, i.ended_at or i.ends_at, i.amount)
            for i in row.increases.all()
            if (i.ended_at or i.ends_at) > moment
        )
        found.setdefault(row.team_id, []).append(
            QuotaShape(
                id=row.pk,
                team_id=row.team_id,
                key_id=row.key_id,
                key_ids=_line(row.key_id, successors),
                alias=row.alias,
                metric=row.metric,
                window=row.window,
                limit=row.limit,
                is_hard=row.mode == Mode.HARD,
                increases=increases,
                purpose=row.purpose,
                agent=row.agent,
                widget_id=row.widget_id,
                widget=row.widget,
                each_end_user=row.each_end_user,
                refuses_nameless=row.nameless == Nameless.REFUSE,
            )
        )
    return {team_id: tuple(quotas) for team_id, quotas in found.items()}
