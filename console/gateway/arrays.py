"""Encode arrays in PostgreSQL's binary format, many times faster than the driver's element by element."""

import datetime as dt
import struct
import uuid
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any

NULL = b"\xff\xff\xff\xff"
BOOL, BYTEA, INT8, INT4, TEXT, TIMESTAMPTZ, UUID = 16, 17, 20, 23, 25, 1184, 2950
_HEAD = struct.Struct(">iiIii")  # dimensions, whether there are nulls, type of the elements, length, first index
_EMPTY = struct.Struct(">iiI")
_UUID_LENGTH = b"\0\0\0\x10"
_INT = attrgetter("int")  # of a UUID
_LENGTH = struct.Struct(">i").pack
_ORIGIN = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def array(kind: int, elements: Sequence[bytes]) -> bytes:
    """Join elements that carry their length; PostgreSQL does not mind being told of nulls that are not there."""
    return array_head(kind, len(elements)) + b"".join(elements)


@lru_cache(maxsize=2048)
def array_head(kind: int, length: int) -> bytes:
    return _HEAD.pack(1, 1, kind, length, 1) if length else _EMPTY.pack(0, 0, kind)


# Elements ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def bigint(value: int | None) -> bytes:
    return NULL if value is None else struct.pack(">iq", 8, value)


@lru_cache(maxsize=4096)
def integer(value: int | None) -> bytes:
    return NULL if value is None else struct.pack(">ii", 4, value)


@lru_cache(maxsize=512)
def moment(value: dt.datetime) -> bytes:
    return struct.pack(">iq", 8, (value - _ORIGIN) // _MICROSECOND)


def octets(value: bytes | None) -> bytes:
    """Return a bytea, or a text that is UTF-8 already."""
    return NULL if value is None else _LENGTH(len(value)) + value


_TRUTHS = {False: b"\0\0\0\1\0", True: b"\0\0\0\1\1", None: NULL}


# Whole columns ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=2048)
def _packed(kind: int, element: str, length: int) -> tuple[struct.Struct, bytes]:
    """Return the form of so many numbers, each with its size before it, and the head of their array."""
    return struct.Struct(f">{element * length}"), array_head(kind, length)


def _numbers(kind: int, element: str, size: int, values: Sequence[int]) -> bytes:
    form, head = _packed(kind, element, len(values))
    places = [size] * (2 * len(values))
    places[1::2] = values
    return head + form.pack(*places)


def bigints(values: Sequence[int | None]) -> bytes:
    if None in values:
        return array(INT8, [bigint(v) for v in values])
    return _numbers(INT8, "iq", 8, values)  # type: ignore[arg-type]


def integers(values: Sequence[int | None]) -> bytes:
    if None in values:
        return array(INT4, [integer(v) for v in values])
    return _numbers(INT4, "ii", 4, values)  # type: ignore[arg-type]


def booleans(values: Sequence[bool | None]) -> bytes:
    return array(BOOL, list(map(_TRUTHS.__getitem__, values)))


@lru_cache(maxsize=4096)
def usual(column: Callable[[Any], bytes], values: tuple[Any, ...]) -> bytes:
    """Return a column that is the same for most batches of its length: looking it up costs a fraction of making it."""
    return column(values)


@lru_cache(maxsize=256)
def _uuid(number: int) -> bytes:
    """Return a UUID by its number: a call's is written at its start and at its end, a team's at each.

    Few are kept: each new one takes the place of the oldest, and among many that is out of the processor's caches.
    """
    return _UUID_LENGTH + number.to_bytes(16, "big")


def uuids(values: Sequence[uuid.UUID | None]) -> bytes:
    if not all(values):
        return array(UUID, [NULL if v is None else _uuid(v.int) for v in values])
    return array(UUID, list(map(_uuid, map(_INT, values))))


def _strings(kind: int, values: Sequence[bytes | None]) -> bytes:
    if None not in values:
        lengths = map(_LENGTH, map(len, values))  # type: ignore[arg-type]
        return array_head(kind, len(values)) + b"".join(chain.from_iterable(zip(lengths, values, strict=True)))  # type: ignore[arg-type]
    if values.count(None) == len(values):
        return array_head(kind, len(values)) + NULL * len(values)
    return array(kind, list(map(octets, values)))


def texts(values: Sequence[bytes | None]) -> bytes:
    """`values` are UTF-8."""
    return _strings(TEXT, values)


def byteas(values: Sequence[bytes | None]) -> bytes:
    return _strings(BYTEA, values)


def moments(values: Sequence[dt.datetime]) -> bytes:
    return array(TIMESTAMPTZ, [moment(v) for v in values])


def read_integers(raw: bytes | None) -> tuple[int, ...]:
    """Return the elements of a one-dimensional array of integers or bigints without nulls; none for null."""
    if not raw or len(raw) < _HEAD.size:
        return ()
    _, _, kind, length, _ = _HEAD.unpack_from(raw)
    element = "iq" if kind == INT8 else "ii"  # its size, which is known, and its value
    return struct.unpack_from(f">{element * length}", raw, _HEAD.size)[1::2]
