"""Waiting for what other threads and processes bring about: as long as a slow machine may need, and no longer."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

# Only there so that a test that hangs ends: no test may mean anything by it.
PATIENCE_SECONDS = 60.0


def until(
    holds: Callable[[], Found],
    what: Callable[[], object] | str,
    seconds: float = PATIENCE_SECONDS,
    *,
    meanwhile: Callable[[], object] | None = None,
) -> Found:
    """Wait until something holds and return it; fail with `what` was waited for, or what it says, when it never does.

    Wait for the last state the test asserts, not for the first sign of it: rows are written one after the other.
    What is to be done `meanwhile` is done at once and about every second.
    """
    began, due = time.monotonic(), 0.0
    while not (found := holds()):
        waited = time.monotonic() - began
        assert waited < seconds, f"it did not come to this: {what() if callable(what) else what}"
        if meanwhile is not None and time.monotonic() > due:
            due = time.monotonic() + 0.7
            meanwhile()
        time.sleep(min(0.01 + waited / 20, 0.1))  # looking takes time from what is waited for
    return found


def let_it_end(period: int, last: float) -> None:
    """Wait for the next minute or hour of the clock (`period` in seconds) if only its last seconds are left."""
    left = period - time.time() % period
    if left < last:
        time.sleep(left + 0.1)


async def until_async(holds: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait as `until` does, and let the event loop go on meanwhile."""
    latest = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < latest, f"it did not come to this: {what}"
        await asyncio.sleep(0.005)
