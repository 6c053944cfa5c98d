"""Decompress bodies that come compressed unasked, piece by piece, so that a bomb stays small."""

import zlib

from console.outbound import errors

_PIECE = 256 * 1024


class Unpacker:
    """Feed it what arrives and read pieces until there are none."""

    def __init__(self, coding: bytes) -> None:
        if coding not in {b"gzip", b"x-gzip", b"deflate"}:
            raise errors.broken()
        self._is_gzip = coding != b"deflate"
        self._inner = zlib.decompressobj(wbits=31) if self._is_gzip else None
        self._rest = b""

    def feed(self, raw: bytes) -> None:
        if self._inner is None:  # with or without a header of its own: both are called deflate
            self._inner = zlib.decompressobj(wbits=15 if raw[0] & 0x0F == 8 else -15)
        self._rest += raw

    def piece(self) -> bytes:
        """Return some of what can be unpacked now; empty when more has to arrive first."""
        if self._inner is None or not self._rest:
            return b""
        if self._inner.eof:
            raise errors.broken()
        try:
            piece = self._inner.decompress(self._rest, _PIECE)
        except zlib.error as error:
            raise errors.broken() from error
        self._rest = self._inner.unconsumed_tail or self._inner.unused_data
        return piece

    def check_end(self) -> None:
        if self._inner is None or not self._inner.eof:
            raise errors.broken()
