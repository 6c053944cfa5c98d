"""A file's bytes, in and out, a chunk at a time: no file is ever whole in memory."""

import hashlib
import uuid
from collections.abc import Iterator
from typing import NamedTuple

from console.batches.models import File, FileChunk
from console.core.errors import Gone

CHUNK = 256 * 1024


class Writer:
    """Writes the chunks of a file that is not ready yet, and knows its size and digest."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._buffer = bytearray()
        self._number = 0
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        self.size += len(data)
        self._buffer += data
        while len(self._buffer) >= CHUNK:
            self._flush(CHUNK)

    def close(self) -> bytes:
        """Write what is left and return the digest."""
        if self._buffer:
            self._flush(len(self._buffer))
        return self._digest.digest()

    def _flush(self, size: int) -> None:
        FileChunk.objects.create(file=self._file, number=self._number, body=bytes(self._buffer[:size]))
        del self._buffer[:size]
        self._number += 1


class Reader:
    """Reads slices of a file; the chunk read last is kept, since slices are mostly read in order."""

    def __init__(self, file_id: uuid.UUID) -> None:
        self._file_id = file_id
        self._held: tuple[int, bytes] = (-1, b"")

    def read(self, offset: int, length: int) -> bytes:
        found = bytearray()
        while length > 0:
            number, start = divmod(offset, CHUNK)
            piece = self._chunk(number)[start : start + length]
            if not piece:
                break
            found += piece
            offset += len(piece)
            length -= len(piece)
        return bytes(found)

    def _chunk(self, number: int) -> bytes:
        if self._held[0] != number:
            body = FileChunk.objects.filter(file_id=self._file_id, number=number).values_list("body", flat=True).first()
            self._held = (number, bytes(body or b""))
        return self._held[1]


def chunks(file_id: uuid.UUID, *, size: int = 0) -> Iterator[bytes]:
    """Yield a file's bytes in order, one query each; Gone where they end before `size`, since somebody removed it."""
    number = read = 0
    while True:
        body = FileChunk.objects.filter(file_id=file_id, number=number).values_list("body", flat=True).first()
        if body is None:
            if read < size:
                raise Gone
            return
        yield bytes(body)
        number, read = number + 1, read + len(body)


class RawLine(NamedTuple):
    """`number` counts every line of the file, also empty ones. `is_cut`: longer than the limit, and not whole here."""

    number: int
    offset: int
    body: bytes
    is_cut: bool = False


def raw_lines(file_id: uuid.UUID, *, longest: int, size: int = 0) -> Iterator[RawLine]:
    """Yield a file's lines without their ends, keeping no more than one line and one chunk. `size` as in `chunks`."""
    rest, offset, number, dropped = b"", 0, 0, 0
    for chunk in chunks(file_id, size=size):
        *whole, rest = (rest + chunk).split(b"\n")
        for body in whole:
            number += 1
            size = len(body) + dropped
            yield RawLine(number, offset, body, is_cut=size > longest)
            offset += size + 1
            dropped = 0
        if len(rest) > longest + 1:  # read on to its end, without keeping it
            dropped += len(rest) - longest - 1
            rest = rest[: longest + 1]
    if rest or dropped:
        yield RawLine(number + 1, offset, rest, is_cut=len(rest) + dropped > longest)
