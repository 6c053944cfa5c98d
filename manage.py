#!/usr/bin/env python3
"""Django's command line for Facet."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except OperationalError:
        from console.embedded.checks import why_no_database

        if not (why := why_no_database()):
            raise
        sys.exit(why)


if __name__ == "__main__":
    main()
