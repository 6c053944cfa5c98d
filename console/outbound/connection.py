"""One connection to a provider: HTTP/1.1 over httptools, one request at a time.

Distrusts what it reads. A connection is used again only when its last answer ended exactly where it said it would,
with not a byte more; heads and framing are bounded here, bodies by who reads them, and nobody is waited for longer than
the request allows.
"""

import asyncio
from typing import Any

import httptools

from console.core.errors import ProviderError
from console.outbound import errors

_MOST_HEAD_BYTES = 64 * 1024
_MOST_INTERIM_ANSWERS = 8
# Beyond this much of an answer that nobody has read yet the other side has to wait.
_HIGH_WATER, _LOW_WATER = 256 * 1024, 64 * 1024


class Connection(asyncio.Protocol):
    """`exchange` sends a request and returns when the answer's head is here; then `status`, `headers` and `chunk`."""

    __slots__ = (
        "_buffer",
        "_buffered",
        "_chunked",
        "_deadline",
        "_delivered",
        "_error",
        "_interim",
        "_is_extra",
        "_is_paused",
        "_keeps_alive",
        "_loop",
        "_parser",
        "_received",
        "_silence",
        "_sized",
        "_timer",
        "_transport",
        "_unsent",
        "_waiter",
        "has_head",
        "headers",
        "idle_since",
        "is_closed",
        "is_done",
        "status",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._error: ProviderError | None = None
        self.is_closed = False
        self.idle_since = 0.0
        self.is_done = True  # no answer is expected
        self._start()

    def _start(self) -> None:
        self._parser: Any = None
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.has_head = False
        self._buffer: list[bytes] = []
        self._buffered = self._received = self._delivered = self._interim = 0
        self._chunked = self._sized = self._is_extra = self._is_paused = self._keeps_alive = False
        self._deadline = self._silence = 0.0
        self._unsent = 0

    # For the client ---------------------------------------------------------------------------------------------------

    async def exchange(self, head: bytes, body: bytes, silence: float) -> None:
        """Send a request and wait for the head of its answer; ProviderError when none comes."""
        self._start()
        self.is_done = False
        self._parser = httptools.HttpResponseParser(self)
        self._silence = silence
        if len(body) > _LOW_WATER:
            self._transport.writelines([head, body])
        else:
            self._transport.write(head + body)
        while not self.has_head:
            await self._wait()

    async def chunk(self) -> bytes:
        """Return what has arrived of the body, waiting for some; empty when it has ended."""
        while not self._buffer:
            if self.is_done:
                return b""
            await self._wait()
        buffer, self._buffer, self._buffered = self._buffer, [], 0
        if self._is_paused and not self.is_closed:
            self._is_paused = False
            self._transport.resume_reading()
        return buffer[0] if len(buffer) == 1 else b"".join(buffer)

    @property
    def may_be_used_again(self) -> bool:
        return (
            self.is_done
            and not self.is_closed
            and not self._is_extra
            and not self._buffer
            and self._error is None
            and not self._transport.is_closing()
            and not self._transport.get_write_buffer_size()
            and self._keeps_alive
        )

    def abort(self) -> None:
        """Close at once, whatever is on the way."""
        self.is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()

    @property
    def descriptor(self) -> int:
        return int(self._transport.get_extra_info("socket").fileno())

    # Waiting ----------------------------------------------------------------------------------------------------------

    async def _wait(self) -> None:
        if self._error is not None:
            raise self._error
        self._deadline = self._loop.time() + self._silence
        if self._timer is not None and self._timer.when() > self._deadline:  # of a request that had more patience
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_later(self._silence, self._look)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _look(self) -> None:
        """Has the deadline passed? One timer serves all the waits of a connection, and moves on when it was early."""
        self._timer = None
        if self._waiter is None:
            return
        moment, unsent = self._loop.time(), self._transport.get_write_buffer_size()
        if unsent and unsent != self._unsent:  # a large request is on its way still
            self._unsent, self._deadline = unsent, moment + self._silence
        if moment >= self._deadline:
            self._fail(errors.silent())
        else:
            self._timer = self._loop.call_later(self._deadline - moment, self._look)

    def _fail(self, error: ProviderError) -> None:
        if not self.is_done and self._error is None:
            self._error = error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        self.abort()

    # From the event loop ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._expects_anything():
            self.abort()
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, ProviderError):
            if not self.is_done:
                self._fail(errors.broken())
                return
            self._is_extra = True  # what follows the answer is not HTTP: the answer stands, the connection does not
        if not self.is_done and self._received - self._delivered > _MOST_HEAD_BYTES + 16 * self._delivered:
            self._fail(errors.broken())  # a head, trailers or framing without end
            return
        if self._buffered > _HIGH_WATER and not self._is_paused and not self.is_done:
            self._is_paused = True
            self._transport.pause_reading()
        if self._buffer or self.is_done or self.has_head:
            self._wake()

    def _expects_anything(self) -> bool:
        return not self.is_done

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        if not self.is_done and self.has_head and error is None and not (self._chunked or self._sized):
            self.is_done = True  # a body without a length ends with its connection
            self._is_extra = True
            self._wake()
        self._fail(errors.broken())

    # From the parser --------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.is_done:
            self._is_extra = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.has_head:
            return  # a trailer, or of what nobody asked for
        name = name.lower()
        self.headers[name] = value
        if name == b"content-length":
            self._sized = True
        elif name == b"transfer-encoding":
            self._chunked = True

    def on_headers_complete(self) -> None:
        if self.is_done:
            return
        status = self._parser.get_status_code()
        if status >= 200:
            self.status, self.has_head = status, True

    def on_body(self, part: bytes) -> None:
        if self.is_done:
            return
        self._delivered += len(part)
        self._buffered += len(part)
        self._buffer.append(part)

    def on_message_complete(self) -> None:
        if self.has_head:
            if not self.is_done:
                self._keeps_alive = self._parser.should_keep_alive()
            self.is_done = True
            return
        self._interim += 1  # 100 and 103 say nothing to us; the answer follows
        self.headers.clear()
        self._sized = self._chunked = False
        if self._interim > _MOST_INTERIM_ANSWERS:
            raise errors.broken()
