"""Background work of the catalog: thin wrappers, safe to run twice, late or never."""

from celery import shared_task

from console.catalog.services import shutdowns


@shared_task(name="catalog.warn_of_shutdowns")
def warn_of_shutdowns_task() -> None:
    shutdowns.warn_of_shutdowns()
