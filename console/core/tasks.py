"""Enqueue background tasks after commit. Messages carry ids only."""

import logging
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def enqueue_on_commit(
    name: str, *ids: Any, queue: str = "standard", expires: int | None = None, countdown: float | None = None
) -> None:
    """Send task `name` after commit. A lost message is harmless: sweepers find the row it speaks of.

    With `expires` messages do not pile up while nobody reads. `countdown` is how many seconds a worker waits with one,
    for work that rests between its parts; whatever has a time it is due at says so in its row.
    """
    later = {} if countdown is None else {"countdown": countdown}

    def send() -> None:
        try:
            current_app.send_task(name, args=[str(i) for i in ids], queue=queue, expires=expires, retry=False, **later)
        except (OperationalError, OSError):
            log.warning("The broker is away; %s waits for its sweeper.", name)

    transaction.on_commit(send)
