"""The one clock, UTC only, and the half-open periods of quotas."""

import datetime as dt
import time
from functools import lru_cache
from typing import Literal

Window = Literal["minute", "hour", "day", "month"]
WINDOWS: tuple[Window, ...] = ("minute", "hour", "day", "month")


def now() -> dt.datetime:
    """Return the present to the millisecond, UTC. Ids carry milliseconds; so do all times derived from them."""
    return at_millisecond(time.time_ns() // 1_000_000)


@lru_cache(maxsize=64)
def at_millisecond(number: int) -> dt.datetime:
    """Return the moment so many milliseconds after 1970, UTC: a busy process asks for each of the last few again."""
    return dt.datetime.fromtimestamp(number / 1000, dt.UTC)


# The period each window is in at present: nearly every question is about it.
_present: dict[Window, tuple[dt.datetime, dt.datetime]] = {}


def period_start(window: Window, moment: dt.datetime) -> dt.datetime:
    """Return the start of the half-open UTC period of `window` that `moment` belongs to."""
    known = _present.get(window)
    if known is None or not known[0] <= moment < known[1]:
        start = _start_of(window, moment.astimezone(dt.UTC))
        known = _present[window] = (start, period_end(window, start))
    return known[0]


def _start_of(window: Window, moment: dt.datetime) -> dt.datetime:
    if window == "minute":
        return moment.replace(second=0, microsecond=0)
    if window == "hour":
        return moment.replace(minute=0, second=0, microsecond=0)
    if window == "day":
        return moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def period_end(window: Window, start: dt.datetime) -> dt.datetime:
    """Return the first moment after the period that starts at `start`."""
    known = _present.get(window)
    if known is not None and known[0] == start:
        return known[1]
    if window == "minute":
        return start + dt.timedelta(minutes=1)
    if window == "hour":
        return start + dt.timedelta(hours=1)
    if window == "day":
        return start + dt.timedelta(days=1)
    return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
