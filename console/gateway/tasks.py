"""Background work of the gateway."""

from celery import shared_task

from console.gateway.sweep import sweep


@shared_task(name="gateway.sweep")
def sweep_calls() -> None:
    sweep()
