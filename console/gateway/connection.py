"""The gateway's own PostgreSQL connection, besides Django's pool, which pages and tasks could exhaust."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg
from django.db import connections

_Result = TypeVar("_Result")


class Connection:
    """One connection that is made when needed and made again when it broke, by whoever comes first."""

    def __init__(self, name: str, options: str = "") -> None:
        self._name, self._options = name, options
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._making = asyncio.Lock()

    async def get(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        async with self._making:
            if self._connection is not None and not self._connection.closed:
                return self._connection
            parameters = connections["default"].get_connection_params()
            for name in ("cursor_factory", "context", "prepare_threshold"):  # Django's own; the rest is the address
                parameters.pop(name, None)
            limits = "-c statement_timeout=20000 -c lock_timeout=10000 -c timezone=UTC"
            parameters |= {
                "connect_timeout": 3,
                "application_name": f"facet gateway {self._name}",
                "options": f"{parameters.get('options', '')} {limits} {self._options}".strip(),
            }
            self._connection = await psycopg.AsyncConnection.connect(**parameters, autocommit=True)
            self._connection.prepare_threshold = 0
            return self._connection

    async def run(self, work: Callable[[psycopg.AsyncConnection[Any]], Awaitable[_Result]]) -> _Result:
        """Do something on the connection; once more on a new one when PostgreSQL had ended the session."""
        connection = await self.get()
        try:
            return await work(connection)
        except psycopg.OperationalError:
            if not connection.closed:
                raise
        return await work(await self.get())

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    def drop(self) -> None:
        """Close it when the loop it was made on has ended, and nothing can be awaited there any more."""
        if self._connection is not None:
            self._connection.pgconn.finish()
            self._connection = None
