"""Watch a long call: whether the client is still there, the stream is silent, and the key is still valid.

Most calls are over before the first look and pay one tick. From then on a listener waits for the client to leave, and
every second the rest is checked.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from console.api.v1.request import Receive
from console.api.v1.waits import until_left
from console.core.cached_settings import settings
from console.core.ticker import Ticker
from console.gateway.continuation import may_continue
from console.gateway.types import Call

FIRST_LOOK_SECONDS = 0.5
_LOOK_SECONDS = 1.0


class Watch:
    """Cancels the request's task when the call must end; `call.cut_off` then says why, empty for a client that left."""

    # What most calls are over before, so that they do not pay for writing it.
    call: Call | None = None
    sending_since = 0.0
    is_cut = False
    _heartbeat: Callable[[], Coroutine[Any, Any, None]] | None = None
    _listener: asyncio.Task[None] | None = None
    _beat: asyncio.Task[None] | None = None

    def __init__(self, receive: Receive, ticker: Ticker) -> None:
        self._ticker = ticker
        task = asyncio.current_task(ticker.loop)
        assert task is not None
        self._task = task
        self._receive = receive
        self._due = ticker.call_later(FIRST_LOOK_SECONDS, self._look)
        self.last_sent = time.monotonic()

    def on_silence(self, heartbeat: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have `heartbeat` called whenever nothing has been sent for a while."""
        self._heartbeat = heartbeat

    def _look(self) -> None:
        self._due = self._ticker.call_later(_LOOK_SECONDS, self._look)
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen())
        moment = time.monotonic()
        if self.sending_since and moment - self.sending_since > settings.GATEWAY_WRITE_SECONDS:
            self._cut("")  # a reader this slow is as good as gone
        elif self.call is not None and not may_continue(self.call):
            self._cut("access_ended")
        elif (
            self._heartbeat is not None
            and not self.sending_since
            and moment - self.last_sent > settings.GATEWAY_HEARTBEAT_SECONDS
            and (self._beat is None or self._beat.done())
        ):
            self.last_sent = moment
            self._beat = asyncio.create_task(self._heartbeat())

    async def _listen(self) -> None:
        await until_left(self._receive)
        self._cut("")

    def _cut(self, why: str) -> None:
        if self.is_cut:
            return
        self.is_cut = True
        if self.call is not None:
            self.call.cut_off, self.call.has_client_left = why, not why
        self._task.cancel()

    def stop(self) -> None:
        self._due.discard(self._look)
        self._heartbeat = None  # it is a method of who holds this; the circle would be left to the collector
        if self._listener is None:  # it never looked
            return
        for task in (self._listener, self._beat):
            if task is not None and not task.done():
                task.cancel()
