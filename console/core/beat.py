"""Celery beat's scheduler, for clocks that are set back, and for a beat that does not live for a day.

Celery's own would wait until the old time is reached; and what is due once a day, for a day after each start where
its file does not outlive a release.
"""

import datetime as dt
import logging
from typing import Any

from celery.beat import PersistentScheduler
from celery.schedules import schedule

log = logging.getLogger(__name__)

# A clock that is put right by less only delays what is due.
_AHEAD = dt.timedelta(seconds=10)
# After what beat's first start what has never run, as far as it knows, is due.
_FIRST = dt.timedelta(minutes=5)


class Scheduler(PersistentScheduler):  # type: ignore[misc]
    """Takes what was sent in a time that is yet to come as sent now, also where its file says so after a restart.

    A machine that starts with a clock that is days ahead would else have no sweeper and no schedule for days.
    """

    def setup_schedule(self) -> None:
        super().setup_schedule()
        first = self.app.now() + _FIRST
        for entry in self.schedule.values():
            if not entry.total_run_count and isinstance(entry.schedule, schedule):
                entry.last_run_at = min(entry.last_run_at, first - entry.schedule.run_every)

    def tick(self, *arguments: Any, **named: Any) -> float:
        """Send what is due; return the seconds until there may be more."""
        moment = self.app.now()
        ahead = [entry for entry in self.schedule.values() if entry.last_run_at and entry.last_run_at > moment + _AHEAD]
        if ahead:
            latest = max(entry.last_run_at for entry in ahead)
            log.warning(
                "The clock was set back from %s or later; what is due by the clock is counted from now on.", latest
            )
            for entry in ahead:
                entry.last_run_at = moment
            self._heap = None  # made again
        return float(super().tick(*arguments, **named))
