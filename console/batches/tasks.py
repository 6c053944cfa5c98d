"""Background work of the room: thin wrappers, safe to run twice, late or never. Messages carry ids only."""

import threading
import uuid
from typing import Any

from celery import shared_task
from celery.signals import worker_shutdown, worker_shutting_down
from django.conf import settings

from console.batches.engine import driver, runner
from console.batches.services import sweep
from console.gateway import sync

# One thread of a worker is kept free, so that the lane answers whatever its batches do.
_turns = threading.BoundedSemaphore(max(1, settings.WORKER_THREADS - 1))


@shared_task(name="batches.advance")
def advance(batch_id: str) -> None:
    if not _turns.acquire(blocking=False):
        return  # the sweeper asks again
    try:
        goes_on = runner.advance(uuid.UUID(batch_id))
    finally:
        _turns.release()
    if goes_on and not driver.stopping.is_set():
        sweep.drive()  # this batch among the others that wait, in the order of their turns


@shared_task(name="batches.drive")
def drive() -> None:
    sweep.drive()


@shared_task(name="batches.prune")
def prune() -> None:
    sweep.prune()


@worker_shutting_down.connect
def stop_starting(**_: Any) -> None:
    """Let no further line start; the open ones end, and the next worker takes over at once."""
    driver.stopping.set()


@worker_shutdown.connect
def close_gateway(**_: Any) -> None:
    sync.stop()
