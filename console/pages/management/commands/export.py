"""Write the installation's configuration as a file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console.pages.configuration.export import export


class Command(BaseCommand):
    help = "Write the installation's configuration as a file that `apply` reads. Secrets are never written."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", help="Where to write; standard output unless given.")

    def handle(self, **options: Any) -> None:
        text = export()
        if not options["file"]:
            self.stdout.write(text, ending="")
            return
        try:
            Path(options["file"]).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be written: {error.strerror}.") from None
        self.stderr.write(f"Wrote {options['file']}.")
