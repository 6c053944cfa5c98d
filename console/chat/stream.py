"""Follow an answer while it is written: word by word if this process writes it, else from its row.

No database connection is held while it waits. Whoever comes back after a break is told everything so far.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import close_old_connections

from console.chat.events import event
from console.chat.markdown import Growing
from console.chat.readers import Reader, readers
from console.core.sse import PING, let_thread_go

# Between two frames at least this long: eyes see no more. Beside many readers it is longer (readers.py).
FRAME_SECONDS = 0.12
# A model may write one block without an end. What takes long to render is rendered less often, and not in the loop.
_LONG_BLOCK, _REST = 4_000, 5


async def frames(
    message_id: uuid.UUID, conversation_id: uuid.UUID, user_id: uuid.UUID, session: str
) -> AsyncGenerator[bytes, None]:
    """Yield the frames of one answer until it ends, the person may not read on, or a stream's time is over."""
    # Signing in took a connection of this request's thread; it would stay taken for as long as the model talks.
    await sync_to_async(close_old_connections)()
    let_thread_go()
    ends_at = time.monotonic() + settings.GATEWAY_STREAM_SECONDS
    async with (
        readers().reading(message_id, conversation_id, user_id, session) as reader,
        aclosing(words(reader, settings.GATEWAY_HEARTBEAT_SECONDS)) as found,
    ):
        async for grown in found:
            if not reader.may_read or time.monotonic() > ends_at:
                return
            yield event("text", grown) if grown else PING
        yield event("end", {})


async def words(reader: Reader, seconds: float) -> AsyncGenerator[dict[str, object] | None, None]:
    """Yield what an answer grew by, until it is over; None when `seconds` passed without a word, or reading ended."""
    growing, shown, is_first, framed, took = Growing(), "", True, 0.0, 0.0
    while True:
        text, is_over = await reader.present()
        if text != shown or is_first:
            began = time.monotonic()
            whole, last = await _fed(growing, text)
            yield {"fresh": is_first, "whole": whole, "last": last}
            shown, is_first, framed = text, False, time.monotonic()
            took = framed - began
        elif not is_over:
            yield None
        if is_over:
            return
        # The first words come at once, and so does the end.
        if await reader.wait(shown, seconds) and shown and reader.goes_on:
            pause = max(FRAME_SECONDS, took * _REST)
            await asyncio.sleep(max(framed + pause - time.monotonic(), readers().pause()))


async def _fed(growing: Growing, text: str) -> tuple[str, str]:
    """Render what an answer grew by; a long block, which is rendered again each time, beside the event loop."""
    if len(text) - growing.done > _LONG_BLOCK:
        return await asyncio.to_thread(growing.feed, text)
    return growing.feed(text)
