"""Celery tasks of the JSON API."""

import uuid
from typing import Any

from celery import shared_task
from celery.signals import worker_process_shutdown, worker_shutting_down
from django.conf import settings

from console.api import claims, idempotency, responses
from console.api.background import sweep, worker
from console.gateway import sync


@shared_task(name="api.prune_idempotency")
def prune_idempotency() -> None:
    idempotency.prune()
    claims.prune()
    responses.prune()
    sweep.prune()


@shared_task(name=sweep.TASK)
def answer(response_id: str, lane: str) -> None:
    worker.offer(uuid.UUID(response_id), lane)


@shared_task(name="api.drive")
def drive() -> None:
    sweep.drive()


@worker_shutting_down.connect
def stop_starting(**_: Any) -> None:
    """Let no further response begin; those in progress have a while to end."""
    worker.stop(settings.STOP_SECONDS)


@worker_process_shutdown.connect
def stop_in_a_child(**_: Any) -> None:
    """In a pool of processes the responses are carried by its children, which hear of the end for themselves."""
    worker.stop(1.0)
    worker.wait_until_idle(1.0)


@sync.before_stop
def wait_for_the_open_ones() -> None:
    worker.wait_until_idle(settings.STOP_SECONDS)
