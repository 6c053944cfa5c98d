"""Prompts as files: to and from a git repository."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console.core.errors import Refusal
from console.teams.callers import SYSTEM, Actor
from console.teams.models import Team, User
from prompts_app.git.exchange import export_folder, import_folder
from prompts_app.git.langfuse import import_langfuse
from prompts_app.git.report import Imported

RESOLVE = (
    "Nothing of these was imported. `--take SLUG` makes the file's text the next version; `--keep SLUG` sets its "
    "commits aside, and the next export writes the console's text over them."
)


class Command(BaseCommand):
    help = "Write the prompts to a git repository, or make versions of its commits."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        export = verbs.add_parser("export", help="Write a repository, or append to one what it lacks.")
        export.add_argument("folder")
        reading = verbs.add_parser("import", help="Make versions of new commits.")
        reading.add_argument("folder")
        reading.add_argument("--take", action="append", default=[], metavar="SLUG", help="Take git's text (conflicts).")
        reading.add_argument("--keep", action="append", default=[], metavar="SLUG", help="Keep the console's text.")
        langfuse = verbs.add_parser("import-langfuse", help="Make prompts of a JSON file of Langfuse.")
        langfuse.add_argument("file")
        for verb in (reading, langfuse):
            verb.add_argument("--dry-run", action="store_true", help="Show what would change, and change nothing.")
            verb.add_argument("--team", metavar="SLUG", help="The team of new prompts whose file names none.")
            verb.add_argument("--as", dest="email", metavar="EMAIL", help="Act with the rights of this person.")

    def handle(self, **options: Any) -> None:
        try:
            getattr(self, f"_{options['verb'].replace('-', '_')}")(options)
        except Refusal as refusal:
            raise CommandError(f"{refusal.message}\nNothing was changed.") from None

    def _export(self, options: dict[str, Any]) -> None:
        done = export_folder(actor=SYSTEM, path=Path(options["folder"]).absolute())
        self.stdout.write(f"Wrote {_count(done.exported, 'commit')} and moved {_count(done.labels, 'label')}.")

    def _import(self, options: dict[str, Any]) -> None:
        found = import_folder(
            actor=_actor(options["email"]),
            path=Path(options["folder"]).absolute(),
            team=_team(options["team"]),
            take=options["take"],
            keep=options["keep"],
            dry_run=options["dry_run"],
        )
        self._show(found, with_diff=options["dry_run"])

    def _import_langfuse(self, options: dict[str, Any]) -> None:
        team = _team(options["team"])
        if team is None:
            raise CommandError("Name the team the prompts are for: --team SLUG.")
        try:
            raw = Path(options["file"]).read_bytes()
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from None
        actor, is_dry = _actor(options["email"]), options["dry_run"]
        found = import_langfuse(actor=actor, team=team, raw=raw, dry_run=is_dry)
        for made in found.made:
            self.stdout.write(f"{'+' if made.is_new else '~'} {made.ref} from {made.title}")
            for line in made.diff if is_dry else ():
                self.stdout.write(f"    {line}")
        for label in found.labels:
            self.stdout.write(f"  {label}")
        for note in found.notes:
            self.stdout.write(f"Note: {note}")
        made_of = f"{_count(len(found.made), 'version')}, {_count(len(found.labels), 'label')}"
        message = f"{made_of}; {found.already:,} here already."
        self.stdout.write(f"Dry run, nothing was changed: {message}" if is_dry else f"Imported {message}")

    def _show(self, found: Imported, *, with_diff: bool) -> None:
        for change in found.changes:
            self.stdout.write((self.style.SUCCESS if change.is_new else self.style.WARNING)(str(change)))
            for line in change.diff if with_diff else ():
                self.stdout.write(f"    {line}")
        for note in found.notes:
            self.stdout.write(f"Note: {note}")
        for conflict in found.conflicts:
            self.stdout.write(
                self.style.ERROR(f"! {conflict.slug}: {conflict.sentence} (commit {conflict.commit[:10]})")
            )
        if found.conflicts:
            self.stdout.write(RESOLVE)
        made = f"{_count(found.versions, 'version')}, {_count(len(found.conflicts), 'conflict')}."
        self.stdout.write(f"Dry run, nothing was changed: {made}" if with_diff else f"Imported {made}")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _actor(email: str | None) -> Actor:
    if not email:
        return SYSTEM
    person = User.objects.filter(email__iexact=email, is_active=True).first()
    if person is None:
        raise CommandError(f"Nobody here has the address {email}.")
    return Actor("user", person.pk, str(person))


def _team(slug: str | None) -> Team | None:
    if not slug:
        return None
    team = Team.objects.filter(slug=slug, archived_at=None).first()
    if team is None:
        raise CommandError(f"There is no team {slug!r}.")
    return team
