"""The one HTTP client, small enough to replace: `request`, and reading the reply."""

import asyncio
import weakref
from collections.abc import Mapping
from typing import NamedTuple

from django.conf import settings

from console.outbound import errors
from console.outbound.connection import Connection
from console.outbound.decompression import Unpacker
from console.outbound.guard import AddressRefused
from console.outbound.pool import Pool
from console.outbound.requests import Origin, make_head


class Deadlines(NamedTuple):
    """Seconds to connect, and how long the other side may be silent, before its first byte or between two."""

    connect: float
    silence: float


class Reply:
    """An answer whose body has not been read. Close it, whatever happens."""

    __slots__ = (
        "_connection",
        "_headers",
        "_is_closed",
        "_origin",
        "_pool",
        "_unpacker",
        "content_type",
        "status",
    )

    def __init__(self, pool: Pool, origin: Origin, connection: Connection) -> None:
        self._pool, self._origin, self._connection = pool, origin, connection
        self._is_closed = False
        self._headers = headers = connection.headers
        self.status: int = connection.status
        self.content_type = headers.get(b"content-type", b"").decode("latin-1")
        self._unpacker = None
        if b"content-encoding" in headers:
            coding = headers[b"content-encoding"].strip().lower()
            self._unpacker = Unpacker(coding) if coding and coding != b"identity" else None

    @property
    def retry_after(self) -> str:
        return self.header("retry-after")

    def header(self, name: str) -> str:
        """Return a header of the answer, the last of that name; empty without one."""
        return self._headers.get(name.lower().encode("latin-1"), b"").decode("latin-1")

    async def read(self, limit: int) -> bytes:
        """Return the whole body after decompression; ProviderError when it is larger than `limit` bytes or cut off."""
        connection = self._connection
        if self._unpacker is None and connection.is_done and not self._is_closed:  # as a short answer is
            whole = await connection.chunk()
            if len(whole) > limit:
                raise errors.too_large()
            return whole
        parts, size = [], 0
        while part := await self.chunk():
            parts.append(part)
            size += len(part)
            if size > limit:
                raise errors.too_large()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunk(self) -> bytes:
        """Return what has arrived since the last call, waiting for some; empty when the body has ended."""
        if self._is_closed:
            return b""  # the connection may be another request's by now
        if self._unpacker is None:
            return await self._connection.chunk()
        while not (piece := self._unpacker.piece()):
            raw = await self._connection.chunk()
            if not raw:
                self._unpacker.check_end()
                return b""
            self._unpacker.feed(raw)
        return piece

    def close(self) -> None:
        """Let go: a body read to its end gives the connection back, any other closes it."""
        if not self._is_closed:
            self._is_closed = True
            self._pool.give_back(self._origin, self._connection)


_pools: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Pool]" = weakref.WeakKeyDictionary()


def connections() -> Pool:
    """Return the connections of the running event loop."""
    loop = asyncio.get_running_loop()
    pool = _pools.get(loop)
    if pool is None:
        pool = _pools[loop] = Pool()
    return pool


async def close() -> None:
    """Close this event loop's connections that are not in use."""
    pool = _pools.pop(asyncio.get_running_loop(), None)
    if pool is not None:
        pool.close()


async def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    deadlines: Deadlines,
    body: bytes | None = None,
    is_tool: bool = False,
    pool: Pool | None = None,
) -> Reply:
    """Send a request and return when the answer's head is here. Redirects are answers, never followed.

    `is_tool`: a team chose the address, so the private networks of tools are allowed and not those of providers. `pool`
    is the event loop's, where the caller has it at hand: asking for the loop is a call into the system.
    """
    try:
        head = make_head(method, url, tuple(headers.items()), is_tool)
    except AddressRefused as error:
        raise errors.refused() from error
    except ValueError as error:
        raise errors.broken() from error
    pool = pool or connections()
    connection = await pool.connect(head.origin, deadlines.connect)
    content = body or b""
    try:
        await connection.exchange(
            b"%bContent-Length: %d\r\n\r\n" % (head.start, len(content)), content, deadlines.silence
        )
        return Reply(pool, head.origin, connection)
    except BaseException:
        connection.abort()
        raise


def default_deadlines() -> Deadlines:
    return Deadlines(settings.GATEWAY_CONNECT_SECONDS, settings.GATEWAY_SILENCE_SECONDS)
