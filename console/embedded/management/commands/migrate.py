"""Django's `migrate`, as the owner of the tables, one at a time, with the application's rights set afterwards."""

from typing import Any

from django.core.management.commands.migrate import Command as MigrateCommand

from console.embedded import sql
from console.embedded.owner import as_owner


class Command(MigrateCommand):
    def handle(self, *args: Any, **options: Any) -> None:
        with as_owner() as application_role, sql.one_at_a_time():
            super().handle(*args, **options)
            if application_role and not options["plan"] and not options["check_unapplied"]:
                sql.grant(application_role)
