"""Background work of the chat."""

import uuid

from celery import shared_task

from console.chat.embed.allowances import forget_old, give_back_lost
from console.chat.services import titles
from console.chat.services.erasure import erase_deleted
from console.chat.services.sweep import sweep_lost


@shared_task(name="chat.sweep")
def sweep() -> None:
    sweep_lost()
    give_back_lost()
    erase_deleted()


@shared_task(name="chat.title")
def title(message_id: str) -> None:
    titles.make_title(uuid.UUID(message_id))


@shared_task(name="chat.forget_allowances")
def forget_allowances() -> None:
    forget_old()
