"""Admit calls to providers: circuit breakers, concurrency permits, and the pace that slows the batch lane down.

Processes share open breakers, and the pace of the interactive lane, which decides how much of its share the batch lane
gets. A background task exchanges both once a second, so no call waits for it.
"""

import asyncio
import logging
import secrets
import time
import uuid
from contextlib import suppress
from typing import Any

import redis.asyncio as redis
from django.conf import settings
from django.db import DatabaseError, connections

from console.catalog.models.providers import CLOSED, OPENED
from console.catalog.services.health import note_failure
from console.catalog.shapes import ProviderShape
from console.core.errors import ProviderError
from console.gateway.resilience.breaker import Breaker
from console.gateway.resilience.pace import Pace
from console.gateway.resilience.permits import Permit, Permits
from console.gateway.resilience.shared import PREFIX, Shared

log = logging.getLogger(__name__)

_PULSE_SECONDS = 1.0
# What callers are told at most: an open breaker is probed within a minute, also where the clock was set back.
_LONGEST_WAIT_SECONDS = 60
_PACE_KEY = f"{PREFIX}pace"
# How long the pace of another process counts, and when it is removed.
_PACE_SECONDS = 5.0
_PACE_KEPT_SECONDS = 60
# Errors that count as failures of the endpoint. A refusal of one request, or of too many, does not.
_FAILURES = frozenset(
    {
        "upstream_unreachable",
        "upstream_timeout",
        "upstream_broken",
        "upstream_error",
        "upstream_invalid",
        "upstream_truncated",
    }
)


