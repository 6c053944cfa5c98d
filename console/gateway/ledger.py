"""Begin and close calls in the database, many at a time.

A batcher has no timer: whatever queued while the last batch was under way goes into the next one, so a lone call waits
for nothing and a crowd shares its commits. Each process has one batcher to begin and one to close, on connections of
their own, which pages and tasks cannot exhaust.
"""

import asyncio
import datetime as dt
import logging
import os
import secrets
import socket
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import orjson
import psycopg
from django.conf import settings
from django.db import Error as DatabaseFault
from django.db import connections
from psycopg.types.json import Jsonb

from console.audit.models import Status
from console.audit.redaction import PreparedPayload
from console.core.clock import now
from console.core.errors import Unavailable
from console.gateway.batcher import Batcher
from console.gateway.connection import Connection
from console.gateway.errors import AnswerUnrecorded, DatabaseAway
from console.gateway.types import Charge
from console.teams import refusals
from console.teams.services.keys import touch

log = logging.getLogger(__name__)

# How long an end record is tried for while the database is away, before the sweeper has to write it.
CLOSE_PATIENCE = 60.0
_STOP_SECONDS = 1.0


class Begin(NamedTuple):
    """One call to admit, or one refusal to record (`is_refusal`, no charges)."""

    epoch: int
    record: dict[str, Any]
    charges: tuple[Charge, ...] = ()
    is_refusal: bool = False
    input: PreparedPayload | None = None
    # For each charge, the members its refusal adds to the record, as JSON.
    refusals: tuple[str, ...] = ()


class Verdict(NamedTuple):
    """`is_stale`, or admitted when `refused_by` is None; `counted` is used + reserved per counter after the batch."""

    is_stale: bool
    refused_by: int | None
    counted: dict[tuple[int, dt.datetime], int]


class Close(NamedTuple):
    """The end of one call: its whole audit row, and what to settle."""

    record: dict[str, Any]
    tokens: int
    cost_micros: int
    output: PreparedPayload | None = None
    # The id of the reservation to settle, where the record has another: an attempt's, while its request goes on.
    reservation: uuid.UUID | None = None

    @property
    def call(self) -> uuid.UUID:
        return self.reservation or self.record["id"]


_BEGIN = (
    "SELECT * FROM gateway_begin(%t::bigint[], %t::uuid[], %t::uuid[], %t::boolean[], %b::text[], %t::integer[],"
    " %t::integer[], %b::text[], %t::integer[], %t::bytea[], %t::boolean[], %t::smallint[],"
    " %t, make_interval(secs => %t), %t::bigint[], %t::timestamptz[], %t::text[], %t::bigint[], %t::bigint[],"
    " %b::text[])"
)
_CLOSE = (
    "SELECT gateway_close(%b::jsonb, %t::uuid[], %t::bigint[], %t::bigint[], %b::text[], %t::integer[], %t::bytea[],"
    " %t::boolean[], %t::smallint[])"
)


