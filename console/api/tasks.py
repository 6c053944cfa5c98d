"""Background work of the JSON face."""

from celery import shared_task

from console.api import claims, idempotency, responses


@shared_task(name="api.prune_idempotency")
def prune_idempotency() -> None:
    idempotency.prune()
    claims.prune()
    responses.prune()
