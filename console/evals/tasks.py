"""Background work of tests and replays: thin wrappers, safe to run twice, late or never."""

import datetime as dt
import threading
import uuid
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down
from django.conf import settings

from console.evals import beat, engine, lease
from console.evals.case_run import TESTS
from console.evals.replay_items import REPLAYS
from console.evals.services import outcomes, retention

# Half of a worker's threads are for others: documents, titles of chats, batches, which leave one to everybody else.
_turns = threading.BoundedSemaphore(max(1, settings.WORKER_THREADS // 2))


def _advance(kind: lease.Kind[Any, Any], work_id: uuid.UUID) -> None:
    if not _turns.acquire(blocking=False):
        return  # whose turn is over asks again, and so does the sweeper
    try:
        goes_on = engine.advance(kind, work_id)
    finally:
        _turns.release()
    if goes_on and not engine.stopping.is_set():
        lease.sweep(TESTS, REPLAYS, patience=dt.timedelta(0))


@shared_task(name="evals.advance")
def advance_task(run_id: str) -> None:
    _advance(TESTS, uuid.UUID(run_id))
    outcomes.settle_run(uuid.UUID(run_id))


@shared_task(name="evals.replay")
def replay_task(replay_id: str) -> None:
    _advance(REPLAYS, uuid.UUID(replay_id))


@shared_task(name="evals.tick")
def tick_task() -> None:
    beat.tick()


@shared_task(name="evals.sweep")
def sweep_task() -> None:
    lease.sweep(TESTS, REPLAYS)


@shared_task(name="evals.forget_answers")
def forget_answers_task() -> None:
    retention.forget_answers()
    retention.forget_items()
    retention.forget_runs()


@worker_shutting_down.connect
def stop_starting(**_: Any) -> None:
    """Let no further call begin; those in progress end, and the next worker takes over at once."""
    engine.stopping.set()
