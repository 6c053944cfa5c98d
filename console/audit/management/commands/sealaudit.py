"""Seal finished records of the audit log."""

from typing import Any

from django.core.management.base import BaseCommand

from console.audit.services.seal import seal


class Command(BaseCommand):
    help = "Seal every finished record of the audit log into the hash chain. The task audit.seal does so every 30 s."

    def handle(self, *args: Any, **options: Any) -> str:
        blocks, rows = seal(most_blocks=1_000_000)
        return f"Sealed {rows} records in {blocks} blocks." if rows else "Everything finished is sealed already."
