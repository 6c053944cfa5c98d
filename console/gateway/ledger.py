"""Begin and close calls in the database, many at a time.

A batcher has no timer: whatever queued while the last batch was in progress goes into the next one, so a lone call
waits for nothing and a crowd shares its commits. Each process has one batcher to begin and one to close, on connections
of their own, which pages and tasks cannot exhaust.
"""

import asyncio
import datetime as dt
import logging
import os
import secrets
import socket
import time
import uuid
from contextlib import suppress
from functools import partial
from typing import Any, LiteralString

import orjson
import psycopg
from django.db import Error as DatabaseFault
from django.db import connections

from console.audit.models import Status
from console.core.cached_settings import settings
from console.core.clock import now
from console.core.errors import Unavailable
from console.gateway.batcher import Batcher
from console.gateway.connection import Connection
from console.gateway.entries import (
    BEGIN,
    CLOSE,
    Begin,
    Close,
    Verdict,
    begin_parameters,
    close_parameters,
    verdicts_of,
)
from console.gateway.errors import AnswerUnrecorded, DatabaseAway
from console.gateway.record import joined
from console.gateway.statement import Statement
from console.gateway.types import Counter
from console.teams import refusals
from console.teams.services.keys import touch

log = logging.getLogger(__name__)

# How long an end record is tried for while the database is away, before the sweeper has to write it.
CLOSE_PATIENCE = 60.0
# A batch of ends waits for the disk, with nothing locked. Where that takes long, those who came meanwhile go beside it
# and not after it.
_CLOSES_AT_ONCE = 3
_LONG_SECONDS = 0.005
_STOP_SECONDS = 1.0
_COUNTER_MISSING = "ZF001"
_MOST_COUNTERS = 100_000
_REFUSING_SECONDS = 30.0  # after the last call that could not be begun, while none comes that can

# A start is committed before anything is sent, but need not wait for the disk (docs/decisions/durable-starts.md).
_SOON_ON_DISK = "-c synchronous_commit=off"
# The statements' plans never depend on their parameters, and only ever look rows up by key.
_PLAN_OPTIONS = (
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
)


_refused_at = float("-inf")


def are_calls_refused() -> bool:
    """Return whether this process cannot record calls now, though PostgreSQL may answer: its disk may be full."""
    return time.monotonic() < _refused_at + _REFUSING_SECONDS


def _note_refusal(at: float) -> None:
    global _refused_at
    _refused_at = at


# Counters of quotas, and those of end users, by how many members say which they are.
_MAKE = (
    ("SELECT gateway_counters(%s::bigint[], %s::timestamptz[])", 2),
    ("SELECT gateway_end_user_counters(%s::bigint[], %s::timestamptz[], %s::text[])", 3),
)


