"""Time: one clock for the product, UTC only, and the half-open periods quotas count in."""

import datetime as dt
from typing import Literal

Window = Literal["minute", "hour", "day", "month"]
WINDOWS: tuple[Window, ...] = ("minute", "hour", "day", "month")


def now() -> dt.datetime:
    """Return the present to the millisecond, UTC. Ids carry milliseconds; so do all times derived from them."""
    moment = dt.datetime.now(dt.UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def period_start(window: Window, moment: dt.datetime) -> dt.datetime:
    """Return the start of the half-open UTC period of `window` that `moment` belongs to."""
    moment = moment.astimezone(dt.UTC)
    if window == "minute":
        return moment.replace(second=0, microsecond=0)
    if window == "hour":
        return moment.replace(minute=0, second=0, microsecond=0)
    if window == "day":
        return moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def period_end(window: Window, start: dt.datetime) -> dt.datetime:
    """Return the first moment after the period that starts at `start`."""
    if window == "minute":
        return start + dt.timedelta(minutes=1)
    if window == "hour":
        return start + dt.timedelta(hours=1)
    if window == "day":
        return start + dt.timedelta(days=1)
    return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
