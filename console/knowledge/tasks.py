"""Background work of the room: thin wrappers, safe to run twice, late or never. Messages carry ids only."""

import uuid

from celery import shared_task

from console.core.clock import now
from console.core.tasks import enqueue_on_commit
from console.knowledge import sql, vectors


@shared_task(name="knowledge.embed")
def embed(collection_id: str) -> None:
    if vectors.make_vectors(uuid.UUID(collection_id)):
        enqueue_on_commit("knowledge.embed", collection_id, queue="batch")


@shared_task(name="knowledge.drive")
def drive() -> None:
    """Wake the work on collections whose vectors nobody makes: a message was lost, or a worker stopped."""
    for collection_id in sql.collections_waiting(now()):
        enqueue_on_commit("knowledge.embed", collection_id, queue="batch")
