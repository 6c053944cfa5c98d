"""What the pipeline keeps per event loop while it runs."""

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
from console.gateway.resilience.passage import Passage
from console.gateway.snapshot import SnapshotKeeper


class Gateway:
    """The snapshot, the ledger's connections, and what is known of providers."""

    def __init__(self) -> None:
        self.ticker = Ticker(asyncio.get_running_loop())
        self.snapshots = SnapshotKeeper()
        self.ledger = Ledger()
        self.passage = Passage()
        self.connections = outbound.connections()  # to providers
        self._refreshed = 0.0
        self._refreshing: asyncio.Task[None] | None = None

    def refresh_soon(self) -> None:
        """Look for a newer epoch, at most once a second; for streams, which begin once and then run for long."""
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


class _Here(threading.local):
    """The loop this thread asked for last and its gateway: a call asks ten times, and always for the same one."""

    loop: asyncio.AbstractEventLoop | None = None
    gateway: Gateway


_here = _Here()


def gateway() -> Gateway:
    """Return the running event loop's gateway."""
    loop = asyncio.get_running_loop()
    if _here.loop is loop:
        return _here.gateway
    found = _gateways.get(loop)
    if found is None:
        found = _gateways[loop] = Gateway()
    _here.loop, _here.gateway = loop, found
    return found


async def stop() -> None:
    """Write what has queued and close all connections of this event loop."""
    loop = asyncio.get_running_loop()
    found = _gateways.get(loop)
    if found is not None:
        await found.ledger.stop()
        await found.passage.stop()
        found.ticker.stop()
        _gateways.pop(loop, None)
        _here.loop = None
    await outbound.close()