async def _execute(statement: LiteralString, parameters: list[Any], connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.execute(statement, parameters)


async def _read_epoch(connection: psycopg.AsyncConnection[Any]) -> int:
    row = await (await connection.execute("SELECT value FROM audit_epoch WHERE id = 1")).fetchone()
    return int(row[0]) if row else 0


async def _read_status(id: uuid.UUID, connection: psycopg.AsyncConnection[Any]) -> str:
    row = await (await connection.execute("SELECT status FROM audit_event WHERE id = %s", [id])).fetchone()
    return str(row[0]) if row else ""


def _write_aside(used_keys: dict[uuid.UUID, dt.datetime]) -> None:
    """Write what no call waits for: when keys were last used, and refusals of strangers."""
    try:
        touch(used_keys)
        if refusals.is_due():
            refusals.flush()
    finally:
        connections.close_all()


class Ledger:
    """The gateway's book of one event loop."""

    def __init__(self) -> None:
        # Whose open calls are whose: unique forever, and telling for people.
        self.process = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        begins = _PLAN_OPTIONS if settings.GATEWAY_DURABLE_STARTS else f"{_PLAN_OPTIONS} {_SOON_ON_DISK}"
        self._begin_statement = Statement(Connection("begin", begins), BEGIN)
        self._close_statements = [Statement(Connection("close", _PLAN_OPTIONS), CLOSE) for _ in range(_CLOSES_AT_ONCE)]
        self._keep_connection = Connection("keep")
        self._counters: set[Counter] = set()  # known to be there
        self._begins = Batcher(
            self._run_begin, longest=settings.GATEWAY_QUEUE_LENGTH, abandoned=self._end_what_nobody_waits_for
        )
        closes = (partial(self._run_close, statement) for statement in self._close_statements)
        self._closes = Batcher(
            *closes, longest=settings.GATEWAY_QUEUE_LENGTH * 4, patience=CLOSE_PATIENCE, beside=_LONG_SECONDS
        )
        self._is_away = False
        self._keeper: asyncio.Task[None] | None = None
        # Both by an id's number: what a UUID hashes is asked of Python code each time.
        self._used_keys: dict[int, dt.datetime] = {}
        # The calls whose leases are renewed. One that was lost on the way is not here, so the sweeper ends it.
        self._open: set[int] = set()

    def start(self) -> None:
        """Begin to renew leases and to end what dead processes left; one that opens no call does the latter too."""
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep())

    async def begin(self, item: Begin) -> Verdict:
        """Admit one call, or record one refusal; raises DatabaseAway when it cannot be written."""
        self.start()
        if item.key_id is not None:
            self._used_keys[item.key_id.int] = item.at
        try:
            verdict = await self._begins.put(item)
        except psycopg.errors.ForeignKeyViolation:
            return Verdict(is_stale=True, refused_by=None, counted={})  # a quota of the plan was just removed
        except psycopg.Error as error:
            self._tell_away(error)
            raise DatabaseAway from error
        if self._is_away:
            self._is_away = False
            _note_refusal(float("-inf"))
            log.info("PostgreSQL is back; calls are taken again.")
        if verdict.refused_by is None and not verdict.is_stale and not item.is_refusal:
            self._open.add(item.id.int)
        return verdict

    def _tell_away(self, error: psycopg.Error) -> None:
        """Log once, and not for each call, that none can be taken; whatever else went wrong, each time."""
        reason = str(error).strip().partition("\n")[0]
        if not isinstance(error, psycopg.OperationalError):
            log.warning("A call could not be begun: %s: %s", type(error).__name__, reason)
            return
        _note_refusal(time.monotonic())
        if not self._is_away:
            self._is_away = True
            log.warning("PostgreSQL is away; calls are refused until it is back: %s", reason)

    async def close(self, item: Close) -> bool:
        """Write one end record; returns whether it was this call of `close` that wrote it.

        Cancelling whoever waits does not cancel the record: it is queued before the first pause.
        """
        self._open.discard(item.reservation.int)
        try:
            return await self._closes.put(item)
        except psycopg.Error as error:
            raise AnswerUnrecorded from error

    async def has_ended(self, id: uuid.UUID, status: str) -> bool:
        """Return whether a call's end on record is this one: a second attempt to write it finds the first one's."""
        try:
            return await self._keep_connection.run(partial(_read_status, id)) == status
        except psycopg.Error as error:
            raise AnswerUnrecorded from error

    def _end_what_nobody_waits_for(self, item: Begin, verdict: Verdict) -> None:
        """End a call that was admitted after its caller had left. Nothing was sent for it."""
        if verdict.is_stale or verdict.refused_by is not None or item.is_refusal:
            return
        end = {"closed_at": now(), "status": Status.CLIENT_DISCONNECTED.value, "prompt_tokens": 0, "cost_micros": 0}
        with suppress(Unavailable):
            self._closes.put(Close(item.id, joined(item.record, orjson.dumps(end)), item.charges, 0, 0))

    async def _run_begin(self, items: list[Begin]) -> list[Verdict]:
        parameters, first, counters = begin_parameters(items, self.process.encode(), settings.GATEWAY_LEASE_SECONDS)
        await self._make(counters)
        try:
            row = await self._begin_statement.run(parameters)
        except psycopg.DatabaseError as error:
            if error.diag.sqlstate != _COUNTER_MISSING:
                raise
            self._counters.difference_update(counters)  # pruned, or gone with a quota
            await self._make(counters)
            row = await self._begin_statement.run(parameters)
        return verdicts_of(row, first, counters)

    async def _make(self, counters: list[Counter]) -> None:
        """Make the counters that this process has not seen yet, before any is locked."""
        if self._counters.issuperset(counters):
            return
        new = [counter for counter in counters if counter not in self._counters]
        for call, length in _MAKE:
            if some := [counter for counter in new if len(counter) == length]:
                await self._keep_connection.run(partial(_execute, call, list(map(list, zip(*some, strict=True)))))
        if len(self._counters) > _MOST_COUNTERS:
            self._counters.clear()
        self._counters.update(new)

    @staticmethod
    async def _run_close(statement: Statement, items: list[Close]) -> list[bool]:
        row = await statement.run(close_parameters(items))
        return [row[0] == b"\1"] * len(items)

    async def _keep(self) -> None:
        """Renew the leases of this process's open calls, and end those of processes that died."""
        lease, turns = settings.GATEWAY_LEASE_SECONDS, 0
        while True:
            await asyncio.sleep(lease / 12)
            turns += 1
            try:
                connection = await self._keep_connection.get()
                if self._open:
                    await connection.execute(
                        "UPDATE usage_reservation SET expires_at = clock_timestamp() + make_interval(secs => %s)"
                        " WHERE id = ANY(%s) AND expires_at < clock_timestamp() + make_interval(secs => %s)",
                        (lease, [uuid.UUID(int=number) for number in self._open], lease * 3 / 4),
                    )
                if turns % 2 == 0:
                    await connection.execute("SELECT gateway_sweep(500)")
            except psycopg.Error as error:
                log.warning("Leases could not be renewed: %s", str(error).strip() or type(error).__name__)
            if self._used_keys or refusals.is_due():
                await self._note_aside()

    async def _note_aside(self) -> None:
        """Write what no call waits for; what cannot be written comes with the next turn."""
        used, self._used_keys = self._used_keys, {}
        try:
            await asyncio.to_thread(_write_aside, {uuid.UUID(int=number): at for number, at in used.items()})
        except DatabaseFault as error:
            self._used_keys = used | self._used_keys
            log.warning("When keys were last used could not be written: %s", type(error).__name__)

    async def epoch(self) -> int:
        """Read the present epoch; for what begins nothing, and for streams, which begin once and run for long."""
        try:
            return await self._keep_connection.run(_read_epoch)
        except psycopg.Error as error:
            raise DatabaseAway from error

    async def stop(self) -> None:
        """Finish what has queued and let go of the connections."""
        patience = time.monotonic() + _STOP_SECONDS
        while self._open and time.monotonic() < patience:  # calls cancelled a moment ago have yet to say how they ended
            await asyncio.sleep(0.01)
        await self._begins.drained()
        await self._closes.drained()
        if self._keeper is not None:
            self._keeper.cancel()
        for statement in (self._begin_statement, *self._close_statements):
            await statement.close()
        await self._keep_connection.close()
