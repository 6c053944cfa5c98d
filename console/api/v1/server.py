"""uvicorn's HTTP, with a way to send a whole answer in one message.

uvicorn searches each name and value of a head for what must not be there and writes head and body apart, which for the
sixteen headers of an answer of /v1/ costs more than planning the call. Here the head is made in one piece, looked at
once, and goes out together with the body. The application is told by an extension of its scope that it may send such a
message; `uvicorn --http httptools` works as well, only dearer.
"""

import asyncio
import re
import weakref
from collections import deque
from collections.abc import Awaitable, Collection, Sequence
from functools import lru_cache
from typing import Any, Literal

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from console.core import shutdown
from console.core.bodies import stated_length
from console.core.ticker import Due, Ticker

# The extension, and the type of its message: `status`, `lines` and `body`. `lines` are the headers, as `header_lines`
# makes them, but for how long the body is.
WHOLE_ANSWER = "facet.http.response.whole"
_PLAIN_PATH, _SHORT, _HASH = re.compile(rb"/[A-Za-z0-9_/.-]*"), 256, ord("#")
_EXTENSIONS: dict[str, dict[str, Any]] = {WHOLE_ANSWER: {}}


def header_lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return headers, one or more, as lines of a head; RuntimeError where one would begin a line of its own."""
    lines = b"%b\r\n" % b"\r\n".join(map(b": ".join, headers))
    # Taking characters out counts them twice as fast as `count` does.
    if len(lines) - len(lines.translate(None, b"\r\n\0")) > 2 * len(headers):
        raise RuntimeError("Invalid HTTP header.")
    return lines


@lru_cache(maxsize=8)
def _lines_of(*headers: tuple[bytes, bytes]) -> bytes:
    """Return the lines of uvicorn's own headers, which are others once a second."""
    return header_lines(headers) if headers else b""


class _Event(asyncio.Event):
    """An event that gets its list of waiters from the first of them: few requests are waited for."""

    _value = False
    _waiters: Collection[asyncio.Future[Any]] = ()  # type: ignore[assignment]
    __init__ = object.__init__

    async def wait(self) -> Literal[True]:
        if not self._waiters:
            self._waiters = deque()
        return await super().wait()


class Cycle(RequestResponseCycle):
    """One request and its answer."""

    _is_given = False  # the last part of its body has been received

    async def receive(self) -> Any:
        """Return the next part of the body; one that is here whole, as nearly all are, without asking an event."""
        is_over = self._is_given or self.disconnected or self.response_complete
        if not (is_over or self.more_body or self.waiting_for_100_continue or self.flow.read_paused):
            self._is_given = True
            self.message_event.clear()  # from here on it tells of the client's leaving
            body, self.body = self.body, bytearray()
            return {"type": "http.request", "body": bytes(body), "more_body": False}
        message = await super().receive()
        self._is_given = not self.more_body
        return message

    def send(self, message: Any) -> Awaitable[None]:  # type: ignore[override]
        return self._send_whole(message) if message["type"] == WHOLE_ANSWER else super().send(message)

    async def _send_whole(self, message: dict[str, Any]) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if self.response_started:
            raise RuntimeError("A whole answer was sent after an answer had begun.")
        body = message["body"]
        lines = b"%b%bcontent-length: %d\r\n%b\r\n" % (
            _lines_of(*self.default_headers),
            message["lines"],
            len(body),
            b"" if self.keep_alive else b"connection: close\r\n",
        )
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        body = b"" if self.scope["method"] == "HEAD" else body
        self.transport.write(b"".join([STATUS_LINE[message["status"]], lines, body]))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


_tickers: "weakref.WeakKeyDictionary[ServerState, Ticker]" = weakref.WeakKeyDictionary()


# How long a request may take to arrive: its head, and then its body at no less than so many bytes a second. Without an
# end to that, whoever sends a byte now and then holds all the connections there can be.
_RECEIVE_SECONDS, _LEAST_BYTES_A_SECOND = 60.0, 16 * 1024
_UNSTATED_BYTES = 8 * 1024 * 1024
# All that is said of it: uvicorn also logs a warning each time, and anybody can have it do so as often as they like.
_NO_HTTP = "Invalid HTTP request received."


