"""The gateway of each event loop: what the pipeline keeps while it runs."""

import asyncio
import threading
import time
import weakref
from contextlib import suppress

import psycopg

from console import outbound
from console.core.errors import Unavailable
from console.core.ticker import Ticker
from console.gateway.ledger import Ledger
from console.gateway.resilience.gate import ProviderGate
from console.gateway.snapshot import SnapshotKeeper


class Gateway:
    """The snapshot, the ledger's connections, the connections to providers, and their state."""

    def __init__(self) -> None:
        self.ticker = Ticker(asyncio.get_running_loop())
        self.snapshots = SnapshotKeeper()
        self.ledger = Ledger()
        self.provider_gate = ProviderGate()
        self.connections = outbound.connections()  # to providers
        self._refreshed = 0.0
        self._refreshing: asyncio.Task[None] | None = None

    def refresh_soon(self) -> None:
        """Look for a newer epoch in the background, at most once a second: for streams, which run for long."""
        moment = time.monotonic()
        if moment - self._refreshed < 1.0 or (self._refreshing is not None and not self._refreshing.done()):
            return
        self._refreshed = moment
        self._refreshing = asyncio.create_task(self._refresh())

    async def _refresh(self) -> None:
        snapshot = self.snapshots.current
        with suppress(psycopg.Error, Unavailable):
            if snapshot is not None and await self.ledger.epoch() != snapshot.epoch:
                await self.snapshots.newer_than(snapshot)


_gateways: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Gateway]" = weakref.WeakKeyDictionary()


class _Latest(threading.local):
    """The last loop this thread asked for and its gateway, cached: a call asks ten times, always for the same one."""

    loop: asyncio.AbstractEventLoop | None = None
    gateway: Gateway


_latest = _Latest()


def current_gateway() -> Gateway:
    """Return the running event loop's gateway."""
    loop = asyncio.get_running_loop()
    if _latest.loop is loop:
        return _latest.gateway
    gateway = _gateways.get(loop)
    if gateway is None:
        gateway = _gateways[loop] = Gateway()
    _latest.loop, _latest.gateway = loop, gateway
    return gateway


async def stop() -> None:
    """Write what has queued and close all connections of this event loop."""
    loop = asyncio.get_running_loop()
    gateway = _gateways.get(loop)
    if gateway is not None:
        await gateway.ledger.stop()
        await gateway.provider_gate.stop()
        gateway.ticker.stop()
        _gateways.pop(loop, None)
        _latest.loop = None
    await outbound.close()
