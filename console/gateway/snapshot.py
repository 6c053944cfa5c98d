"""What calls are planned from: keys, people, pins, prices and quotas in memory, with their epoch.

Nothing here expires. `begin` compares the epoch in the database with the one a plan was made under and refuses a stale
plan; then the snapshot is loaded again and the plan is made again. So a revoked key or a moved pin holds from the next
call on, in every process, and a warm call asks the database nothing beforehand.
"""

import asyncio
import uuid
from dataclasses import dataclass, field

import psycopg
from django.db import Error, close_old_connections, transaction

from console.audit.models import Epoch
from console.catalog.shapes import AliasShape, VersionShape, alias_shapes, version_shapes
from console.gateway.agents import Agents, agent_shapes
from console.gateway.errors import DatabaseAway
from console.gateway.types import Asker
from console.gateway.widgets import Widgets, widget_shapes
from console.teams.shapes import KeyShape, PersonShape, TeamShape, key_shapes, people_shapes, team_shapes
from prompts_app.shapes import Library, library
from usage_app.shapes import QuotaShape, quota_shapes


@dataclass(frozen=True, slots=True)
class Snapshot:
    epoch: int
    teams: dict[uuid.UUID, TeamShape]
    keys: dict[bytes, KeyShape]
    keys_by_id: dict[uuid.UUID, KeyShape]
    versions: dict[uuid.UUID, VersionShape]
    versions_by_label: dict[str, VersionShape]
    aliases: dict[str, AliasShape]
    quotas: dict[uuid.UUID, tuple[QuotaShape, ...]]
    prompts: Library = field(default_factory=lambda: Library(0, {}))
    people: dict[uuid.UUID, PersonShape] = field(default_factory=dict)
    agents: Agents = field(default_factory=dict)
    widgets: Widgets = field(default_factory=dict)
    closed_teams: frozenset[uuid.UUID] = frozenset()
    askers: dict[bytes, Asker] = field(default_factory=dict)  # by digest, the keys that called under this epoch


def load(before: Snapshot | None = None) -> Snapshot:
    """Read everything there is to know, each table as it is when its turn comes.

    The epoch is read first. What changes meanwhile has a newer one: at worst a plan made of this is refused, and made
    again. Prompts are many and seldom change, so of these only what changed since `before` is read.
    """
    with transaction.atomic():
        epoch = Epoch.objects.values_list("value", flat=True).get(pk=1)
        teams = team_shapes()
        keys = key_shapes(teams)
        people = people_shapes()
        versions = version_shapes()
        aliases = alias_shapes(versions)
        quotas = quota_shapes()
        prompts = library(epoch, before.prompts if before else None)
        agents = agent_shapes()
        widgets = widget_shapes()
    return Snapshot(
        epoch=epoch,
        teams=teams,
        keys=keys,
        keys_by_id={key.id: key for key in keys.values()},
        versions=versions,
        versions_by_label={v.label: v for v in versions.values()},
        aliases=aliases,
        quotas=quotas,
        prompts=prompts,
        people=people,
        agents=agents,
        widgets=widgets,
        closed_teams=frozenset(team.id for team in teams.values() if not team.is_open),
    )


def _load_in_thread(before: Snapshot | None) -> Snapshot:
    close_old_connections()
    try:
        return load(before)
    finally:
        close_old_connections()


class SnapshotKeeper:
    """Holds the snapshot of one event loop and loads it again when somebody finds it stale."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._loading: asyncio.Task[Snapshot] | None = None

    @property
    def current(self) -> Snapshot | None:
        return self._snapshot

    async def get(self) -> Snapshot:
        return self._snapshot or await self.newer_than(None)

    async def newer_than(self, stale: Snapshot | None) -> Snapshot:
        """Return a snapshot read after `stale` was; callers that find the same one stale share one reading.

        A reading that was in progress when the caller found out may have begun before the change, so its result counts
        only if its epoch differs; otherwise one more reading follows.
        """
        while True:
            snapshot, shared = self._snapshot, self._loading
            if snapshot is not None and (stale is None or snapshot.epoch > stale.epoch):
                return snapshot
            is_mine = shared is None
            if shared is None:
                shared = self._loading = asyncio.create_task(asyncio.to_thread(_load_in_thread, self._snapshot))
                shared.add_done_callback(self._loaded)
            try:
                loaded = await asyncio.shield(shared)
            except (Error, psycopg.Error) as error:
                raise DatabaseAway from error
            if is_mine or stale is None or loaded.epoch != stale.epoch:
                return loaded

    def _loaded(self, task: asyncio.Task[Snapshot]) -> None:
        self._loading = None
        if not task.cancelled() and task.exception() is None:
            self._snapshot = task.result()
