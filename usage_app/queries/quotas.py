"""Quotas and what is left of them, for pages, answers, mails and programs."""

import datetime as dt
import uuid
from collections.abc import Collection, Iterable
from dataclasses import replace

from django.db.models import F, Prefetch, Q, QuerySet

from console.core import clock
from usage_app.forecast import forecast
from usage_app.models import EndUserCounter, Metric, Purpose, Quota, QuotaCounter, QuotaIncrease, Window
from usage_app.queries.quota_state import NEAR_PERCENT, EndUserUse, QuotaState
from usage_app.shapes import ENDLESS
from usage_app.sql.counters import key_line
from usage_app.sql.end_user_counters import Standing, standings

# How many end users are shown.
SHOWN_END_USERS = 50

Counter = tuple[int, dt.datetime] | tuple[int, dt.datetime, str]


def counted(counters: Collection[Counter]) -> dict[Counter, int]:
    """Return what each counter has used and promised: a quota's of a period, or one end user's of that."""
    held: dict[Counter, int] = {}
    places = ["quota_id", "period_start", "end_user"]
    for model, length in ((QuotaCounter, 2), (EndUserCounter, 3)):
        wanted = [counter for counter in counters if len(counter) == length]
        if not wanted:
            continue
        which = zip((f"{place}__in" for place in places), map(set, zip(*wanted, strict=True)), strict=False)
        rows = model.objects.filter(**dict(which)).values_list(*places[:length], "used", "reserved")
        held |= {row[:length]: row[-2] + row[-1] for row in rows}
    return {counter: held.get(counter, 0) for counter in counters}


def states(quotas: QuerySet[Quota], *, now: dt.datetime) -> list[QuotaState]:
    """Return the present state of quotas in the given order. Three queries, however many there are.

    One more where some are for each end user, of whom it reads no more than there are near the limit.
    """
    active = QuotaIncrease.objects.filter(ended_at=None, starts_at__lte=now, ends_at__gt=now)
    rows = list(quotas.prefetch_related(Prefetch("increases", queryset=active, to_attr="active_increases")))
    starts = {window: clock.period_start(window, now) for window in clock.WINDOWS}
    counters = {
        (counter.quota_id, counter.period_start): counter
        for counter in QuotaCounter.objects.filter(
            quota_id__in=[row.pk for row in rows], period_start__in=[*starts.values(), ENDLESS]
        )
    }
    found = [_state(row, counters, starts, now) for row in rows]
    each = [(s.quota.pk, s.period_start, s.limit) for s in found if s.quota.each_end_user]
    return _with_standings(found, standings(each, NEAR_PERCENT)) if each else found


def _with_standings(rows: list[QuotaState], standings: dict[int, Standing]) -> list[QuotaState]:
    return [
        replace(state, standing=standing, used=standing.most_used)
        if (standing := standings.get(state.quota.pk))
        else state
        for state in rows
    ]


def of_end_users(state: QuotaState, name: str = "") -> list[EndUserUse]:
    """Return what end users have used of a limit for each: the one of this name, or those who used most."""
    rows = EndUserCounter.objects.filter(quota=state.quota, period_start=state.period_start)
    rows = rows.filter(end_user=name) if name else rows.order_by("-used", "end_user")[:SHOWN_END_USERS]
    return [EndUserUse(state, *row) for row in rows.values_list("end_user", "used", "reserved")]


def _state(
    quota: Quota,
    counters: dict[tuple[int, dt.datetime], QuotaCounter],
    starts: dict[clock.Window, dt.datetime],
    now: dt.datetime,
) -> QuotaState:
    start = starts[quota.clock_window] if quota.window else ENDLESS
    end = clock.period_end(quota.clock_window, start) if quota.window else None
    counter = counters.get((quota.pk, start))
    used, reserved = (counter.used, counter.reserved) if counter else (0, 0)
    increases: tuple[QuotaIncrease, ...] = tuple(quota.active_increases)  # type: ignore[attr-defined]
    limit = quota.limit + sum(increase.amount for increase in increases)
    if quota.metric == Metric.CONCURRENCY:
        used, reserved = reserved, 0  # calls that are open now
    ahead = None
    if end is not None and quota.window != Window.MINUTE and not quota.each_end_user:
        ahead = forecast(used=used, limit=limit, start=start, end=end, now=now)
    return QuotaState(
        quota=quota,
        now=now,
        period_start=start,
        period_end=end,
        used=used,
        reserved=reserved,
        limit=limit,
        increases=increases,
        forecast=ahead,
    )


_ORDER = {"month": 0, "day": 1, "hour": 2, "minute": 3, "": 4}


def of_teams(team_ids: Iterable[uuid.UUID], *, now: dt.datetime) -> list[QuotaState]:
    """Return the quotas of teams as the page lists them: by team, the team's own first, long windows first."""
    quotas = (
        Quota.objects.filter(team_id__in=list(team_ids))
        .select_related("team", "key")
        .order_by("team__name", F("key__name").asc(nulls_first=True), "alias", "agent", "widget", "metric", "id")
    )
    found = states(quotas, now=now)
    found.sort(
        key=lambda s: (
            s.quota.team.name.casefold(),
            not s.quota.is_team_wide,
            s.quota.key.name.casefold() if s.quota.key else "",
            (s.quota.alias, s.quota.agent, s.quota.widget),
            s.quota.each_end_user,
            _ORDER[s.quota.window],
            s.quota.metric,
        )
    )
    return found


def remaining(
    team_id: uuid.UUID,
    key_id: uuid.UUID | None,
    alias: str | None = None,
    *,
    agent: str | None = None,
    end_user: str = "",
    now: dt.datetime | None = None,
) -> list[QuotaState]:
    """Return every quota that counts calls of this key: the team's, the key's own, the alias's, the agent's.

    Those for each end user only where one is named, as the log keeps the name, and then as they are for that one.
    The quotas of a key it replaced are its own too. Without an alias, or an agent, those of all limited ones are
    included. Widgets have visitors of their own, and no key speaks for them.
    """
    applies = Q(key=None)
    if key_id is not None:
        applies |= Q(key_id__in=key_line(key_id, backwards=True))
    if alias is not None:
        applies &= Q(alias="") | Q(alias=alias)
    if agent is not None:
        applies &= Q(agent="") | Q(agent=agent)
    quotas = Quota.objects.filter(applies, team_id=team_id, widget_id=None, purpose=Purpose.CALLS).select_related(
        "team", "key"
    )
    moment = now or clock.now()
    if not end_user:
        return states(quotas.filter(each_end_user=False), now=moment)
    found = states(quotas, now=moment)
    held = counted([(s.quota.pk, s.period_start, end_user) for s in found if s.quota.each_end_user])
    return [
        replace(s, used=held[s.quota.pk, s.period_start, end_user], standing=None) if s.quota.each_end_user else s
        for s in found
    ]
