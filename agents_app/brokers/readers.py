"""The readers of one worker process: each in a thread, which mostly waits. PostgreSQL says who reads what.

No process of their own: wherever there is a worker there are readers, and one that dies is followed by another.
"""

import logging
import threading
import time
import uuid

from django.db import connections

from agents_app.brokers import lease
from agents_app.brokers.reader import Reading
from agents_app.engine import runner

log = logging.getLogger(__name__)
MOST = 50
# How long a reader may sleep without renewing its lease, and without looking whether the process stops.
_LONGEST_NAP = 2.0
_lock = threading.Lock()
_reading: set[uuid.UUID] = set()


def offer() -> int:
    """Take up the queues nobody reads, as far as there is room; return how many those were."""
    begun = 0
    for trigger_id in lease.free():
        with _lock:
            if len(_reading) >= MOST or runner.stopping.is_set() or trigger_id in _reading:
                continue
            _reading.add(trigger_id)
        holder = lease.claim(trigger_id)
        if holder is None:
            _forget(trigger_id)
            continue
        name = f"reader-{trigger_id.hex[-6:]}"
        threading.Thread(target=read, args=(trigger_id, holder), name=name, daemon=True).start()
        begun += 1
    return begun


def read(trigger_id: uuid.UUID, holder: uuid.UUID) -> None:
    """Read until the process stops, the trigger does, or somebody else has it."""
    reading = Reading(trigger_id, holder, _sleep_without_connections)
    try:
        while not runner.stopping.is_set():
            wait = reading.step()
            if wait is None or not _sleep(trigger_id, holder, wait):
                return
    except Exception:
        log.exception("A reader of a queue broke; another one follows it.")
    finally:
        reading.close()
        try:
            lease.release(trigger_id, holder)
        except Exception:
            log.warning("A lease could not be given back; it ends by itself.")
        connections.close_all()
        _forget(trigger_id)


def _sleep_without_connections(seconds: float) -> bool:
    connections.close_all()
    return not runner.stopping.wait(seconds)


def _sleep(trigger_id: uuid.UUID, holder: uuid.UUID, seconds: float) -> bool:
    """Wait without holding a connection to the database, and keep the lease."""
    latest = time.monotonic() + seconds
    while (left := latest - time.monotonic()) > 0:
        if not _sleep_without_connections(min(left, _LONGEST_NAP)):
            return False
        if left > _LONGEST_NAP and not lease.renew(trigger_id, holder):
            return False
    return True


def _forget(trigger_id: uuid.UUID) -> None:
    with _lock:
        _reading.discard(trigger_id)
