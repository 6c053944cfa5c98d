"""Advance one batch by one turn of a worker."""

import logging
import uuid

from console.batches.engine.driver import Driver
from console.batches.engine.lease import LeaseLost, release, take
from console.batches.engine.output_files import finish
from console.batches.engine.validation import validate
from console.batches.models import Batch, State

log = logging.getLogger(__name__)


def advance(batch_id: uuid.UUID) -> bool:
    """Advance a batch by one turn; return whether it can continue at once. It may run twice, late or never."""
    batch = take(batch_id)
    if batch is None:
        return False
    try:
        return _advance(batch)
    except LeaseLost:
        log.warning("Another worker has taken over the batch %s.", batch.public_id)
        return False
    except Exception:
        release(batch, wait=10, waits_for="Something broke on our side; it is tried again.")
        raise


def _advance(batch: Batch) -> bool:
    if batch.state == State.VALIDATING and not batch.ends_as:
        validate(batch)
        batch.refresh_from_db()
        if batch.is_over:
            return False
    if not Driver(batch).run():
        batch.refresh_from_db(fields=["not_before"])
        return batch.not_before is None
    finish(batch)
    return False
