"""What limits there are and how much of them is left, for pages, answers, mails and programs."""

import datetime as dt
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from django.db.models import F, Prefetch, Q, QuerySet

from console.core import clock
from usage_app import amounts
from usage_app.forecast import Forecast, elapsed, forecast
from usage_app.models import EndUserCounter, Metric, Mode, Purpose, Quota, QuotaCounter, QuotaIncrease, Window
from usage_app.shapes import ENDLESS
from usage_app.sql.counters import key_line
from usage_app.sql.end_user_counters import MOST_COUNTED, Standing, standings

# From how much of a limit on an end user is near it, and how many are shown.
NEAR_PERCENT, SHOWN_END_USERS = 80, 50

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


@dataclass(frozen=True, slots=True)
class QuotaState:
    """One quota in its present period. `limit` is what holds now, with the temporary increases in it.

    Of a limit for each end user, `used` is what the one of them used who used most, unless the state is one's.
    """

    quota: Quota
    now: dt.datetime
    period_start: dt.datetime
    period_end: dt.datetime | None
    used: int
    reserved: int
    limit: int
    increases: tuple[QuotaIncrease, ...]
    forecast: Forecast | None
    standing: Standing | None = None  # of a limit for each end user: how many are near or at it

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used - self.reserved)

    @property
    def is_exhausted(self) -> bool:
        return self.left == 0

    @property
    def percent(self) -> int:
        """The used part of the limit in whole percent; rounded down, so that 100 means all of it."""
        if self.limit <= 0:
            return 100
        return self.used * 100 // self.limit

    @property
    def percent_text(self) -> str:
        return f"{self.percent:,}"

    def _part(self, amount: float) -> float:
        return round(min(100.0, max(0.0, amount * 100 / self.limit)), 2) if self.limit > 0 else 100.0

    @property
    def bar_used(self) -> float:
        return self._part(self.used)

    @property
    def bar_reserved(self) -> float:
        return round(self._part(self.used + self.reserved) - self.bar_used, 2)

    @property
    def bar_forecast(self) -> float:
        """How wide the hatch behind used and reserved is."""
        if self.forecast is None:
            return 0.0
        return round(max(0.0, self._part(self.forecast.expected) - self.bar_used - self.bar_reserved), 2)

    @property
    def bar_forecast_from(self) -> float:
        return round(self.bar_used + self.bar_reserved, 2)

    @property
    def pace(self) -> float | None:
        """Where even use would be now, in percent; None for short windows, where it says nothing, and for end users."""
        if self.period_end is None or self.quota.each_end_user or self.quota.window not in {Window.DAY, Window.MONTH}:
            return None
        return round(elapsed(self.period_start, self.period_end, self.now) * 100, 2)

    @property
    def runs_out(self) -> bool:
        return self.forecast is not None and self.forecast.runs_out_at is not None

    @property
    def tone(self) -> str:
        """bad when a hard limit is reached or will be, warn for a soft one, empty when all is well."""
        if self.quota.each_end_user:
            return ""  # that one of many is at the limit is what such a limit is for
        if self.is_exhausted or self.runs_out:
            return "bad" if self.quota.mode == Mode.HARD else "warn"
        return ""

    # Words ------------------------------------------------------------------------------------------------------

    @property
    def used_text(self) -> str:
        return amounts.shown(self.quota.metric, self.used)

    @property
    def reserved_text(self) -> str:
        return amounts.shown(self.quota.metric, self.reserved)

    @property
    def limit_text(self) -> str:
        return amounts.shown(self.quota.metric, self.limit)

    @property
    def reset_text(self) -> str:
        return moment_text(self.period_end, self.now) if self.period_end else "a call ends"

    @property
    def runs_out_words(self) -> str:
        at = self.forecast.runs_out_at if self.forecast else None
        return moment_words(at, self.now) if at else ""

    @property
    def reset_words(self) -> str:
        return moment_words(self.period_end, self.now) if self.period_end else ""

    @property
    def forecast_text(self) -> str:
        """The forecast as a sentence, or why there is none."""
        if self.quota.each_end_user:
            return self.standing_text
        if self.quota.metric == Metric.CONCURRENCY:
            return f"{self.left:,} more at this moment"
        if self.is_exhausted:
            return f"Used up until {self.reset_text}"
        if self.forecast is None:
            return "Nothing used yet" if not self.used else "Too early to tell"
        if self.forecast.runs_out_at is not None:
            return f"Runs out {self.runs_out_words}"
        return f"On pace, about {amounts.rough(self.quota.metric, self.forecast.left_at_end)} left"

    @property
    def standing_text(self) -> str:
        """How many end users are at the limit or near it; there is no pace that all of them share."""
        standing = self.standing
        if standing is None or not (standing.at_limit or standing.near):
            return f"Nobody is at {NEAR_PERCENT} % of it"
        parts = (f"{how_many(standing.at_limit)} at the limit", f"{how_many(standing.near)} near it")
        said = ", ".join(part for part, n in zip(parts, (standing.at_limit, standing.near), strict=True) if n)
        return said[:1].upper() + said[1:]

    @property
    def at_limit_text(self) -> str:
        if self.quota.mode == Mode.SOFT:
            return "Warn owners, keep serving"
        return "Refuse with 429 until a call ends" if self.period_end is None else "Refuse with 429"


def how_many(end_users: int) -> str:
    if end_users > MOST_COUNTED:
        return f"more than {MOST_COUNTED:,} end users"
    return f"{end_users:,} end user{'' if end_users == 1 else 's'}"


def _is_near(moment: dt.datetime, now: dt.datetime) -> bool:
    return moment.date() == now.date() or moment - now < dt.timedelta(hours=2)


def moment_text(moment: dt.datetime, now: dt.datetime) -> str:
    """Say a coming moment: `14:30 UTC` today, `26 Nov` later."""
    if _is_near(moment, now):
        return f"{moment:%H:%M} UTC"
    return f"{moment.day} {moment:%b}" + (f" {moment:%Y}" if moment.year != now.year else "")


def moment_words(moment: dt.datetime, now: dt.datetime) -> str:
    """Say when something will happen: `at 14:30 UTC`, `on 26 Nov`."""
    return f"{'at' if _is_near(moment, now) else 'on'} {moment_text(moment, now)}"


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


def _with_standings(found: list[QuotaState], known: dict[int, Standing]) -> list[QuotaState]:
    return [
        replace(state, standing=standing, used=standing.most_used) if (standing := known.get(state.quota.pk)) else state
        for state in found
    ]


@dataclass(frozen=True, slots=True)
class EndUserUse:
    """What one end user has used of a limit for each in its present period."""

    state: QuotaState
    name: str
    used: int
    reserved: int

    @property
    def used_text(self) -> str:
        return amounts.shown(self.state.quota.metric, self.used)

    @property
    def reserved_text(self) -> str:
        return amounts.shown(self.state.quota.metric, self.reserved) if self.reserved else ""

    @property
    def percent(self) -> int:
        return replace(self.state, used=self.used).percent

    @property
    def percent_text(self) -> str:
        return f"{self.percent:,}"

    @property
    def is_at_limit(self) -> bool:
        return self.percent >= 100

    @property
    def is_near(self) -> bool:
        return NEAR_PERCENT <= self.percent < 100


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
