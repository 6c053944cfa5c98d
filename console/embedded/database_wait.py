"""Wait for a PostgreSQL that is still starting, wherever it runs."""

import time
from collections.abc import Callable

from django.db import OperationalError, connections


def until_reached(seconds: float, say: Callable[[str], None]) -> None:
    """Return when PostgreSQL takes connections, saying once why not; raises OperationalError after `seconds`."""
    latest, told = time.monotonic() + seconds, False
    while True:
        try:
            connections["default"].ensure_connection()
            return
        except OperationalError as error:
            if time.monotonic() >= latest:
                raise
            if not told:
                say(f"Waiting for PostgreSQL: {str(error).strip().splitlines()[0]}")
                told = True
            time.sleep(1)
