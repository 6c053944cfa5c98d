"""One quota in its present period, in figures and in words."""

import datetime as dt
from dataclasses import dataclass, replace

from usage_app import amounts
from usage_app.forecast import Forecast, elapsed
from usage_app.models import Metric, Mode, Quota, QuotaIncrease, Window
from usage_app.sql.end_user_counters import MOST_COUNTED, Standing

# From how much of a limit on an end user is near it.
NEAR_PERCENT = 80


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
        return amounts.in_words(self.quota.metric, self.used)

    @property
    def reserved_text(self) -> str:
        return amounts.in_words(self.quota.metric, self.reserved)

    @property
    def limit_text(self) -> str:
        return amounts.in_words(self.quota.metric, self.limit)

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
        text = ", ".join(part for part, n in zip(parts, (standing.at_limit, standing.near), strict=True) if n)
        return text[:1].upper() + text[1:]

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


@dataclass(frozen=True, slots=True)
class EndUserUse:
    """What one end user has used of a limit for each in its present period."""

    state: QuotaState
    name: str
    used: int
    reserved: int

    @property
    def used_text(self) -> str:
        return amounts.in_words(self.state.quota.metric, self.used)

    @property
    def reserved_text(self) -> str:
        return amounts.in_words(self.state.quota.metric, self.reserved) if self.reserved else ""

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
