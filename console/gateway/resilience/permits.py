"""Permits: how many calls a provider gets at once, by lane, across all processes.

An interactive call may use every permit a provider has, a standard one three quarters, a batch call half, and less of
that while the interactive lane is slow: so a chat never waits behind batch work. Permits are leases in Valkey, taken by
one script; a process that dies loses its own when they run out. Without Valkey each web process keeps its part of the
limit by itself, which at worst is stricter.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis.asyncio as redis
from django.conf import settings

from console.catalog.shapes import ProviderShape
from console.core.errors import ProviderError
from console.gateway.resilience.shared import PREFIX, Shared, run_script

_SCRIPT = (Path(__file__).parent / "permits.lua").read_text(encoding="utf-8")
LEASE_SECONDS = 30.0
_SHARES = {"interactive": 1.0, "standard": 0.75, "batch": 0.5}
# How long a call of a lane waits for its turn. Batch work has time; a person does not.
_PATIENCE = {"interactive": 10.0, "standard": 30.0, "batch": 300.0}


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to one call at a provider, until it is given back or its lease runs out."""

    id: str
    keys: tuple[str, str]


class Permits:
    """One event loop's permits: those it holds, and the way to more."""

    def __init__(self, shared: Shared, batch_share: Callable[[], float]) -> None:
        self._shared = shared
        self._batch_share = batch_share
        self.held: dict[str, Permit] = {}
        self._here: dict[str, int] = {}  # held in this process, by key; what counts while Valkey is away
        self._minutes: dict[uuid.UUID, tuple[int, int, int]] = {}

    @staticmethod
    def are_needed(provider: ProviderShape, lane: str) -> bool:
        limits = provider.max_concurrency or provider.requests_per_minute or provider.tokens_per_minute
        return lane == "batch" or bool(limits)

    async def take(self, provider: ProviderShape, lane: str, *, tokens: int) -> Permit:
        """Return a permit once there is one; ProviderError when the wait is too long for the lane."""
        until, pause = time.monotonic() + _PATIENCE[lane], 0.02
        while True:
            most, of_lane = limits_of(provider, lane, self._batch_share())
            permit = Permit(uuid.uuid4().hex, _keys(provider.id, lane))
            result = await self._try(permit, provider, most, of_lane, tokens)
            if result == 1:
                self.held[permit.id] = permit
                for key in permit.keys:
                    self._here[key] = self._here.get(key, 0) + 1
                return permit
            if time.monotonic() + pause > until:
                problem = "has no free place" if result == 0 else "has used up its minute"
                raise ProviderError(
                    f"The provider {problem}; try again.", status=503, code="upstream_full", retry_after=5
                )
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  (no secret)
            pause = min(pause * 1.5, 0.25)

    async def _try(self, permit: Permit, provider: ProviderShape, most: int, of_lane: int, tokens: int) -> int:
        arguments = [
            *(permit.id, int(LEASE_SECONDS * 1000), most, of_lane),
            *(provider.requests_per_minute or 0, provider.tokens_per_minute or 0, tokens),
        ]
        keys = [*permit.keys, f"{PREFIX}{{{provider.id}}}:minute"]

        async def ask(client: redis.Redis) -> int:
            return int(await run_script(client, _SCRIPT, keys, arguments))

        result = await self._shared.query(ask)
        return self._try_here(permit, provider, most, of_lane, tokens) if result is None else result

    def _try_here(self, permit: Permit, provider: ProviderShape, most: int, of_lane: int, tokens: int) -> int:
        """Decide without Valkey: this process's part of every limit, at least one."""
        for key, limit in zip(permit.keys, (most, of_lane), strict=True):
            if limit and self._here.get(key, 0) >= _part(limit):
                return 0
        if provider.requests_per_minute or provider.tokens_per_minute:
            minute = int(time.time() // 60)
            then, requests, spent = self._minutes.get(provider.id, (minute, 0, 0))
            if then != minute:
                requests = spent = 0
            if provider.requests_per_minute and requests >= _part(provider.requests_per_minute):
                return -1
            if provider.tokens_per_minute and spent and spent + tokens > _part(provider.tokens_per_minute):
                return -1
            self._minutes[provider.id] = (minute, requests + 1, spent + tokens)
        return 1

    def give_back(self, permit: Permit) -> None:
        """Let somebody else have it. Does not wait: what Valkey misses runs out by itself."""
        if self.held.pop(permit.id, None) is None:
            return
        for key in permit.keys:
            self._here[key] -= 1

        self._remove(permit)

    def _remove(self, permit: Permit) -> None:
        async def remove(client: redis.Redis) -> Any:
            pipe = client.pipeline(transaction=False)
            for key in permit.keys:
                pipe.zrem(key, permit.id)
            return await pipe.execute()

        self._shared.send(remove)

    async def renew(self) -> None:
        """Extend the leases of what is held; called every few seconds."""
        permits = list(self.held.values())
        if not permits:
            return

        async def extend(client: redis.Redis) -> Any:
            seconds, micros = await client.time()
            until = seconds * 1000 + micros // 1000 + int(LEASE_SECONDS * 1000)
            pipe = client.pipeline(transaction=False)
            for permit in permits:
                for key in permit.keys:
                    pipe.zadd(key, {permit.id: until})
                    pipe.pexpire(key, int(LEASE_SECONDS * 2000))
            return await pipe.execute()

        await self._shared.query(extend)
        for permit in permits:
            if permit.id not in self.held:  # given back meanwhile, and put there again
                self._remove(permit)


def limits_of(provider: ProviderShape, lane: str, batch_share: float) -> tuple[int, int]:
    """Return how many calls the provider gets at once in all, and of this lane; 0 means any number."""
    most = provider.max_concurrency or 0
    if lane == "batch":
        share = most * _SHARES[lane] if most else settings.GATEWAY_BATCH_CONCURRENCY
        return most, max(1, int(share * batch_share))
    return most, max(1, int(most * _SHARES[lane])) if most else 0


def _part(limit: int) -> int:
    return max(1, limit // settings.WEB_PROCESSES)


def _keys(provider: uuid.UUID, lane: str) -> tuple[str, str]:
    return f"{PREFIX}{{{provider}}}:permits", f"{PREFIX}{{{provider}}}:permits:{lane}"
