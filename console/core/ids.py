"""Identifiers: UUIDv7, which sort by time of creation."""

import datetime as dt
import re
import uuid

import uuid_utils

from console.core.clock import at_millisecond

_PREFIX = "req_"
# What the W3C's header `traceparent` says: the trace, and the span in it that calls us.
TRACE_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
_RESPONSE = re.compile(r"resp_([0-9a-f]{32})")
# Looking a member up in its enum takes Python 3.11 as long as making an id.
_NOT_SAID = uuid.SafeUUID.unknown
_new, _set = object.__new__, object.__setattr__


def uuid7() -> uuid.UUID:
    """Return a new UUIDv7, as Python's own class and without what its constructor checks."""
    made = _new(uuid.UUID)
    _set(made, "int", uuid_utils.uuid7().int)
    _set(made, "is_safe", _NOT_SAID)
    return made


def uuid7_at(moment: dt.datetime, *, last: bool = False) -> uuid.UUID:
    """Return the smallest (or, with `last`, the largest) UUIDv7 of the millisecond of `moment`; of 1970 before that."""
    millis = max(0, int(moment.timestamp() * 1000))
    low = (1 << 74) - 1 if last else 0
    return uuid.UUID(int=(millis << 80) | (0x7 << 76) | ((low >> 62) << 64) | (0b10 << 62) | (low & ((1 << 62) - 1)))


def time_of(identifier: uuid.UUID) -> dt.datetime:
    """Return the moment a UUIDv7 was made, to the millisecond, UTC."""
    return at_millisecond(identifier.int >> 80)


def request_id(identifier: uuid.UUID) -> str:
    """Return the public form of a request's id: `req_` and 32 hexadecimal digits."""
    return f"{_PREFIX}{identifier.hex}"


def parse_id(text: str, prefix: str = "") -> uuid.UUID | None:
    """Return the id in a UUID, with or without what its public form begins with (`run_`); None where there is none."""
    try:
        return uuid.UUID(text.removeprefix(prefix))
    except ValueError:
        return None


def parse_request_id(text: str) -> uuid.UUID | None:
    """Return the id in `req_…` or in a plain UUID; None when it is neither."""
    return parse_id(text.strip(), _PREFIX)


def parse_response_id(text: str) -> uuid.UUID | None:
    """Return the id in `resp_…`: that of the request which asked for the response; None when it is none."""
    found = _RESPONSE.fullmatch(text.strip())
    return uuid.UUID(hex=found[1]) if found else None
