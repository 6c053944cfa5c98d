"""Notice changes of conversations that visitors have open, with one query a second for all of them.

The process that writes an answer tells its own streams at once (live.py). What comes from elsewhere is found here: a
person of the team who writes, a widget that is switched off, a site taken off its list.
"""

import asyncio
import uuid
import weakref
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import Error

from console.chat.models import Conversation
from console.core.connections import in_thread

SECONDS = 1.0
# Streams one conversation, and one network, may have at once in one process: tabs and offices, not a flood.
MOST, MOST_OF_NETWORK = 8, 250


@dataclass(frozen=True, slots=True)
class State:
    """What of a conversation makes a stream look again."""

    leaf: uuid.UUID | None
    status: str
    taken_by: uuid.UUID | None
    is_wanted: bool
    origins: tuple[str, ...]  # empty: nobody may read it any more
    identity_secret: str = ""  # as it is kept: another one ends what came of it
    needs_identity: bool = False


@dataclass(slots=True, eq=False)
class Watched:
    """One stream's view of its conversation; `news` is set when `state` changed."""

    conversation_id: uuid.UUID
    state: State
    network: str = ""
    news: asyncio.Event = field(default_factory=asyncio.Event)


_NOBODY = State(None, "", None, False, ())


def states_of(conversation_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, State]:
    """Return the states of conversations as they are now; those that are gone are not there."""
    open_ = Conversation.objects.filter(pk__in=list(conversation_ids), deleted_at=None, team__archived_at=None)
    rows = open_.filter(widget__is_enabled=True, widget__deleted_at=None).values_list(
        "pk", "leaf_id", "leaf__status", "taken_by_id", "person_wanted_at", "widget__origins",
        "widget__identity_secret", "widget__needs_identity",
    )  # fmt: skip
    return {
        pk: State(leaf, status or "", taken_by, wanted_at is not None, tuple(origins), secret, needs_identity)
        for pk, leaf, status, taken_by, wanted_at, origins, secret, needs_identity in rows
    }


class Watcher:
    """Looks after the streams of one event loop, as long as there are any."""

    def __init__(self) -> None:
        self.watched: defaultdict[uuid.UUID, set[Watched]] = defaultdict(set)
        self.networks: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None

    async def watch(self, conversation_id: uuid.UUID, network: str = "") -> Watched:
        """Begin to watch a conversation; give what this returns to `leave` afterwards."""
        one = Watched(conversation_id, _NOBODY, network)
        self.watched[conversation_id].add(one)
        self.networks[network] += 1
        try:
            one.state = (await in_thread(lambda: states_of([conversation_id]))).get(conversation_id, _NOBODY)
        except BaseException:
            self.leave(one)
            raise
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        return one

    def leave(self, one: Watched) -> None:
        mine = self.watched.get(one.conversation_id, set())
        if one in mine:
            mine.discard(one)
            self.networks[one.network] -= 1
        if not mine:
            self.watched.pop(one.conversation_id, None)
        if self.networks[one.network] <= 0:
            self.networks.pop(one.network, None)

    async def _look(self) -> None:
        while self.watched:
            await asyncio.sleep(SECONDS)
            ids = list(self.watched)
            try:
                states = await in_thread(lambda ids=ids: states_of(ids))  # type: ignore[misc]
            except Error:  # the database is away: streams stay as they are until it is back
                continue
            for conversation_id in ids:
                state = states.get(conversation_id, _NOBODY)
                for one in tuple(self.watched.get(conversation_id, ())):
                    if one.state != state:
                        one.state = state
                        one.news.set()


_watchers: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Watcher]" = weakref.WeakKeyDictionary()


def watcher() -> Watcher:
    """Return the watcher of the running loop."""
    loop = asyncio.get_running_loop()
    if loop not in _watchers:
        _watchers[loop] = Watcher()
    return _watchers[loop]


def has_room(conversation_id: uuid.UUID, network: str) -> bool:
    """Return whether a conversation, and a network, may have one more stream in this process."""
    watchers = tuple(_watchers.values())
    mine = sum(len(one.watched.get(conversation_id, ())) for one in watchers)
    return mine < MOST and sum(one.networks[network] for one in watchers) < MOST_OF_NETWORK
