"""Stream a visitor's conversation: answers while they are written, and messages of people.

No database connection is held while it waits. It ends when the widget is switched off, when its secret is
not the one a visitor was vouched with, and when a stream's time is up.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import close_old_connections

from console.chat.embed.changes import Watched, watcher
from console.chat.embed.history import Turns, shown_turn, state_of, turns_after
from console.chat.embed.tokens import Pass
from console.chat.events import event
from console.chat.models import Conversation, Message, Widget
from console.chat.readers import readers
from console.chat.stream import words
from console.core.connections import in_thread
from console.core.sse import PING, let_thread_go

# Between two looks at whether the widget still answers this site, while a model says nothing.
_LOOK_SECONDS = 2.0


async def frames(
    conversation: Conversation, widget: Widget, token_pass: Pass, network: str, last: uuid.UUID | None
) -> AsyncGenerator[bytes, None]:
    """Yield what is said after the turn `last`, as it is said, to whom the token names."""
    await sync_to_async(close_old_connections)()
    let_thread_go()
    ends_at = time.monotonic() + settings.GATEWAY_STREAM_SECONDS
    watched = await watcher().watch(conversation.pk, network)
    try:
        while time.monotonic() < ends_at:
            watched.news.clear()
            if token_pass.origin not in watched.state.origins:
                yield event("off", {})
                return
            if not _may_read(watched, widget, token_pass):
                return  # whoever comes back is asked for a new token
            turns, state = await in_thread(lambda after=last: _look(conversation, after))  # type: ignore[misc]
            if not turns.is_whole:
                yield event("reset", {})
                return
            yield event("state", state)
            for turn in turns.turns:
                last = turn.pk
                async for frame in _turn(turn, widget, watched, token_pass):
                    yield frame
            while not watched.news.is_set() and time.monotonic() < ends_at:
                yield PING
                with suppress(TimeoutError):
                    await asyncio.wait_for(watched.news.wait(), settings.GATEWAY_HEARTBEAT_SECONDS)
    finally:
        watcher().leave(watched)


def _may_read(watched: Watched, widget: Widget, token_pass: Pass) -> bool:
    """Return whether the widget still answers the site, and whether the token still names whom it did.

    `widget` is as it was when the token was read.
    """
    state = watched.state
    is_known = state.identity_secret == widget.identity_secret if token_pass.identity else not state.needs_identity
    return token_pass.origin in state.origins and is_known


def _look(conversation: Conversation, last: uuid.UUID | None) -> tuple[Turns, dict[str, object]]:
    conversation = Conversation.objects.select_related("taken_by", "team").get(pk=conversation.pk)
    return turns_after(conversation, last), state_of(conversation)


async def _turn(turn: Message, widget: Widget, watched: Watched, token_pass: Pass) -> AsyncGenerator[bytes, None]:
    """Yield one turn; of an answer that is being written the words as they come, and the whole at its end."""
    yield event("turn", await in_thread(lambda: shown_turn(turn, widget)))
    if turn.status != Message.Status.WRITING:
        return
    async for frame in _words(turn, widget, watched, token_pass):
        yield frame
    if not _may_read(watched, widget, token_pass):
        return
    ended = await in_thread(lambda: Message.objects.filter(pk=turn.pk).first())
    if ended is not None:
        yield event("turn", await in_thread(lambda: shown_turn(ended, widget)))


async def _words(turn: Message, widget: Widget, watched: Watched, token_pass: Pass) -> AsyncGenerator[bytes, None]:
    said = time.monotonic()
    async with (
        readers().reading(turn.pk, turn.conversation_id) as reader,
        aclosing(words(reader, _LOOK_SECONDS)) as found,
    ):
        async for grown in found:
            if not _may_read(watched, widget, token_pass):
                return
            if grown:
                yield event("text", {"id": str(turn.pk), **grown})
            elif time.monotonic() - said > settings.GATEWAY_HEARTBEAT_SECONDS:
                yield PING
            else:
                continue
            said = time.monotonic()
