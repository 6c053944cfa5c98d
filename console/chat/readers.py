"""Readers of answers that are being written. What a thousand of them would each query is queried once for all.

Words of this process come by its memory (live.py). Two questions are left for the database, and one task of each event
loop puts them for all its readers: what other processes wrote, and whether everybody may still read, in a session that
is still open.
"""

import asyncio
import datetime as dt
import time
import uuid
import weakref
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from django.db import Error
from django.db.models.functions import Length

from console.chat import access
from console.chat.live import BEING_WRITTEN, Live
from console.chat.models import Message
from console.core.clock import now
from console.core.connections import in_thread
from console.teams.signed_in import open_sessions

_ROWS_SECONDS, RIGHTS_SECONDS = 0.6, 3.0
# A frame costs half a millisecond or so, for the block being written is rendered again. However many read, a process
# makes at most so many: a thousand readers get theirs less often, and leave the processor to everybody else.
_SECONDS_A_FRAME = 0.003


class Seen(NamedTuple):
    """What there is of an answer, and whether it is over."""

    text: str
    is_over: bool


_GONE = Seen("", True)


class Reader:
    """Somebody who follows one answer, in a session. `user_id` is None where others see to it who may read."""

    def __init__(
        self, message_id: uuid.UUID, conversation_id: uuid.UUID, user_id: uuid.UUID | None, session: str
    ) -> None:
        self.message_id, self.conversation_id, self.user_id = message_id, conversation_id, user_id
        self.session = session
        self.may_read = True
        self.change = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._live: Live | None = None
        self.row: Seen | None = None  # of an answer that is written elsewhere

    @property
    def is_elsewhere(self) -> bool:
        """Return whether another process writes the answer, as far as anybody does."""
        return self._live is None and self.row is not None and not self.row.is_over

    async def present(self) -> Seen:
        """Return what there is now."""
        if live := BEING_WRITTEN.get(self.message_id):
            if self._live is None:
                self._live = live
                live.listen(self._loop, self.change)
            return Seen(live.text, False)
        if self._live is not None:  # it ended a moment ago, and its row has all of it
            self.leave()
            self.row = None
        if self.row is None:
            found = await in_thread(lambda: _rows([self.message_id]))
            self.row = found.get(self.message_id, _GONE)
        return self.row

    @property
    def goes_on(self) -> bool:
        """Return whether more may come, and be read."""
        return self.may_read and not (self._live.is_over if self._live else self.row is None or self.row.is_over)

    async def wait(self, shown: str, seconds: float) -> bool:
        """Wait, at most so long, until there is more than `shown` or the end is reached; return whether it is."""
        self.change.clear()
        current = self._live.text if self._live else self.row.text if self.row else ""
        if current != shown or not self.goes_on:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self.change.wait()
        return False

    def leave(self) -> None:
        if self._live is not None:
            self._live.leave(self._loop, self.change)
            self._live = None


def _rows(message_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Seen]:
    rows = Message.objects.filter(pk__in=list(message_ids)).values_list("pk", "text", "status", "lease_until")
    return {pk: Seen(text, _is_over(status, lease)) for pk, text, status, lease in rows}


def _is_over(status: str, lease: dt.datetime | None) -> bool:
    return status != Message.Status.WRITING or (lease is not None and lease < now())


def _changed(known: dict[uuid.UUID, Seen]) -> dict[uuid.UUID, Seen]:
    """Return the answers of which there is more than is known, or the end."""
    rows = Message.objects.filter(pk__in=list(known)).annotate(size=Length("text"))
    states = list(rows.values_list("pk", "size", "status", "lease_until"))
    moved = [pk for pk, size, status, lease in states if size != len(known[pk].text) or _is_over(status, lease)]
    gone = dict.fromkeys(known.keys() - {state[0] for state in states}, _GONE)
    return gone | (_rows(moved) if moved else {})


class Readers:
    """All readers of one event loop."""

    def __init__(self) -> None:
        self._readers: set[Reader] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._next_frame = 0.0

    @asynccontextmanager
    async def reading(
        self, message_id: uuid.UUID, conversation_id: uuid.UUID, user_id: uuid.UUID | None = None, session: str = ""
    ) -> AsyncGenerator[Reader, None]:
        """Follow an answer; with `user_id`, as long as that person may read the conversation and is in the session."""
        reader = Reader(message_id, conversation_id, user_id, session)
        self._readers.add(reader)
        if not self._tasks or any(task.done() for task in self._tasks):
            for task in self._tasks:
                task.cancel()
            self._tasks = [asyncio.create_task(work()) for work in (self._look_at_rows, self._look_at_rights)]
        try:
            yield reader
        finally:
            self._readers.discard(reader)
            reader.leave()

    def pause(self) -> float:
        """Return how long the next frame of a reader has to wait for those of others."""
        moment = time.monotonic()
        self._next_frame = max(moment, self._next_frame) + _SECONDS_A_FRAME
        return self._next_frame - moment

    async def _look_at_rows(self) -> None:
        while self._readers:
            await asyncio.sleep(_ROWS_SECONDS)
            elsewhere = [reader for reader in self._readers if reader.is_elsewhere]
            if not elsewhere:
                continue
            known = {reader.message_id: reader.row for reader in elsewhere if reader.row is not None}
            with suppress(Error):  # the database is away: everything stays as it is until it is back
                changed = await in_thread(lambda known=known: _changed(known))  # type: ignore[misc]
                for reader in elsewhere:
                    if (seen := changed.get(reader.message_id)) and reader.is_elsewhere:
                        reader.row = seen
                        reader.change.set()

    async def _look_at_rights(self) -> None:
        while self._readers:
            await asyncio.sleep(RIGHTS_SECONDS)
            asked = [reader for reader in self._readers if reader.user_id is not None]
            pairs = {(reader.user_id, reader.conversation_id) for reader in asked if reader.user_id is not None}
            if not pairs:
                continue
            sessions = {reader.session for reader in asked}
            with suppress(Error):
                allowed = await in_thread(lambda pairs=pairs: access.who_may_read(pairs))  # type: ignore[misc]
                open_ = await in_thread(lambda sessions=sessions: open_sessions(sessions))  # type: ignore[misc]
                for reader in asked:
                    if (reader.user_id, reader.conversation_id) not in allowed or reader.session not in open_:
                        reader.may_read = False
                        reader.change.set()


_readers: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Readers]" = weakref.WeakKeyDictionary()


def readers() -> Readers:
    """Return the readers of the running loop."""
    loop = asyncio.get_running_loop()
    if loop not in _readers:
        _readers[loop] = Readers()
    return _readers[loop]
