"""Look at a pack before anything is made of it: a few bytes in it can stand for terabytes.

1. Each object says its size in its head; a delta says it again, of what it comes to, in its first bytes.
2. Nothing is kept: objects are inflated to find the next one, and only as far as the limits.
"""

import zlib

from console.core.errors import ProviderError

_MEBIBYTE = 1024 * 1024
LARGEST_OBJECT = 32 * _MEBIBYTE
_MOST_INFLATED = 1024 * _MEBIBYTE
# What all deltas come to. A library's trees are alike and many, so this is much more than its pack.
_MOST_TOGETHER = 8192 * _MEBIBYTE
_OFFSET_DELTA, _REF_DELTA = 6, 7
_CHUNK = 65_536
# No number in a pack has more bits. One that never ends would be added to itself for days.
_MOST_BITS = 63


def check_pack(data: bytes) -> None:
    """Refuse a pack whose objects are too large, each or together. Whether it is whole is for its reader to say."""
    if len(data) < 12:
        return
    view, at, inflated, together = memoryview(data), 12, 0, 0
    for _ in range(int.from_bytes(data[8:12], "big")):
        kind, size, at = _head(view, at)
        if kind == _OFFSET_DELTA:
            _, at = _varint(view, at)
        elif kind == _REF_DELTA:
            at += 20
        _check_size(size)
        begin, length, at = _inflate(view, at)
        result = size
        if kind in (_OFFSET_DELTA, _REF_DELTA):
            base, after = _varint(memoryview(begin), 0)
            result, _ = _varint(memoryview(begin), after)
            _check_size(max(base, result))
        inflated, together = inflated + length, together + result
        if inflated > _MOST_INFLATED or together > _MOST_TOGETHER:
            raise ProviderError(
                "The repository sends more than can be taken in; nothing of it was read.", permanent=True
            )


def _check_size(size: int) -> None:
    if size > LARGEST_OBJECT:
        raise ProviderError(
            f"The repository sends an object of {size:,} bytes; {LARGEST_OBJECT:,} is the most. Nothing was read.",
            permanent=True,
        )


def _head(view: memoryview, at: int) -> tuple[int, int, int]:
    """Return kind and size of the object here, and where its head ends."""
    byte = _byte(view, at)
    kind, size, shift = byte >> 4 & 7, byte & 15, 4
    while byte & 128:
        at += 1
        byte = _byte(view, at)
        _check_bits(shift)
        size |= (byte & 127) << shift
        shift += 7
    return kind, size, at + 1


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and where it ends. Of an offset only the end is of interest."""
    number = shift = 0
    while True:
        byte = _byte(view, at)
        _check_bits(shift)
        number |= (byte & 127) << shift
        shift, at = shift + 7, at + 1
        if not byte & 128:
            return number, at


def _check_bits(shift: int) -> None:
    if shift > _MOST_BITS:
        raise _unreadable()


def _unreadable() -> ProviderError:
    return ProviderError("The repository sends a pack that cannot be read.")


def _byte(view: memoryview, at: int) -> int:
    if at >= len(view):
        raise ProviderError("The repository sends a pack that ends too early.")
    return view[at]


def _inflate(view: memoryview, at: int) -> tuple[bytes, int, int]:
    """Return the first bytes of what is compressed here, its whole length, and where it ends."""
    stream, begin, length = zlib.decompressobj(), b"", 0
    while not stream.eof:
        rest = bytes(view[at : at + _CHUNK])
        at += len(rest)
        if not rest:
            raise ProviderError("The repository sends a pack that ends too early.")
        while rest and not stream.eof:
            try:
                out = stream.decompress(rest, _CHUNK)
            except zlib.error:
                raise _unreadable() from None
            rest, length = stream.unconsumed_tail, length + len(out)
            begin += out[: max(0, 32 - len(begin))]
            _check_size(length)
    return begin, length, at - len(stream.unused_data)
