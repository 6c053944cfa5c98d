"""The open connections of one event loop."""

import asyncio
import errno
import select
import ssl
from functools import cache, partial

import aiohappyeyeballs

from console.outbound import errors
from console.outbound.connection import Connection
from console.outbound.guard import AddressRefused, guarded_socket, resolve
from console.outbound.requests import Origin

# Shorter than most servers keep a silent connection, so that it is we who close it.
_IDLE_SECONDS = 30.0
_MOST_IDLE = 512
# One that was used a moment ago is not asked whether the other side has closed it.
_FRESH_SECONDS = 1.0


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _has_something_to_say(connection: Connection) -> bool:
    """Return whether the other side closed the connection, or wrote to it, though our event loop has yet to be told."""
    poll = select.poll()
    poll.register(connection.descriptor, select.POLLIN)
    return bool(poll.poll(0))


class Pool:
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle: dict[Origin, list[Connection]] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    async def connect(self, origin: Origin, seconds: float) -> Connection:
        """Return a connection that is ready for a request: one that is idle, or a new one."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            age = self._loop.time() - connection.idle_since
            if connection.is_closed:
                continue
            if age < _FRESH_SECONDS or (age < _IDLE_SECONDS and not _has_something_to_say(connection)):
                return connection
            connection.abort()
        return await self._open(origin, seconds)

    async def _open(self, origin: Origin, seconds: float) -> Connection:
        try:
            async with asyncio.timeout(seconds):
                addresses = await resolve(origin.host, origin.port, is_tool=origin.is_tool)
                socket = await aiohappyeyeballs.start_connection(
                    addresses,
                    happy_eyeballs_delay=0.25,
                    socket_factory=partial(guarded_socket, is_tool=origin.is_tool),
                )
                try:
                    _, connection = await self._loop.create_connection(
                        lambda: Connection(self._loop),
                        sock=socket,
                        ssl=_tls() if origin.is_tls else None,
                        server_hostname=origin.host if origin.is_tls else None,
                    )
                except BaseException:
                    socket.close()
                    raise
                return connection
        except AddressRefused:
            raise errors.refused() from None
        except TimeoutError:
            raise errors.unreachable(is_late=True) from None
        except ssl.SSLError:
            raise errors.bad_tls() from None
        except (OSError, UnicodeError) as error:
            if getattr(error, "errno", None) in {errno.EMFILE, errno.ENFILE}:
                raise errors.no_room() from None
            raise errors.unreachable() from None

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection for the next request, if its last one left it clean; close it otherwise."""
        idle = self._idle.get(origin)
        if not connection.may_be_used_again or (idle is not None and len(idle) >= _MOST_IDLE):
            connection.abort()
            return
        connection.idle_since = self._loop.time()
        if idle is None:
            idle = self._idle[origin] = []
        idle.append(connection)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(_IDLE_SECONDS / 2, self._sweep)

    def _sweep(self) -> None:
        oldest = self._loop.time() - _IDLE_SECONDS
        for origin, idle in list(self._idle.items()):
            kept = []
            for connection in idle:
                if connection.is_closed or connection.idle_since <= oldest:
                    connection.abort()
                else:
                    kept.append(connection)
            if kept:
                self._idle[origin] = kept
            else:
                del self._idle[origin]
        self._sweeper = self._loop.call_later(_IDLE_SECONDS / 2, self._sweep) if self._idle else None

    def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for idle in self._idle.values():
            for connection in idle:
                connection.abort()
        self._idle.clear()
