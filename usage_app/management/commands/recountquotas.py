from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from usage_app.queries.recount import differences
from usage_app.services import recount


class Command(BaseCommand):
    help = "Count every quota again from the audit log and compare; with --repair, set the counters right."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help="Write what the log says into the counters.")
        parser.add_argument("--closed", action="store_true", help="Count past periods too, as far as they are kept.")

    def handle(self, *args: Any, repair: bool, closed: bool, **options: Any) -> str:
        found = differences(closed=closed)
        for one in found:
            self.stdout.write(str(one))
            if repair:
                recount.repair(one)
        if not found:
            return "Every counter agrees with the log."
        if repair:
            return f"{len(found)} counter(s) set to what the log says."
        raise CommandError(f"{len(found)} counter(s) differ from the log. Run again with --repair to set them right.")
