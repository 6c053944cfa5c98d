"""State shared by processes through Valkey: open breakers, held permits, the pace of the interactive lane.

Valkey is never the truth. While it is unavailable, every query returns None at once, and the caller continues with
what this process knows.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import redis.asyncio as redis
from django.conf import settings

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")

PREFIX = "facet:gateway:"
# A frozen Valkey delays one call by this much, and is then not queried for a while.
_PATIENCE_SECONDS = 0.25
_AWAY_SECONDS = 2.0
_MOST_CONNECTIONS = 64


class Shared:
    """One event loop's line to Valkey."""

    def __init__(self, url: str | None = None) -> None:
        self._url = settings.VALKEY_URL if url is None else url
        self._client: redis.Redis | None = None
        self._away_until = 0.0
        self._is_away = False
        self._sending: set[asyncio.Future[Any]] = set()
        self._free = asyncio.Semaphore(_MOST_CONNECTIONS)  # more queries at once wait for those, and prove nothing

    def send(self, work: Callable[[redis.Redis], Awaitable[Any]]) -> None:
        """Do `work` in the background. If it fails, nothing is lost that would not expire by itself."""
        task = asyncio.ensure_future(self._query_in_turn(work))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def query(self, work: Callable[[redis.Redis], Awaitable[_Result]]) -> _Result | None:
        """Return the result of `work`, None while Valkey is unavailable, or so slow that no connection becomes free.

        The change of state is logged once.
        """
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS if self._free.locked() else None):
                await self._free.acquire()
        except TimeoutError:
            return None
        try:
            return await self._query(work)
        finally:
            self._free.release()

    async def _query_in_turn(self, work: Callable[[redis.Redis], Awaitable[Any]]) -> None:
        async with self._free:
            await self._query(work)

    async def _query(self, work: Callable[[redis.Redis], Awaitable[_Result]]) -> _Result | None:
        if not self._url or time.monotonic() < self._away_until:
            return None
        if self._client is None:
            self._client = redis.from_url(
                self._url,
                socket_timeout=_PATIENCE_SECONDS,
                socket_connect_timeout=_PATIENCE_SECONDS,
                retry=None,
                max_connections=_MOST_CONNECTIONS,
            )
        try:
            result = await work(self._client)
        except (redis.RedisError, OSError) as error:
            self._away_until = time.monotonic() + _AWAY_SECONDS
            if not self._is_away:
                self._is_away = True
                log.warning("Valkey is away (%s); limits of providers are kept per process.", type(error).__name__)
            return None
        if self._is_away:
            self._is_away = False
            log.info("Valkey is back; limits of providers are shared again.")
        return result

    async def close(self) -> None:
        """Finish background work and close the connection for good."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=1)
        self._url = ""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


async def run_script(client: redis.Redis, script: str, keys: list[str], arguments: list[Any]) -> Any:
    """Run a Lua script by its digest, sending its text only when the server does not know it yet."""
    return await client.register_script(script)(keys=keys, args=arguments)
