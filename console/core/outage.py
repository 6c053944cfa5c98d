"""Recognise that PostgreSQL is unavailable, as opposed to a fault of ours."""

from django.db import InterfaceError, OperationalError

from console.core.errors import Unavailable

# Told to stop, crashed, not up yet, no connection left, and a disk without room for what is to be written.
_ENDED = frozenset({"57P01", "57P02", "57P03", "53300", "53100"})


def is_database_away(error: BaseException | None) -> bool:
    """Tell an error of the connection from one of a statement, such as a time-out."""
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, OperationalError):
        return False
    state: str | None = getattr(error.__cause__, "sqlstate", None)
    return state is None or state in _ENDED or state.startswith("08")


def database_away() -> Unavailable:
    return Unavailable("The console cannot reach its database right now. Nothing was changed.", retry_after=5)
