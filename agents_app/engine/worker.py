"""The runs of one worker process, each in a thread that mostly waits, so that few workers carry many runs.

A message only says that a run may have something to do: the task hands the run over and is done, so slow models never
hold up the lane. A thread that has finished a run looks for the next one itself; PostgreSQL says which.
"""

import logging
import threading
import time
import uuid

from django.conf import settings
from django.db import connections

from agents_app.engine import lease, runner

log = logging.getLogger(__name__)
_lock = threading.Lock()
_busy = 0


def offer(run_id: uuid.UUID) -> bool:
    """Take up a run in a thread of its own, if there is room; otherwise somebody who finishes finds it."""
    global _busy
    with _lock:
        if _busy >= settings.AGENT_CONCURRENCY or runner.stopping.is_set():
            return False
        _busy += 1
    threading.Thread(target=_carry, args=(run_id,), name=f"run-{run_id.hex[-6:]}", daemon=True).start()
    return True


def wait_until_idle(seconds: float) -> None:
    """Give what is in progress a moment to end, because the process stops."""
    latest = time.monotonic() + seconds
    while _busy and time.monotonic() < latest:
        time.sleep(0.05)


def _carry(run_id: uuid.UUID) -> None:
    global _busy
    try:
        runner.advance(run_id)
        while not runner.stopping.is_set():
            run = lease.take_any()
            if run is None:
                return
            runner.work(run)
    except Exception:
        log.exception("A worker of runs broke; the sweeper finds what it leaves.")
    finally:
        connections.close_all()
        with _lock:
            _busy -= 1
