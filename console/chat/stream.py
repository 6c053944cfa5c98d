"""Follow an answer that is being written: words as they come when this process writes it, else from its row.

No database connection is held while it waits. Whoever comes back after a break is told everything so far.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeVar

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import close_old_connections, connections

from console.chat.events import event
from console.chat.live import BEING_WRITTEN, Live
from console.chat.markdown import Growing
from console.chat.models import Message
from console.core.clock import now
from console.core.sse import PING

_Result = TypeVar("_Result")

# Between two frames at least this long: eyes see no more, and each one renders the block being written. Beside many
# other readers of this process it is longer, so that a thousand of them leave the processor to others as well.
FRAME_SECONDS, FRAME_SECONDS_AT_MOST = 0.12, 5.0
_FRAME_SECONDS_PER_READER = 0.004
_POLL_SECONDS = 0.6
# How often it is asked whether the reader may still read; of very many readers a hundred a second.
_RIGHTS_SECONDS, _RIGHTS_SECONDS_PER_READER = 4.0, 0.01


async def frames(message_id: uuid.UUID, may_read: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
    """Yield the frames of one answer until it ends, the reader may not read on, or a stream's time is over."""
    reader = object()
    _READERS.add(reader)
    try:
        async with aclosing(_frames(message_id, may_read)) as found:
            async for frame in found:
                yield frame
    finally:
        _READERS.discard(reader)


_READERS: set[object] = set()


def pause() -> float:
    """Return how long to wait between two frames, by how many read along in this process."""
    return min(FRAME_SECONDS_AT_MOST, max(FRAME_SECONDS, _FRAME_SECONDS_PER_READER * len(_READERS)))


async def _frames(message_id: uuid.UUID, may_read: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
    # Signing in took a connection of this request's thread; it would stay taken for as long as the model talks.
    await sync_to_async(close_old_connections)()
    growing, shown, is_first = Growing(), "", True
    began = asked = said = time.monotonic()
    while True:
        text, is_over = await present(message_id)
        if text != shown or is_first:
            whole, last = growing.feed(text)
            yield event("text", {"fresh": is_first, "whole": whole, "last": last})
            shown, is_first, said = text, False, time.monotonic()
        if is_over:
            yield event("end", {})
            return
        moment = time.monotonic()
        if moment - began > settings.GATEWAY_STREAM_SECONDS:
            return
        if moment - asked > max(_RIGHTS_SECONDS, _RIGHTS_SECONDS_PER_READER * len(_READERS)):
            asked = moment
            if not await aside(may_read):
                return
        if moment - said > settings.GATEWAY_HEARTBEAT_SECONDS:
            said = moment
            yield PING
        # The first words come at once.
        await asyncio.sleep(pause() if shown else FRAME_SECONDS)
        await news(message_id, shown)


async def present(message_id: uuid.UUID) -> tuple[str, bool]:
    """Return what there is of an answer, and whether it is over."""
    if live := BEING_WRITTEN.get(message_id):
        return live.text, False
    return await aside(lambda: _row(message_id))


def _row(message_id: uuid.UUID) -> tuple[str, bool]:
    row = Message.objects.filter(pk=message_id).values_list("text", "status", "lease_until").first()
    if row is None:
        return "", True
    text, status, lease = row
    return text, status != Message.Status.WRITING or (lease is not None and lease < now())


async def news(message_id: uuid.UUID, shown: str) -> None:
    """Wait for more than is shown: for the writer of this process, or a while when another one writes."""
    live = BEING_WRITTEN.get(message_id)
    if live is None:
        await asyncio.sleep(_POLL_SECONDS)
        return
    await _change(live, shown)


async def _change(live: Live, shown: str) -> None:
    change = live.listen()
    try:
        if live.text == shown and not live.is_over:
            async with asyncio.timeout(1.0):
                await change.wait()
    except TimeoutError:
        pass
    finally:
        live.leave(change)


async def aside(ask: Callable[[], _Result]) -> _Result:
    """Ask the database in a thread of its own, and give the connection back at once."""

    def work() -> _Result:
        try:
            return ask()
        finally:
            connections.close_all()

    return await sync_to_async(work, thread_sensitive=False)()