class ProviderGate:
    """One event loop's state of all providers. Each call enters before it is sent, and leaves when it has ended."""

    def __init__(self, shared: Shared | None = None) -> None:
        self.shared = shared or Shared()
        self.pace = Pace()
        self.permits = Permits(self.shared, lambda: self.pace.factor)
        # By the number of a provider's id: what a UUID hashes is asked of Python code each time.
        self.breakers: dict[int, Breaker] = {}
        self._process = secrets.token_hex(8)
        self._pulse: asyncio.Task[None] | None = None
        self._has_published = self._is_stopping = False
        # Errors since the last beat: how often, and the last sentence, by provider, code and model.
        self._troubles: dict[tuple[uuid.UUID, str, str], tuple[int, str]] = {}

    async def enter(self, provider: ProviderShape, lane: str, *, tokens: int) -> Permit | None:
        """Return once a call may be sent, with the permit to give back; raise ProviderError if it may not."""
        if self._pulse is None or self._pulse.done():
            self._pulse = asyncio.create_task(self._beat())
        breaker = self.breakers.get(provider.id.int)
        if breaker is None:
            breaker = self.breakers[provider.id.int] = Breaker()
        if breaker.open_until and not breaker.admits(time.time()):
            raise ProviderError(
                "The provider keeps failing, so calls to it are held back for a moment; try again.",
                status=503,
                code="upstream_open",
                retry_after=max(1, min(round(breaker.open_until - time.time()), _LONGEST_WAIT_SECONDS)),
            )
        if not self.permits.are_needed(provider, lane):
            return None
        try:
            return await self.permits.take(provider, lane, tokens=tokens)
        except BaseException:
            breaker.release()
            raise

    def leave(
        self, provider: ProviderShape, permit: Permit | None, *, code: str, sentence: str = "", model: str = ""
    ) -> None:
        """Give the permit back and record how the call went. An empty code means that it was answered.

        Errors of the provider are also shown on its page. A client that left, say, tells nothing about the provider.
        """
        if permit is not None:
            self.permits.give_back(permit)
        breaker = self.breakers.get(provider.id.int)
        if breaker is None:
            return
        if not code:
            if breaker.succeeded():
                log.warning("Provider %s answers again.", provider.slug)
                self._note(provider, CLOSED, "It answers again, so calls go there as before.")
                self._publish(provider, None)
            return
        if provider.is_builtin and code == "upstream_unreachable":
            breaker.release()  # it is still starting, or starts again: nobody is told that it keeps failing
            return
        if code.startswith("upstream_") and code != "upstream_refused":
            self._note(provider, code, sentence, model)
        if code not in _FAILURES:
            breaker.release()
        elif breaker.failed(time.time()):
            log.warning("Provider %s keeps failing (%s); its breaker opens.", provider.slug, code)
            self._note(provider, OPENED, "It keeps failing, so calls are held back but for a probe now and then.")
            self._publish(provider, breaker.open_until)

    def _note(self, provider: ProviderShape, code: str, sentence: str, model: str = "") -> None:
        times, _ = self._troubles.get((provider.id, code, model), (0, ""))
        self._troubles[provider.id, code, model] = (times + 1, sentence)

    def _publish(self, provider: ProviderShape, open_until: float | None) -> None:
        key = _breaker_key(provider.id)

        async def publish(client: redis.Redis) -> Any:
            if open_until is None:
                return await client.delete(key)
            return await client.set(key, repr(open_until), px=max(1, int((open_until - time.time()) * 1000)))

        self.shared.send(publish)

    async def _beat(self) -> None:
        turns = 0
        while not self._is_stopping:  # the client of Valkey may swallow a cancellation
            await asyncio.sleep(_PULSE_SECONDS)
            turns += 1
            try:
                await self._read_breakers()
                await self._share_pace()
                if self._troubles:
                    troubles, self._troubles = self._troubles, {}
                    await asyncio.to_thread(_write_troubles, troubles)
                if turns % 8 == 0:
                    await self.permits.renew()
            except Exception:  # one failed beat must not end the task
                log.exception("The state of providers could not be shared.")

    async def _read_breakers(self) -> None:
        breakers = list(self.breakers)
        if not breakers:
            return

        async def read(client: redis.Redis) -> list[Any]:
            return await client.mget([_breaker_key(uuid.UUID(int=provider)) for provider in breakers])

        for provider, until in zip(breakers, await self.shared.query(read) or (), strict=False):
            if until is not None:
                self.breakers[provider].open_elsewhere(float(until))

    async def _share_pace(self) -> None:
        """Publish the pace of this process's interactive lane, and slow the batch lane down by the slowest process."""
        moment = time.time()
        mine = self.pace.p95(time.monotonic())
        published = f"{moment}:{mine}" if mine is not None else None

        async def share(client: redis.Redis) -> dict[bytes, bytes]:
            pipe = client.pipeline(transaction=False)
            if published is not None:
                pipe.hset(_PACE_KEY, self._process, published)
            elif self._has_published:
                pipe.hdel(_PACE_KEY, self._process)
            pipe.expire(_PACE_KEY, _PACE_KEPT_SECONDS)
            pipe.hgetall(_PACE_KEY)
            return (await pipe.execute())[-1]  # type: ignore[no-any-return]

        slowest = mine
        departed = []
        for process, text in (await self.shared.query(share) or {}).items():
            at, _, p95 = text.decode().partition(":")
            age = abs(moment - float(at))  # one of later is of before a clock was set back
            if age < _PACE_SECONDS:
                slowest = max(slowest or 0.0, float(p95))
            elif age > _PACE_KEPT_SECONDS:
                departed.append(process)
        if departed:  # the key itself lasts as long as any process
            self.shared.send(lambda client: client.hdel(_PACE_KEY, *departed))
        self._has_published = published is not None
        self.pace.adjust(slowest, settings.GATEWAY_INTERACTIVE_TARGET_MS / 1000)

    async def stop(self) -> None:
        self._is_stopping = True
        if self._pulse is not None:
            self._pulse.cancel()
            await asyncio.wait({self._pulse}, timeout=1)
        for permit in list(self.permits.held.values()):
            self.permits.give_back(permit)
        await self.shared.close()


def _write_troubles(troubles: dict[tuple[uuid.UUID, str, str], tuple[int, str]]) -> None:
    try:
        for (provider, code, model), (times, sentence) in troubles.items():
            with suppress(DatabaseError):  # the provider may be gone, and the failed calls are recorded
                note_failure(provider_id=provider, code=code, sentence=sentence, model=model, times=times)
    finally:
        connections.close_all()


def _breaker_key(provider: uuid.UUID) -> str:
    return f"{PREFIX}{{{provider}}}:breaker"
