"""Django's `migrate`, as the owner of the tables, one at a time; then set the application's rights."""

import gc
import time
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands.migrate import Command as MigrateCommand
from django.db import OperationalError, ProgrammingError
from psycopg.errors import LockNotAvailable

from console.embedded import history, sql
from console.embedded.database_wait import until_reached
from console.embedded.owner import as_owner

_PATIENCE_SECONDS = 600


class Command(MigrateCommand):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--wait",
            type=int,
            default=0,
            metavar="SECONDS",
            help="Wait as long as this for a PostgreSQL that is still starting.",
        )

    def execute(self, *args: Any, **options: Any) -> str | None:
        with as_owner():
            until_reached(options["wait"], self.stderr.write)
        return super().execute(*args, **options)

    def check(self, *args: Any, **options: Any) -> None:
        with as_owner():  # before the first migration the application's role, which asks otherwise, is not there
            super().check(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        # Each step makes models again, and with that many the collector of garbage walks through every module often.
        gc.freeze()
        with as_owner() as application_role, sql.one_at_a_time():
            if why := history.why_not_from_here():
                raise CommandError(why)
            if newer := history.what_is_newer():
                self.stderr.write(newer)
            self._migrate(*args, **options)
            if options["plan"] or options["check_unapplied"]:
                return
            sql.count_on_after_restore()
            sql.tell_how_long_to_keep_log()
            # Rights this version gave could be more than the newer one means by tables this one does not know.
            if application_role and not (newer and sql.has_rights(application_role)):
                self._let_work(application_role)

    def _migrate(self, *args: Any, **options: Any) -> None:
        """Make the steps. One that meets a table in use, as by a dump, lets go and is tried again: each is whole."""
        latest = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                with sql.letting_go_of_tables():
                    super().handle(*args, **options)
                return
            except OperationalError as error:
                if not isinstance(error.__cause__, LockNotAvailable):
                    raise
                what = str(error).partition("\n")[0]
            if time.monotonic() >= latest:
                raise CommandError(
                    f"A table stayed in use ({what}). What was migrated so far stays; run this again when the dump, or "
                    "whoever holds the table, is done."
                )
            self.stderr.write(f"A table is in use ({what}); trying again.")
            time.sleep(5)

    def _let_work(self, role: str) -> None:
        try:
            sql.ensure_role(role, str(settings.DATABASES["default"].get("PASSWORD") or ""))
        except ProgrammingError as error:
            raise CommandError(
                f"The role {role} is missing and the owner may not make it ({error}). "
                f"As an administrator: CREATE ROLE {role} LOGIN PASSWORD '…';"
            ) from None
        sql.grant(role)
