"""Background work of the room: thin wrappers, safe to run twice, late or never. Messages carry ids only."""

import uuid
from typing import Any

from celery import shared_task
from celery.signals import worker_shutdown, worker_shutting_down

from console.batches.engine import advancing, driving
from console.batches.models import Batch
from console.batches.services import sweeping
from console.batches.services.batches import wake
from console.gateway import sync


@shared_task(name="batches.advance")
def advance(batch_id: str) -> None:
    if advancing.advance(uuid.UUID(batch_id)) and not driving.stopping.is_set():
        wake(Batch(pk=uuid.UUID(batch_id)))


@shared_task(name="batches.drive")
def drive() -> None:
    sweeping.drive()


@shared_task(name="batches.prune")
def prune() -> None:
    sweeping.prune()


@worker_shutting_down.connect
def stop_starting(**_: Any) -> None:
    """Let no further line start; the open ones end, and the next worker takes over at once."""
    driving.stopping.set()


@worker_shutdown.connect
def close_gateway(**_: Any) -> None:
    sync.stop()
