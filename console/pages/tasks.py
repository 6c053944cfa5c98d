from celery import shared_task

from console.core import canaries


@shared_task(name="pages.canary")
def canary(lane: str) -> None:
    canaries.note(lane)
