"""Background work of the log: thin wrappers, safe to run twice, late or never."""

import uuid

from celery import shared_task

from console.audit.actors import HOUSE
from console.audit.services import archive, checks, retention, seal, verify


@shared_task(name="audit.seal")
def seal_task() -> None:
    seal.seal()


@shared_task(name="audit.verify")
def verify_task() -> None:
    verify.verify_some()
    checks.sweep()


@shared_task(name="audit.check")
def check_task(check_id: str) -> None:
    checks.go_on(uuid.UUID(check_id))


@shared_task(name="audit.archive")
def archive_task() -> None:
    archive.archive()


@shared_task(name="audit.make_months")
def make_months_task() -> None:
    retention.make_months()


@shared_task(name="audit.apply_retention")
def apply_retention_task() -> None:
    retention.apply_retention(actor=HOUSE)
