"""Answers this process is writing, for pages of the same process that follow them.

Written on the gateway's thread, read on the web server's loop: plain attributes, and events set across loops.
"""

import asyncio
import time
import uuid
from contextlib import suppress

from console.gateway.types import Call


class Live:
    """One answer being written. `cut` ends it: `stopped` by a person, `refused` when access ended, `interrupted`."""

    def __init__(self, message_id: uuid.UUID) -> None:
        self.id = message_id
        self.text = ""
        self.kept = ""  # what the database has
        self.kept_at = time.monotonic()
        self.cut_as = ""
        self.is_over = False
        self.call: Call | None = None
        self.task: asyncio.Task[None] | None = None
        self.loop = asyncio.get_running_loop()
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def add(self, words: str) -> None:
        # PostgreSQL's text has no NUL; nobody could read one either.
        self.text += words.replace("\x00", "")
        self._tell()

    def finish(self) -> None:
        self.is_over = True
        self._tell()

    def _tell(self) -> None:
        for loop, event in tuple(self._listeners):
            if event.is_set():  # told already, and not looked yet
                continue
            with suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(event.set)

    def cut(self, status: str) -> None:
        """End it from any thread; the first reason counts."""
        if self.task is not None and not self.cut_as:
            self.cut_as = status
            if self.call is not None:  # what the log says of it
                self.call.has_client_left = status == "stopped"
                self.call.cut_off = "access_ended" if status == "refused" else ""
            with suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self.task.cancel)

    def listen(self, loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
        """Have an event of a loop set with every change, until it is given to `leave`."""
        self._listeners.add((loop, event))

    def leave(self, loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
        self._listeners.discard((loop, event))


BEING_WRITTEN: dict[uuid.UUID, Live] = {}
