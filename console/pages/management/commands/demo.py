"""Fill the console with a demo: an invented company."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from console.core.errors import Refusal
from console.pages.demo.fill import fill


class Command(BaseCommand):
    help = (
        "Fill the console with three made-up teams and weeks of made-up calls, labelled as a demo everywhere. "
        "The calls cannot be removed again: the audit log is append-only."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=42, help="How far back the calls go; 42 unless given.")
        parser.add_argument("--yes", action="store_true", help="Do so in production mode.")
        parser.add_argument("--remove", action="store_true", help="Say why this is not possible.")

    def handle(self, **options: Any) -> None:
        if options["remove"]:
            raise CommandError(
                "The demo's calls are in the audit log, and the log is append-only: nothing in it is ever removed. "
                "Archive the demo's teams to put them out of sight, or start again with another DATA_DIR."
            )
        if settings.IS_PRODUCTION and not options["yes"]:
            raise CommandError(
                "This is production, and the demo's calls stay in its audit log for good. Add --yes if you mean it."
            )
        if not 1 <= options["days"] <= 365:
            raise CommandError("--days is a number from 1 to 365.")
        try:
            filled = fill(days=options["days"])
        except Refusal as refusal:
            raise CommandError(refusal.message) from None
        if not filled.calls:
            self.stdout.write("The demo is here already; nothing was added.")
            return
        self.stdout.write(
            f"Filled {filled.teams} demo teams with {filled.calls:,} calls over {options['days']} days, "
            f"{filled.quotas} quotas, and content for {filled.payloads:,} inputs and outputs. None of it is real."
        )
