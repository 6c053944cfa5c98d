"""`call_later` for timers that are nearly always cancelled, to a quarter second, with one timer of the event loop.

A timer of the loop's own costs more to make and to cancel than reading a request's head, and each call needs two.
"""

import asyncio
import logging
from collections.abc import Callable

TICK_SECONDS = 0.25

log = logging.getLogger(__name__)

# What is due in one quarter second; who takes a callback out has cancelled it. A method of an object is due once there,
# however often it is asked for.
Due = set[Callable[[], None]]


class Ticker:
    """What is to happen on one event loop, by the quarter second it is due in."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._due: dict[int, Due] = {}
        self._timer: asyncio.TimerHandle | None = None

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Due:
        """Have `callback` called once so many seconds have passed, and at most a quarter second later.

        Returns what it is in until then: `discard(callback)` cancels it.
        """
        place = int((self.loop.time() + seconds) / TICK_SECONDS) + 1
        due = self._due.get(place)
        if due is None:
            due = self._due[place] = set()
            if self._timer is None:
                self._timer = self.loop.call_later(TICK_SECONDS, self._tick)
        due.add(callback)
        return due

    def _tick(self) -> None:
        present = int(self.loop.time() / TICK_SECONDS)
        for place in sorted(place for place in self._due if place <= present):
            due = self._due.pop(place)
            while due:
                callback = due.pop()
                try:
                    callback()
                except Exception:  # the others are due all the same
                    log.exception("Something that was due failed.")
        self._due = {place: due for place, due in self._due.items() if due}
        self._timer = self.loop.call_later(TICK_SECONDS, self._tick) if self._due else None

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
