"""Export the installation's configuration to a file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console.pages.configuration.export import export


class Command(BaseCommand):
    help = "Write the installation's configuration as a file that `apply` reads. Secrets are never written."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", help="Where to write; standard output unless given, or as -.")
        parser.add_argument(
            "--documents", metavar="FOLDER", default="", help="Write documents into this folder beside the file."
        )

    def handle(self, **options: Any) -> None:
        files: dict[str, str] = {}
        named = "" if options["file"] == "-" else options["file"]
        text = export(documents=options["documents"], files=files)
        beside = Path(named).resolve().parent if named else Path.cwd()
        for path, content in files.items():
            _write(beside / path, content)
        if not named:
            self.stdout.write(text, ending="")
            return
        _write(Path(named), text)
        self.stderr.write(f"Wrote {named}{f' and {len(files)} documents' if files else ''}.")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from None