def _array(values: Iterable[object]) -> str:
    """Return an array literal of numbers, ids or truths: many times cheaper than having the driver make one."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def _moments(values: Iterable[dt.datetime]) -> str:
    return "{" + ",".join([value.isoformat() for value in values]) + "}"


def _digests(values: Iterable[bytes | None]) -> str:
    return "{" + ",".join(["NULL" if value is None else f'"\\\\x{value.hex()}"' for value in values]) + "}"


def _json(value: dict[str, Any]) -> str:
    return orjson.dumps(value).decode()


async def _read_epoch(connection: psycopg.AsyncConnection[Any]) -> int:
    row = await (await connection.execute("SELECT value FROM audit_epoch WHERE id = 1")).fetchone()
    return int(row[0]) if row else 0


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
        # Whose open calls are whose: unique for ever, and telling for people.
        self.process = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._begin_connection, self._close_connection = Connection("begin"), Connection("close")
        self._keep_connection = Connection("keep")
        self._begins = Batcher(
            self._run_begin, longest=settings.GATEWAY_QUEUE_LENGTH, abandoned=self._end_what_nobody_waits_for
        )
        self._closes = Batcher(self._run_close, longest=settings.GATEWAY_QUEUE_LENGTH * 4, patience=CLOSE_PATIENCE)
        self._keeper: asyncio.Task[None] | None = None
        self._used_keys: dict[uuid.UUID, dt.datetime] = {}
        # The calls whose leases are renewed. One that was lost on the way is not here, so the sweeper ends it.
        self._open: set[uuid.UUID] = set()

    async def begin(self, item: Begin) -> Verdict:
        """Admit one call, or record one refusal; raises DatabaseAway when it cannot be written."""
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep())
        key_id = item.record.get("key_id")
        if key_id is not None and not item.is_refusal:
            self._used_keys[key_id] = item.record["at"]
        try:
            verdict = await self._begins.put(item)
        except psycopg.errors.ForeignKeyViolation:
            return Verdict(is_stale=True, refused_by=None, counted={})  # a quota of the plan was just removed
        except psycopg.Error as error:
            log.warning("The ledger could not begin: %s", type(error).__name__)
            raise DatabaseAway from error
        if verdict.refused_by is None and not verdict.is_stale and not item.is_refusal:
            self._open.add(item.record["id"])
        return verdict

    async def close(self, item: Close) -> bool:
        """Write one end record; returns whether it was this call of `close` that wrote it.

        Cancelling whoever waits does not cancel the record: it is queued before the first pause.
        """
        self._open.discard(item.call)
        try:
            return await self._closes.put(item)
        except psycopg.Error as error:
            raise AnswerUnrecorded from error

    def _end_what_nobody_waits_for(self, item: Begin, verdict: Verdict) -> None:
        """End a call that was admitted after its caller had left. Nothing was sent for it."""
        if verdict.is_stale or verdict.refused_by is not None or item.is_refusal:
            return
        record = {**item.record, "closed_at": now(), "status": Status.CLIENT_DISCONNECTED.value}
        with suppress(Unavailable):
            self._closes.put(Close({**record, "prompt_tokens": 0, "cost_micros": 0}, tokens=0, cost_micros=0))

    async def _run_begin(self, items: list[Begin]) -> list[Verdict]:
        # Trying again on a new session begins nothing twice: ids are unique.
        return await self._begin_connection.run(lambda connection: self._begin(connection, items))

    async def _begin(self, connection: psycopg.AsyncConnection[Any], items: list[Begin]) -> list[Verdict]:
        first, place = [], 1
        for item in items:
            first.append(place)
            place += len(item.charges)
        charges = [c for item in items for c in item.charges]
        inputs = [item.input for item in items]
        cursor = connection.cursor(binary=True)
        await cursor.execute(
            _BEGIN,
            (
                _array([item.epoch for item in items]),
                _array([item.record["id"] for item in items]),
                _array([item.record.get("team_id") for item in items]),
                _array([item.is_refusal for item in items]),
                [_json(item.record) for item in items],
                _array(first),
                _array([len(item.charges) for item in items]),
                [i.body if i else None for i in inputs],
                _array([i.bytes if i else None for i in inputs]),
                _digests([i.sha256 if i else None for i in inputs]),
                _array([i.is_cut if i else None for i in inputs]),
                _array([i.redactions if i else None for i in inputs]),
                self.process,
                str(settings.GATEWAY_LEASE_SECONDS),
                _array([c.quota.id for c in charges]),
                _moments([c.period_start for c in charges]),
                _array([c.quota.metric for c in charges]),
                _array([c.amount for c in charges]),
                _array([c.limit if c.quota.is_hard else None for c in charges]),
                [r for item in items for r in item.refusals],
            ),
            prepare=True,
        )
        verdicts, counted = [0] * len(items), {}
        for kind, place, number in await cursor.fetchall():
            if kind == 0:
                verdicts[place - 1] = number
            else:
                charge = charges[place - 1]
                counted[charge.quota.id, charge.period_start] = number
        return [
            Verdict(
                is_stale=number == -1,
                refused_by=number - first[i] if number > 0 else None,
                counted=counted,
            )
            for i, number in enumerate(verdicts)
        ]

    async def _run_close(self, items: list[Close]) -> list[bool]:
        outputs = [item.output for item in items]
        connection = await self._close_connection.get()
        cursor = connection.cursor(binary=True)
        await cursor.execute(
            _CLOSE,
            (
                Jsonb([item.record for item in items], dumps=orjson.dumps),
                _array([item.call for item in items]),
                _array([item.tokens for item in items]),
                _array([item.cost_micros for item in items]),
                [o.body if o else None for o in outputs],
                _array([o.bytes if o else None for o in outputs]),
                _digests([o.sha256 if o else None for o in outputs]),
                _array([o.is_cut if o else None for o in outputs]),
                _array([o.redactions if o else None for o in outputs]),
            ),
            prepare=True,
        )
        closed = {row[0] for row in await cursor.fetchall()}
        return [item.call in closed for item in items]

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
                        (lease, list(self._open), lease * 3 / 4),
                    )
                if turns % 2 == 0:
                    await connection.execute("SELECT gateway_sweep(500)")
                if self._used_keys or refusals.is_due():
                    used, self._used_keys = self._used_keys, {}
                    await asyncio.to_thread(_write_aside, used)
            except (psycopg.Error, DatabaseFault) as error:
                log.warning("Leases could not be renewed: %s", type(error).__name__)

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
        for connection in (self._begin_connection, self._close_connection, self._keep_connection):
            await connection.close()
