"""Statements with a time limit, and several queries in one round trip."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from django.conf import settings
from django.db import OperationalError, connection, transaction  # noqa: TID251
from django.db.models import Model, QuerySet

_Of = TypeVar("_Of", bound=Model)
_Row = TypeVar("_Row")


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


def only(rows: QuerySet[_Of, _Row]) -> _Row | None:
    """Return the row that something unique picks out, or None; as `first`, which would order what is one."""
    return next(iter(rows.order_by()[:1]), None)


def get_or_raise(rows: QuerySet[_Of, _Row], missing: Exception | type[Exception]) -> _Row:
    """Return the row that something unique picks out; raise `missing` where there is none."""
    found = only(rows)
    if found is None:
        raise missing
    return found


class AnyRows:
    """One question for several: which of these have a row at all. It is put into words once."""

    def __init__(self, named: Mapping[str, QuerySet[Any]]) -> None:
        worded = [rows.order_by().values("pk").query.sql_with_params() for rows in named.values()]
        self._names = tuple(named)
        self._statement = "SELECT " + ", ".join(f"EXISTS ({statement})" for statement, _ in worded)
        self._parameters = [parameter for _, parameters in worded for parameter in parameters]

    def true(self) -> frozenset[str]:
        """Ask, and return the names of those that have one."""
        with connection.cursor() as cursor:
            cursor.execute(self._statement, self._parameters)
            return frozenset(name for name, is_there in zip(self._names, cursor.fetchone(), strict=True) if is_there)
