"""Apply a configuration file to the installation."""

import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console.core.errors import Unavailable
from console.pages.configuration.apply import apply
from console.pages.configuration.document import Unusable
from console.pages.configuration.shape import json_schema
from console.pages.configuration.steps import Step, summary


class Command(BaseCommand):
    help = "Apply a configuration file: show what would change, then change it, all or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", help="A YAML file, or - for standard input.")
        parser.add_argument("--dry-run", action="store_true", help="Show and check everything, change nothing.")
        parser.add_argument("--schema", action="store_true", help="Print the JSON schema of such files and stop.")

    def handle(self, **options: Any) -> None:
        if options["schema"]:
            self.stdout.write(json.dumps(json_schema(), indent=2))
            return
        if not options["file"]:
            raise CommandError("Name a file to apply, or - for standard input.")
        text, source, folder = _read(options["file"])
        try:
            steps = apply(
                text,
                source=source,
                folder=folder,
                environ=os.environ,
                dry_run=options["dry_run"],
                show=self._show,
            )
        except Unusable as unusable:
            lines = "\n".join(f"  {problem}" for problem in unusable.problems)
            raise CommandError(f"{source} cannot be applied; nothing was changed.\n{lines}") from None
        except Unavailable as met:
            raise CommandError(f"{source}: {met.message}") from None
        for line in [] if options["dry_run"] else [line for step in steps for line in step.reveals]:
            self.stdout.write(line)
        self.stdout.write(summary(steps) + (" Dry run: nothing was changed." if options["dry_run"] else ""))

    def _show(self, steps: list[Step]) -> None:
        style: dict[str, Callable[[str], str]] = {"+": self.style.SUCCESS, "~": self.style.WARNING, "=": str}
        for step in steps:
            for line in step.lines():
                self.stdout.write(style[step.sign](line))


def _read(name: str) -> tuple[str, str, Path]:
    """Return the file's text, its name for the log, and the folder its own paths start from."""
    try:
        if name == "-":
            return sys.stdin.read(), "standard input", Path.cwd()
        path = Path(name)
        return path.read_text(encoding="utf-8"), path.name, path.resolve().parent
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise CommandError(f"{name} cannot be read: {why}.") from None
