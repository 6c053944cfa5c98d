from celery import shared_task

from console.core import heartbeats


@shared_task(name="pages.canary")  # the name that processes of earlier versions send and know
def heartbeat(lane: str) -> None:
    heartbeats.record(lane)
