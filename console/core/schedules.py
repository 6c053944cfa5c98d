"""Schedules: a cron expression in a time zone, and the rule for missed ticks.

The next tick is worked out in the schedule's own time zone, so it keeps its hour when clocks change: an hour that is
skipped ticks right after it, one that comes twice ticks once. What ticks every few minutes or every hour (`*` in the
field) continues through both. Every tick is a row of its own, and the same tick starts no second run, however many
schedulers there are.
"""

import datetime as dt
from collections.abc import Iterator
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from console.core.errors import BadInput

# A tick this late was missed: nobody was there to start its run.
GRACE = dt.timedelta(minutes=5)
SKIP, ONCE = "skip", "once"
LONGEST_CRON = 100
# Time zones that are whatever the machine says: two machines would tick at two times.
_OF_THE_MACHINE = frozenset({"localtime", "posixrules"})
# How far back to look for the newest tick first, so that a schedule of every minute that stood still is not slow.
_DAYS_BACK = (1, 7, 31, 366)
_LOOKED_AT = 100


def check_cron(expression: str, time_zone: str) -> None:
    """Refuse an expression or a time zone there is not, and schedules that never tick."""
    try:
        if time_zone in _OF_THE_MACHINE:
            raise ValueError
        zone = ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError):
        raise BadInput(
            f"{time_zone[:60]!r} is no time zone; name one as Europe/Berlin or UTC.", param="time_zone"
        ) from None
    if len(expression) > LONGEST_CRON or len(expression.split()) != 5:
        raise BadInput(
            f"{expression[:60]!r} is no cron expression: write five fields (minute, hour, day, month, day of the "
            f"week), {LONGEST_CRON} characters at most.",
            param="cron",
        )
    try:
        next(CronSim(expression, dt.datetime.now(zone)))
    except CronSimError as wrong:
        raise BadInput(f"{expression[:60]!r} is no cron expression: {wrong}.", param="cron") from None
    except StopIteration:
        raise BadInput("This schedule never ticks.", param="cron") from None


def check_pace(expression: str, time_zone: str, least: dt.timedelta) -> None:
    """Refuse a checked expression two of whose next ticks are closer than that: each of them costs something."""
    coming = islice(_ticks(expression, time_zone, dt.datetime.now(dt.UTC)), _LOOKED_AT)
    if any(later - tick < least for tick, later in pairwise(coming)):
        raise BadInput(
            f"{expression[:60]!r} ticks more often than every {least // dt.timedelta(minutes=1)} minutes.", param="cron"
        )


def in_words(expression: str, time_zone: str) -> str:
    """Say when a checked expression ticks, as people say it: at 03:00 every day, UTC."""
    said = str(CronSim(expression, dt.datetime.now(dt.UTC)).explain())
    return f"{said[:1].lower()}{said[1:]}, {time_zone}"


def _ticks(expression: str, time_zone: str, after: dt.datetime) -> Iterator[dt.datetime]:
    """Yield the ticks after a moment, in UTC, each once and in order.

    In the second pass of an hour that comes twice, the library names the first pass again: that is no tick to come.
    """
    for tick in CronSim(expression, after.astimezone(ZoneInfo(time_zone))):
        moment: dt.datetime = tick.astimezone(dt.UTC)
        if moment > after:
            yield moment
            after = moment


def next_tick(expression: str, time_zone: str, after: dt.datetime) -> dt.datetime:
    """Return the first tick after a moment, in UTC."""
    return next(_ticks(expression, time_zone, after))


def newest_tick(expression: str, time_zone: str, since: dt.datetime, until: dt.datetime) -> dt.datetime:
    """Return the last tick from `since`, which is one, up to `until`."""
    found = since
    for days in _DAYS_BACK:
        recent = next_tick(expression, time_zone, until - dt.timedelta(days=days))
        if recent <= until:
            found = max(since, recent)
            break
    for tick in _ticks(expression, time_zone, found):
        if tick > until:
            break
        found = tick
    return found
