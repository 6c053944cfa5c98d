"""Background work of the room: thin wrappers, safe to run twice, late or never."""

import threading

from celery import shared_task

from console.notices.services import delivery, retention, watch

# Slow addresses hold one thread of a worker, not all of them: what is due meanwhile goes with the next round.
_at_it = threading.Lock()


@shared_task(name="notices.send")
def send_task() -> None:
    if _at_it.acquire(blocking=False):
        try:
            delivery.send_due()
        finally:
            _at_it.release()


@shared_task(name="notices.watch")
def watch_task() -> None:
    watch.watch_seal()


@shared_task(name="notices.forget")
def forget_task() -> None:
    retention.forget()
