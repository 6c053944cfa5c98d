"""Statements that are given up when they take too long."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction  # noqa: TID251


class TooSlow(Exception):
    """A statement was stopped because its time was up."""


@contextmanager
def cursor_within(milliseconds: int) -> Iterator[Any]:
    """Give a cursor whose statements end after the time, and leave no limit behind in a transaction around it."""
    limit = max(1, min(milliseconds, settings.STATEMENT_TIMEOUT_MS))
    is_inner = connection.in_atomic_block
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('statement_timeout'), set_config('statement_timeout', %s, true)", [str(limit)]
            )
            before = cursor.fetchone()[0]
            yield cursor
            if is_inner:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == "57014":
            raise TooSlow from None
        raise