class Http(HttpToolsProtocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        ticker = _tickers.get(self.server_state)
        if ticker is None:
            ticker = _tickers[self.server_state] = Ticker(self.loop)
        self._ticker = ticker
        self._has_usual_settings = self.limit_concurrency is None and not self.root_path
        self._idle_since = 0.0  # 0: a request is in progress
        self._begun = self.loop.time()  # when that one began to arrive
        self._idle_due: Due | None = ticker.call_later(self.timeout_keep_alive, self._look_whether_idle)

    def shutdown(self) -> None:
        """Hear that the server stops: uvicorn tells connections so, and nobody else before streams are cut off."""
        shutdown.requested().set()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._idle_due is not None:
            self._idle_due.discard(self._look_whether_idle)
            self._idle_due = None

    def on_response_complete(self) -> None:
        """Wait for the connection's next request, as uvicorn does but without a timer for each answer.

        One tick per connection looks from time to time how long it has been idle.
        """
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._idle_since = self.loop.time()
        if self._idle_due is None:
            self._idle_due = self._ticker.call_later(self.timeout_keep_alive, self._look_whether_idle)

    def _unset_keepalive_if_required(self) -> None:
        if self._idle_since:
            self._idle_since, self._begun = 0.0, self.loop.time()

    def _look_whether_idle(self) -> None:
        self._idle_due = None
        if not self._idle_since:
            self._look_whether_it_arrives()
            return
        remaining = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if remaining > 0:
            self._idle_due = self._ticker.call_later(remaining, self._look_whether_idle)
        else:
            self.timeout_keep_alive_handler()

    def _look_whether_it_arrives(self) -> None:
        """Hang up on a request that takes too long to arrive; one that is here is answered, however long that takes."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            return
        seconds = _RECEIVE_SECONDS
        if cycle is not None and not cycle.response_complete:
            seconds += (stated_length(dict(cycle.scope)) or _UNSTATED_BYTES) / _LEAST_BYTES_A_SECOND
        if self._begun + seconds < self.loop.time():
            self.transport.close()
        else:
            self._idle_due = self._ticker.call_later(self.timeout_keep_alive, self._look_whether_idle)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserError:
                self.send_400_response(_NO_HTTP)
                return
            except httptools.HttpParserUpgrade as offered:
                data = self._without_the_offer(data[offered.args[0] :])

    def _should_upgrade(self) -> bool:
        """Keep uvicorn from beginning a request whose body the parser would leave out."""
        return True

    def _without_the_offer(self, lines: bytes) -> bytes:
        """Return a request that offers another protocol, and what follows it, without the offer, for a new parser.

        Java's client offers HTTP/2 with each of its requests, and nobody need accept. The parser takes nothing of what
        follows for a body: it would be lost, or be the next request, of which a proxy in front knows nothing.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.send_400_response(_NO_HTTP)
            return b""
        head = [b"%b %b HTTP/%b" % (method, self.url, self.parser.get_http_version().encode())]
        head += [b"%b: %b" % line for line in self.headers if line[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        return b"%b\r\n\r\n%b" % (b"\r\n".join(head), lines)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = _EXTENSIONS  # type: ignore[typeddict-item]

    def on_headers_complete(self) -> None:
        """Begin to answer a request: as uvicorn does, without what nearly none needs and what is known from others.

        uvicorn itself begins those that are none of the usual.
        """
        parser, before = self.parser, self.cycle
        is_free = before is None or before.response_complete  # or the request is sent ahead, and waits for its turn
        is_usual = is_free and self._has_usual_settings and not parser.should_upgrade() and len(self.url) < _SHORT
        raw_path, _, query = self.url.partition(b"?")
        path = _plain(raw_path) if is_usual and _HASH not in query else None
        if path is None or parser.get_http_version() != "1.1":
            super().on_headers_complete()
            if self.cycle is not None:
                self.cycle.__class__ = Cycle  # uvicorn has no place to name its class; the task has yet to begin
            return
        scope = self.scope
        scope["method"] = parser.get_method().decode("ascii")
        scope["path"], scope["raw_path"], scope["query_string"] = path, raw_path, query
        self.cycle = Cycle(
            scope,
            self.transport,
            self.flow,
            self.logger,
            self.access_logger,
            self.access_log,
            self.server_state.default_headers,
            _Event(),
            self.expect_100_continue,
            parser.should_keep_alive(),
            self.on_response_complete,
        )
        self._start_asgi_task(self.cycle, self.app)


@lru_cache(maxsize=256)
def _plain(path: bytes) -> str | None:
    """Return the path of a request as text; None for one that uvicorn should read."""
    return path.decode("ascii") if _PLAIN_PATH.fullmatch(path) else None
