"""What stands in an address or a hidden field, where anybody may have typed over it."""

import datetime as dt
from typing import TypeVar

from django.utils.dateparse import parse_datetime

_T = TypeVar("_T")
# Digits of a number that fits where numbers are kept, and that costs nothing to read.
_MOST_DIGITS = 9


def number(text: str, default: _T) -> int | _T:
    """Return the whole number from 0 to 999,999,999 that stands there, else `default`."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else default


def moment(text: str) -> dt.datetime | None:
    """Return the moment that stands there in ISO 8601 with its zone, also where its + became a space; else None."""
    try:
        found = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
