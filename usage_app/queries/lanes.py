"""Latency and load of each lane."""

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from console.core.histogram import merged, percentile
from console.core.lanes import Lane
from usage_app.queries.dashboard import Span, Tally
from usage_app.sql.figures import usage_by_time_and_lane


@dataclass(slots=True)
class LaneUse(Tally):
    """One lane in one span: sums, and its steps. Times are in microseconds."""

    lane: Lane = field(kw_only=True)
    first_token: list[int] = field(default_factory=list)
    requests_at: dict[dt.datetime, int] = field(default_factory=dict)
    first_token_at: dict[dt.datetime, int | None] = field(default_factory=dict)

    @property
    def first_token_p50(self) -> int | None:
        return percentile(self.first_token, 50)

    @property
    def first_token_p95(self) -> int | None:
        return percentile(self.first_token, 95)


def lanes(span: Span, *, team_ids: Iterable[uuid.UUID], environment: str) -> list[LaneUse]:
    """Return every lane, fastest first, in one query."""
    found = {lane.value: LaneUse(lane=lane) for lane in Lane}
    rows = usage_by_time_and_lane(span.grain, list(team_ids), environment, span.start, span.end)
    for moment, name, requests, errors, refusals, attempts, latency, first_token in rows:
        if (lane := found.get(name)) is None:
            continue
        lane.requests += requests
        lane.errors += errors
        lane.refusals += refusals
        lane.attempts += attempts
        lane.latency = merged(lane.latency, latency)
        lane.first_token = merged(lane.first_token, first_token)
        lane.requests_at[moment] = requests
        lane.first_token_at[moment] = percentile(first_token, 95)
    return list(found.values())
