from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from console.gateway.sweep import sweep


class Command(BaseCommand):
    help = "End the calls whose process died, and free what they had reserved."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--all",
            action="store_true",
            help="End those of living processes, too; only while no process of this console runs.",
        )

    def handle(self, *args: Any, **options: Any) -> str:
        return f"{sweep(everything=options['all'])} calls ended as interrupted."
