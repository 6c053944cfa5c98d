"""Follow a visitor's conversation: answers as they are written, and whatever is said by people.

No database connection is held while it waits. It ends when the widget is switched off, and when a stream's time is up.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import suppress

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import close_old_connections

from console.chat.embed.history import Turns, shown_turn, state_of, turns_after
from console.chat.embed.watching import Watched, watcher
from console.chat.events import event
from console.chat.markdown import Growing
from console.chat.models import Conversation, Message, Widget
from console.chat.stream import FRAME_SECONDS, aside, news, present
from console.core.sse import PING


async def frames(
    conversation: Conversation, widget: Widget, origin: str, network: str, last: uuid.UUID | None
) -> AsyncGenerator[bytes, None]:
    """Yield what is said after the turn `last`, as it is said. `origin` is the site the visitor's token is for."""
    await sync_to_async(close_old_connections)()
    ends_at = time.monotonic() + settings.GATEWAY_STREAM_SECONDS
    watched = await watcher().watch(conversation.pk, network)
    try:
        while time.monotonic() < ends_at:
            watched.news.clear()
            if origin not in watched.state.origins:
                yield event("off", {})
                return
            turns, state = await aside(lambda after=last: _look(conversation, after))  # type: ignore[misc]
            if not turns.is_whole:
                yield event("reset", {})
                return
            yield event("state", state)
            for turn in turns.turns:
                last = turn.pk
                async for frame in _turn(turn, widget, watched, origin):
                    yield frame
            while not watched.news.is_set() and time.monotonic() < ends_at:
                yield PING
                with suppress(TimeoutError):
                    await asyncio.wait_for(watched.news.wait(), settings.GATEWAY_HEARTBEAT_SECONDS)
    finally:
        watcher().leave(watched)


def _look(conversation: Conversation, last: uuid.UUID | None) -> tuple[Turns, dict[str, object]]:
    conversation = Conversation.objects.select_related("taken_by", "team").get(pk=conversation.pk)
    return turns_after(conversation, last), state_of(conversation)


async def _turn(turn: Message, widget: Widget, watched: Watched, origin: str) -> AsyncGenerator[bytes, None]:
    """Yield one turn; of an answer that is being written the words as they come, and the whole at its end."""
    yield event("turn", await aside(lambda: shown_turn(turn, widget)))
    if turn.status != Message.Status.WRITING:
        return
    async for frame in _words(turn.pk, watched, origin):
        yield frame
    if origin not in watched.state.origins:
        return
    ended = await aside(lambda: Message.objects.filter(pk=turn.pk).first())
    if ended is not None:
        yield event("turn", await aside(lambda: shown_turn(ended, widget)))


async def _words(message_id: uuid.UUID, watched: Watched, origin: str) -> AsyncGenerator[bytes, None]:
    growing, text_shown, is_first = Growing(), "", True
    said = time.monotonic()
    while origin in watched.state.origins:
        text, is_over = await present(message_id)
        if text != text_shown or is_first:
            whole, last = growing.feed(text)
            data = {"id": str(message_id), "fresh": is_first, "whole": whole, "last": last}
            yield event("text", data)
            text_shown, is_first, said = text, False, time.monotonic()
        if is_over:
            return
        if time.monotonic() - said > settings.GATEWAY_HEARTBEAT_SECONDS:
            said = time.monotonic()
            yield PING
        await asyncio.sleep(FRAME_SECONDS)
        await news(message_id, text_shown)
