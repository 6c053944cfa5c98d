"""A prepared statement on a connection of its own, executed through libpq without cursors.

A cursor adapts values, looks the statement up, registers with the event loop and builds rows, again for each execution.
The ledger's two statements are run thousands of times a second with parameters that are bytes already and need none of
it: this takes a quarter of the time.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import pq

from console.gateway.connection import Connection

_NAME = b"facet"
_BINARY = 1


class Statement:
    """Runs one execution at a time and returns its one row, in binary; prepared again on each new connection."""

    def __init__(self, connection: Connection, text: str) -> None:
        self._connection, self._text = connection, text.encode()
        self._prepared_on: psycopg.AsyncConnection[Any] | None = None
        self._socket = -1
        self._waiting: asyncio.Future[None] | None = None

    async def run(self, parameters: Sequence[bytes]) -> list[bytes | None]:
        """Run it; once more on a new connection when PostgreSQL had ended the session."""
        had_session = self._prepared_on is not None
        try:
            return await self._run(parameters)
        except psycopg.OperationalError:
            # PostgreSQL is away, or it is the statement that failed.
            if not had_session or self._prepared_on is not None:
                raise
        return await self._run(parameters)

    async def _run(self, parameters: Sequence[bytes]) -> list[bytes | None]:
        connection = await self._connection.get()
        pgconn = connection.pgconn
        try:
            if connection is not self._prepared_on:
                await self._prepare(connection)
            pgconn.send_query_prepared(_NAME, parameters, [_BINARY] * len(parameters), result_format=_BINARY)
            return _row(await self._result(pgconn))
        except BaseException:
            # Cancelled: the answer is on the way still and would be taken for the next one's.
            if connection.closed or pgconn.transaction_status != pq.TransactionStatus.IDLE:
                await self.close()
            raise

    async def _prepare(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._stop_listening()
        self._listen(connection.pgconn)
        connection.pgconn.send_prepare(_NAME, self._text)
        _row(await self._result(connection.pgconn))
        self._prepared_on = connection

    def _listen(self, pgconn: pq.abc.PGconn) -> None:
        self._socket = pgconn.socket
        asyncio.get_running_loop().add_reader(self._socket, self._arrived, pgconn)

    def _arrived(self, pgconn: pq.abc.PGconn) -> None:
        try:
            pgconn.consume_input()
        except psycopg.OperationalError:
            self._stop_listening()  # the session has ended; a closed socket would be readable forever
        self._wake()

    def _stop_listening(self) -> None:
        """Forget the socket, once: libpq has closed it perhaps, and its number may be another connection's by now."""
        socket, self._socket = self._socket, -1
        if socket >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(socket)
            loop.remove_writer(socket)

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def _wait(self) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        await self._waiting

    async def _send(self, pgconn: pq.abc.PGconn) -> None:
        """Send what is left to send."""
        loop = asyncio.get_running_loop()
        while pgconn.flush():  # more than the socket takes at once
            socket = self._socket
            loop.add_writer(socket, self._wake)
            try:
                await self._wait()
            finally:
                if self._socket == socket:
                    loop.remove_writer(socket)

    async def _result(self, pgconn: pq.abc.PGconn) -> pq.abc.PGresult:
        """Send what is left to send, and return the last result when all is here."""
        await self._send(pgconn)
        last, was_woken = None, False
        while True:
            while pgconn.is_busy():
                if pgconn.status != pq.ConnStatus.OK:
                    raise psycopg.OperationalError("PostgreSQL ended the session.")
                if was_woken:
                    # uvloop tells once of a socket that was reset. Read what came before, and it says no more.
                    self._stop_listening()
                    self._listen(pgconn)
                await self._wait()
                was_woken = True
            result = pgconn.get_result()
            if result is None:
                break
            last = result
        if last is None or pgconn.status != pq.ConnStatus.OK:  # libpq's own errors carry no code to tell them by
            raise psycopg.OperationalError("PostgreSQL ended the session.")
        return last

    async def close(self) -> None:
        self._stop_listening()
        self._prepared_on = None
        await self._connection.close()


def _row(result: pq.abc.PGresult) -> list[bytes | None]:
    if result.status == pq.ExecStatus.FATAL_ERROR:
        raise psycopg.errors.error_from_result(result)
    if result.status != pq.ExecStatus.TUPLES_OK:
        return []
    return [result.get_value(0, column) for column in range(result.nfields)]
