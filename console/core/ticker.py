"""`call_later` for what is nearly always cancelled, to the quarter second: one timer of the event loop's serves all.

A timer of the loop's own costs more to make and to cancel than reading a request's head, and each call needs two.
"""

import asyncio
import logging
from collections.abc import Callable

TICK_SECONDS = 0.25

log = logging.getLogger(__name__)


class Tick:
    """Something that is to happen once, unless it is cancelled."""

    __slots__ = ("_due", "callback")

    def __init__(self, due: "set[Tick]", callback: Callable[[], None]) -> None:
        self._due = due
        self.callback: Callable[[], None] | None = callback
        due.add(self)

    def cancel(self) -> None:
        self._due.discard(self)
        self.callback = None  # it mostly is a method of who holds this; the circle would be left to the collector


class Ticker:
    """What is to happen on one event loop, by the quarter second it is due in."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._due: dict[int, set[Tick]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Tick:
        """Have `callback` called once so many seconds have passed, and at most a quarter second later."""
        place = int((self.loop.time() + seconds) / TICK_SECONDS) + 1
        due = self._due.get(place)
        if due is None:
            due = self._due[place] = set()
            if self._timer is None:
                self._timer = self.loop.call_later(TICK_SECONDS, self._tick)
        return Tick(due, callback)

    def _tick(self) -> None:
        present = int(self.loop.time() / TICK_SECONDS)
        for place in sorted(place for place in self._due if place <= present):
            due = self._due.pop(place)
            while due:
                callback = due.pop().callback
                try:
                    if callback is not None:
                        callback()
                except Exception:  # the others are due all the same
                    log.exception("Something that was due failed.")
        self._due = {place: due for place, due in self._due.items() if due}
        self._timer = self.loop.call_later(TICK_SECONDS, self._tick) if self._due else None

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
