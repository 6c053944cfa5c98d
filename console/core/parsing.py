"""Parse values of query strings and hidden fields, which anybody may have edited."""

import datetime as dt
from typing import TypeVar

from django.utils.dateparse import parse_datetime

_T = TypeVar("_T")
_MAX_DIGITS = 9


def number(text: str, default: _T) -> int | _T:
    """Return the text as an integer from 0 to 999,999,999; `default` if it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else default


def moment(text: str) -> dt.datetime | None:
    """Return an ISO 8601 time with its zone; None if the text is none. A `+` may have become a space."""
    try:
        found = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
