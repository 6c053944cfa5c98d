"""Celery tasks of agents: thin wrappers that may run twice, late or never. Messages carry ids only."""

import threading
import uuid
from collections.abc import Callable
from typing import Any

from celery import shared_task
from celery.signals import worker_process_shutdown, worker_shutdown, worker_shutting_down

from agents_app.brokers import outbox, readers
from agents_app.engine import runner, sweep, worker
from agents_app.services import approval_notices, callbacks, queues, retention
from agents_app.triggers import beat

# Addresses outside may be slow: one round at a time waits for them, and the other threads of the worker are free.
_sending, _calling_back = threading.Lock(), threading.Lock()


def _alone(lock: threading.Lock, work: Callable[[], object]) -> None:
    """Do the work, unless this process is at it already; what is due meanwhile goes with the next round."""
    if lock.acquire(blocking=False):
        try:
            work()
        finally:
            lock.release()


@shared_task(name="agents.advance")
def advance(run_id: str) -> None:
    worker.offer(uuid.UUID(run_id))


@shared_task(name="agents.drive")
def drive() -> None:
    sweep.drive()
    sweep.tell()


@shared_task(name="agents.tick")
def tick() -> None:
    beat.tick()


@shared_task(name="agents.serve_queue")
def serve_queue(queue_id: str) -> None:
    beat.serve_queue(uuid.UUID(queue_id))


@shared_task(name="agents.read_queues")
def read_queues() -> None:
    readers.offer()


@shared_task(name="agents.send_results")
def send_results() -> None:
    _alone(_sending, outbox.send_due)


@shared_task(name="agents.call_back")
def call_back() -> None:
    _alone(_calling_back, callbacks.call_back_due)


@shared_task(name="agents.sweep_queues")
def sweep_queues() -> None:
    queues.sweep()


@shared_task(name="agents.forget")
def forget() -> None:
    retention.forget()


@shared_task(name="agents.tell_of_approval")
def tell_of_approval(approval_id: str) -> None:
    approval_notices.send(uuid.UUID(approval_id))


@worker_shutting_down.connect
def stop_starting(**_: Any) -> None:
    """Let no further step begin; what is in progress ends if it can, and the next worker continues from there."""
    runner.stopping.set()


@worker_process_shutdown.connect
def stop_in_a_child(**_: Any) -> None:
    """In a pool of processes the runs are carried by its children, which hear of the end for themselves."""
    stop_starting()
    wait_for_the_open_ones()


@worker_shutdown.connect
def wait_for_the_open_ones(**_: Any) -> None:
    worker.wait_until_idle(1.0)
