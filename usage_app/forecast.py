"""Forecast a quota: the pace so far, extrapolated to the end of the period."""

import datetime as dt
from dataclasses import dataclass

# A pace says nothing while less than this part of the period has passed.
_TOO_EARLY = 0.05


@dataclass(frozen=True, slots=True)
class Forecast:
    """What one period will have used by its end if it continues like this."""

    expected: int
    runs_out_at: dt.datetime | None
    left_at_end: int


def elapsed(start: dt.datetime, end: dt.datetime, now: dt.datetime) -> float:
    """Return the part of the period that has passed, from 0 to 1."""
    return min(1.0, max(0.0, (now - start) / (end - start)))


def forecast(*, used: int, limit: int, start: dt.datetime, end: dt.datetime, now: dt.datetime) -> Forecast | None:
    """Return the forecast, None while it is too early to tell or nothing was used.

    `runs_out_at` is when the limit is reached, now if it is reached already, None if the period ends before.
    """
    passed = elapsed(start, end, now)
    if used >= limit:
        expected = max(used, round(used / passed)) if passed >= _TOO_EARLY else used
        return Forecast(expected=expected, runs_out_at=now, left_at_end=limit - expected)
    if passed < _TOO_EARLY or used <= 0:
        return None
    expected = round(used / passed)
    runs_out_at = None
    if expected > limit:
        # Even pace: `limit` is reached after limit / used of the time `used` took.
        runs_out_at = min(start + (now - start) * (limit / used), end)
    return Forecast(expected=expected, runs_out_at=runs_out_at, left_at_end=limit - expected)
