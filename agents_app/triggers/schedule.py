"""Schedules: a cron expression in a time zone, and what becomes of ticks nobody was there for.

The next tick is worked out from the last in the schedule's own time zone, so it keeps its hour when clocks change: an
hour that is skipped ticks right after it, one that comes twice ticks once. Every tick is a row of its own, and the same
tick starts no second run, however many schedulers there are.
"""

import datetime as dt
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from console.core.errors import BadInput

# A tick this late was missed: nobody was there to start its run.
GRACE = dt.timedelta(minutes=5)
SKIP, ONCE = "skip", "once"


def check_cron(expression: str, time_zone: str) -> None:
    """Refuse an expression or a time zone there is not, and schedules that never tick."""
    try:
        zone = ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError):
        raise BadInput(
            f"{time_zone[:60]!r} is no time zone; name one as Europe/Berlin or UTC.", param="time_zone"
        ) from None
    try:
        next(CronSim(expression, dt.datetime.now(zone)))
    except CronSimError as wrong:
        raise BadInput(f"{expression[:60]!r} is no cron expression: {wrong}.", param="cron") from None
    except StopIteration:
        raise BadInput("This schedule never ticks.", param="cron") from None


def next_tick(expression: str, time_zone: str, after: dt.datetime) -> dt.datetime:
    """Return the first tick after a moment, in UTC."""
    tick: dt.datetime = next(CronSim(expression, after.astimezone(ZoneInfo(time_zone))))
    return tick.astimezone(dt.UTC)


def newest_tick(expression: str, time_zone: str, since: dt.datetime, until: dt.datetime) -> dt.datetime:
    """Return the last tick from `since`, which is one, up to `until`."""
    found = since
    for _ in range(10_000):
        following = next_tick(expression, time_zone, found)
        if following > until:
            return found
        found = following
    return next_tick(expression, time_zone, until - GRACE)
