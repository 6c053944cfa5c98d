"""Totals since the first call, for counters that never decrease."""

import datetime as dt
import uuid
from dataclasses import dataclass

from django.db.models import Min, QuerySet

from usage_app.models import RollUpState, UsageTotal
from usage_app.sql import totals as sql
from usage_app.sql.calls import UNCOUNTED_TYPES

Teams = frozenset[uuid.UUID] | None  # None: all there are, and were


@dataclass(frozen=True, slots=True)
class Total:
    """Calls of one cut that ended in one way."""

    team_id: uuid.UUID
    environment: str
    type: str
    lane: str
    alias: str
    model: str
    status: str
    code: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int


@dataclass(frozen=True, slots=True)
class Durations:
    """How long calls of one cut took, and how long until their first token: sums, and counts by octave."""

    environment: str
    type: str
    lane: str
    model: str
    latency_us: int
    latency: list[int]
    first_token_us: int
    first_token: list[int]


def _rows(teams: Teams) -> QuerySet[UsageTotal]:
    rows = UsageTotal.objects.exclude(type__in=UNCOUNTED_TYPES)
    return rows if teams is None else rows.filter(team_id__in=teams)


def totals(teams: Teams) -> list[Total]:
    """Return the sums in the order in which their cuts were first seen, which never changes."""
    return [Total(*row) for row in _rows(teams).order_by("id").values_list(*Total.__slots__)]


def durations(teams: Teams) -> list[Durations]:
    """Return durations in the order in which their cuts were first seen."""
    return [Durations(*row) for row in sql.durations(None if teams is None else list(teams))]


def since(teams: Teams) -> dt.datetime | None:
    """Return when the first of these calls was counted."""
    first: dt.datetime | None = _rows(teams).aggregate(first=Min("since"))["first"]
    return first


def read_up_to() -> dt.datetime | None:
    """Return when the log was last read into the sums."""
    return RollUpState.objects.filter(pk=1).values_list("at", flat=True).first()
