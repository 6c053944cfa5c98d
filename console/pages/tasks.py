from celery import shared_task

from console.pages import health


@shared_task(name="pages.canary")
def canary(lane: str) -> None:
    health.note_canary(lane)
