"""Remove records past their retention from the audit log."""

from typing import Any

from django.core.management.base import BaseCommand

from console.audit.actors import HOUSE
from console.audit.services.retention import apply_retention


class Command(BaseCommand):
    help = "Drop whole months older than AUDIT_KEEP_DAYS, and content older than AUDIT_CONTENT_KEEP_DAYS."

    def handle(self, *args: Any, **options: Any) -> str:
        lines = [
            f"{d.month:%Y-%m}: {d.what} stay, because {d.why_not}."
            if d.why_not
            else f"{d.month:%Y-%m}: {d.what} removed."
            for d in apply_retention(actor=HOUSE)
        ]
        return "\n".join(lines) or "Nothing is past its retention."
