"""Copy sealed blocks of the audit log to the archive."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from console.audit.services.archive import archive
from console.audit.services.seal import state


class Command(BaseCommand):
    help = "Copy sealed blocks of the audit log to AUDIT_S3_URL. The task audit.archive does so every minute."

    def handle(self, *args: Any, **options: Any) -> str:
        if not settings.AUDIT_S3_URL:
            raise CommandError("Set AUDIT_S3_URL first; docs/audit-log.md says what else it needs.")
        copied = archive(seconds=86_400)
        present = state()
        if present.archive_problem:
            raise CommandError(f"{present.archive_problem} {copied} blocks were copied.", returncode=1)
        return f"Copied {copied} blocks, as far as block {present.archived_number}."
