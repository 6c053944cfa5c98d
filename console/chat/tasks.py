"""Background work of the chat."""

from celery import shared_task

from console.chat.services.sweeping import sweep_lost


@shared_task(name="chat.sweep")
def sweep() -> None:
    sweep_lost()
