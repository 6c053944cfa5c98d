from typing import Any

from django.core.management.base import BaseCommand

from console.gateway.sweep import sweep


class Command(BaseCommand):
    help = "End the calls whose process died, and free what they had reserved."

    def handle(self, *args: Any, **options: Any) -> str:
        return f"{sweep()} calls ended as interrupted."
