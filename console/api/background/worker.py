"""The responses of one worker process, each a task of the gateway's event loop, so that few workers carry many.

A message only says that there is one to answer: Celery's task hands it over and is done, so slow models never hold up
the lane. Who has answered one looks for the next; PostgreSQL says which.
"""

import logging
import threading
import time
import uuid
from functools import partial

from django.conf import settings

from console.api.background import rows
from console.api.background.generation import Answering
from console.core.connections import in_thread
from console.gateway import sync

log = logging.getLogger(__name__)
_lock = threading.Lock()
_busy = 0
_open: set[Answering] = set()
stopping = threading.Event()
_cut_at = float("inf")  # (monotonic)
# What is cut off has a call to close and a row to write, and then is let go of.
_LAST_WORDS_SECONDS = 2.0


def offer(id: uuid.UUID, lane: str) -> None:
    """Take up a response if there is room; otherwise somebody who finishes finds it."""
    global _busy
    with _lock:
        if _busy >= settings.BACKGROUND_CONCURRENCY or stopping.is_set():
            return
        _busy += 1
    sync.start(_carry(id, lane))


async def _carry(id: uuid.UUID, lane: str) -> None:
    global _busy
    try:
        row = await in_thread(partial(rows.take, lane, id))
        while row is not None:
            answering = Answering(row)
            _open.add(answering)
            try:
                await answering.run()
            finally:
                _open.discard(answering)
            if stopping.is_set():
                return
            row = await in_thread(partial(rows.take, lane))
    except Exception:
        log.exception("A worker of responses broke; the sweeper finds what it leaves.")
    finally:
        with _lock:
            _busy -= 1


def stop(seconds: float) -> None:
    """Begin nothing, because the process stops; what does not come to its end in time is cut off and says so.

    The time is counted from now, whatever else the process waits for before it comes to `wait_until_idle`.
    """
    global _cut_at
    stopping.set()
    if _busy:
        log.info("%d responses in the background have %s seconds to come to their end.", _busy, seconds)
    _cut_at = min(_cut_at, time.monotonic() + seconds)
    threading.Thread(target=wait_until_idle, args=(seconds,), daemon=True).start()


def wait_until_idle(seconds: float) -> None:
    """Wait until all that is in progress has come to its end, or has been cut off."""
    began = time.monotonic()
    cut_at = max(began, min(_cut_at, began + seconds))
    while _busy and time.monotonic() < cut_at + _LAST_WORDS_SECONDS:
        if _open:
            sync.soon(partial(_stop, at_once=time.monotonic() >= cut_at))
        time.sleep(0.1)


def _stop(*, at_once: bool) -> None:
    for answering in list(_open):
        answering.stop(at_once=at_once)
