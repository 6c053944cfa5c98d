#!/usr/bin/env python3
"""Django's command line for Facet."""

import importlib.util
import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    # One connection is all a command needs, and a pool tries for ten seconds where there is no database.
    os.environ.setdefault("DATABASE_POOL", "0")
    if importlib.util.find_spec("django") is None:
        sys.exit("Run this with the Python of the environment that `make run` makes: .venv/bin/python manage.py …")
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, ProgrammingError

    try:
        django.setup()  # loads the settings
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    try:
        execute_from_command_line(sys.argv)
    except ProgrammingError as error:
        from console.embedded.checks import why_not_set_up

        if sys.argv[1:2] == ["migrate"] or not (why := why_not_set_up(error)):
            raise
        sys.exit(why)
    except OperationalError as error:
        from console.embedded.checks import why_no_database

        if not (why := why_no_database(error)):
            raise
        sys.exit(why)


if __name__ == "__main__":
    main()
