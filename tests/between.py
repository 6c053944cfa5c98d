"""What others do between two statements of a process, done by the test at exactly that place."""

from collections.abc import Callable
from typing import Any

from django.db import connection


class After:
    """For `connection.execute_wrapper`: does something once, after the next statement that has `of` in it."""

    def __init__(self, what: Callable[[], object], *, of: str = "") -> None:
        self._what, self._of, self._is_done = what, of, False

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if not self._is_done and self._of in sql:
            self._is_done = True
            self._what()
        return result


def somebody_waits() -> bool:
    """Say whether somebody waits for what another connection holds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # or it says the same to the end of the transaction
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock')"
        )
        return bool(cursor.fetchone()[0])
