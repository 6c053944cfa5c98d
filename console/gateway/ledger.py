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
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
import psycopg
from django.conf import settings
from django.db import DatabaseError, connections
from psycopg.types.json import Jsonb

from console.audit.redaction import PreparedPayload
from console.core.errors import Unavailable
from console.gateway.types import Charge
from console.teams import refusals
from console.teams.services.keys import touch

log = logging.getLogger(__name__)

# A call whose process has not been heard of for this long is the sweeper's.
LEASE_SECONDS = 120
RENEW_SECONDS = 30
SWEEP_SECONDS = 20
MOST_AT_ONCE = 256
# How long an end record is tried for while the database is away, before the sweeper has to write it.
CLOSE_PATIENCE = 60.0

PROCESS = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class DatabaseAway(Unavailable):
    """The log cannot be written, so nothing is sent anywhere."""

    def __init__(self) -> None:
        super().__init__(
            "The console cannot record the request right now; nothing was sent. Try again shortly.", retry_after=2
        )


@dataclass(frozen=True, slots=True)
class Begin:
    """One call to admit, or one refusal to record (`is_refusal`, no charges)."""

    epoch: int
    record: dict[str, Any]
    charges: tuple[Charge, ...] = ()
    is_refusal: bool = False
    input: PreparedPayload | None = None
    # For each charge, the members its refusal adds to the record.
    refusals: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`is_stale`, or admitted when `refused_by` is None; `counted` is used + reserved per quota after the batch."""

    is_stale: bool
    refused_by: int | None
    counted: dict[int, int]


@dataclass(frozen=True, slots=True)
class Close:
    record: dict[str, Any]
    tokens: int
    cost_micros: int
    output: PreparedPayload | None = None


class Batcher(Generic[_Item, _Result]):
    """Runs `run` on whatever has queued, one batch at a time; a batch that fails is run again one by one.

    While the database is away, a batch is tried again for `patience` seconds, also when nobody waits for it any more.
    """

    def __init__(
        self, run: Callable[[list[_Item]], Awaitable[list[_Result]]], *, longest: int, patience: float = 0.0
    ) -> None:
        self._run = run
        self._longest = longest
        self._patience = patience
        self._queue: list[tuple[_Item, asyncio.Future[_Result]]] = []
        self._task: asyncio.Task[None] | None = None

    def put(self, item: _Item) -> "asyncio.Future[_Result]":
        """Queue an item. The future may be abandoned: the item is handled all the same."""
        if len(self._queue) >= self._longest:
            raise Unavailable("Too many requests are waiting; try again shortly.", retry_after=1)
        future: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        self._queue.append((item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._drain())
        return future

    async def _drain(self) -> None:
        try:
            while self._queue:
                batch = self._queue[:MOST_AT_ONCE]
                del self._queue[:MOST_AT_ONCE]
                await self._handle(batch)
        finally:
            self._task = None

    async def _run_patiently(self, items: list[_Item]) -> list[_Result]:
        waited, pause = 0.0, 0.1
        while True:
            try:
                return await self._run(items)
            except psycopg.OperationalError:
                if waited >= self._patience:
                    raise
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(pause * 2, 3.0)

    async def _handle(self, batch: "list[tuple[_Item, asyncio.Future[_Result]]]") -> None:
        try:
            results = await self._run_patiently([item for item, _ in batch])
        except psycopg.OperationalError as error:
            self._fail(batch, error)
        except Exception as error:
            if len(batch) == 1:
                log.exception("One record could not be written.")
                self._fail(batch, error)
                return
            for one in batch:  # so that a poisoned row hurts only itself
                await self._handle([one])
        else:
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)

    @staticmethod
    def _fail(batch: "list[tuple[_Item, asyncio.Future[_Result]]]", error: Exception) -> None:
        for _, future in batch:
            if not future.done():
                future.set_exception(error)
                future.exception()  # it may have been abandoned

    async def drained(self) -> None:
        while self._task is not None:
            await asyncio.shield(self._task)


class _Connection:
    """One connection that is made when needed and made again when it broke."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def get(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed or self._connection.broken:
            parameters = connections["default"].get_connection_params()
            kept = {
                k: v
                for k, v in parameters.items()
                if k in {"dbname", "user", "password", "host", "port"} or k.startswith("ssl")
            }
            self._connection = await psycopg.AsyncConnection.connect(
                **kept,
                autocommit=True,
                connect_timeout=3,
                application_name=f"facet gateway {self._name}",
                options="-c statement_timeout=20000 -c lock_timeout=10000 -c timezone=UTC",
            )
            self._connection.prepare_threshold = 0
        return self._connection

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


_BEGIN = (
    "SELECT * FROM gateway_begin(%b::bigint[], %b::uuid[], %b::uuid[], %b::boolean[], %b::text[], %b::integer[],"
    " %b::integer[], %b::text[], %b::integer[], %b::bytea[], %b::boolean[], %b::smallint[], %b::text,"
    " make_interval(secs => %b),"
    " %b::bigint[], %b::timestamptz[], %b::text[], %b::bigint[], %b::bigint[], %b::text[])"
)
_CLOSE = (
    "SELECT gateway_close(%b::jsonb, %b::uuid[], %b::bigint[], %b::bigint[], %b::text[], %b::integer[], %b::bytea[],"
    " %b::boolean[], %b::smallint[])"
)


def _json(value: dict[str, Any]) -> str:
    return orjson.dumps(value).decode()


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
        self._begin_connection, self._close_connection = _Connection("begin"), _Connection("close")
        self._keep_connection = _Connection("keep")
        self._begins = Batcher(self._run_begin, longest=settings.GATEWAY_QUEUE_LENGTH)
        self._closes = Batcher(self._run_close, longest=settings.GATEWAY_QUEUE_LENGTH * 4, patience=CLOSE_PATIENCE)
        self._keeper: asyncio.Task[None] | None = None
        self._used_keys: dict[uuid.UUID, dt.datetime] = {}

    async def begin(self, item: Begin) -> Verdict:
        """Admit one call, or record one refusal; raises DatabaseAway when it cannot be written."""
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())
        key_id = item.record.get("key_id")
        if key_id is not None and not item.is_refusal:
            self._used_keys[key_id] = item.record["at"]
        try:
            return await self._begins.put(item)
        except psycopg.Error as error:
            log.warning("The ledger could not begin: %s", type(error).__name__)
            raise DatabaseAway from error

    async def close(self, item: Close) -> bool:
        """Write one end record; returns whether it was this call of `close` that wrote it.

        Cancelling whoever waits does not cancel the record: it is queued before the first pause.
        """
        try:
            return await self._closes.put(item)
        except psycopg.Error as error:
            raise DatabaseAway from error

    async def _run_begin(self, items: list[Begin]) -> list[Verdict]:
        first, place = [], 1
        for item in items:
            first.append(place)
            place += len(item.charges)
        charges = [c for item in items for c in item.charges]
        inputs = [item.input for item in items]
        connection = await self._begin_connection.get()
        cursor = connection.cursor(binary=True)
        await cursor.execute(
            _BEGIN,
            (
                [item.epoch for item in items],
                [item.record["id"] for item in items],
                [item.record.get("team_id") for item in items],
                [item.is_refusal for item in items],
                [_json(item.record) for item in items],
                first,
                [len(item.charges) for item in items],
                [i.body if i else None for i in inputs],
                [i.bytes if i else None for i in inputs],
                [i.sha256 if i else None for i in inputs],
                [i.is_cut if i else None for i in inputs],
                [i.redactions if i else None for i in inputs],
                PROCESS,
                float(LEASE_SECONDS),
                [c.quota.id for c in charges],
                [c.period_start for c in charges],
                [c.quota.metric for c in charges],
                [c.amount for c in charges],
                [c.limit if c.quota.is_hard else None for c in charges],
                [_json(r) for item in items for r in item.refusals],
            ),
            prepare=True,
        )
        verdicts, counted = [0] * len(items), {}
        for kind, place, number in await cursor.fetchall():
            if kind == 0:
                verdicts[place - 1] = number
            else:
                charge = charges[place - 1]
                counted[charge.quota.id] = number
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
                [item.record["id"] for item in items],
                [item.tokens for item in items],
                [item.cost_micros for item in items],
                [o.body if o else None for o in outputs],
                [o.bytes if o else None for o in outputs],
                [o.sha256 if o else None for o in outputs],
                [o.is_cut if o else None for o in outputs],
                [o.redactions if o else None for o in outputs],
            ),
            prepare=True,
        )
        closed = {row[0] for row in await cursor.fetchall()}
        return [item.record["id"] in closed for item in items]

    async def _keep(self) -> None:
        """Renew the leases of this process's open calls, and end those of processes that died."""
        since_sweep = 0.0
        while True:
            await asyncio.sleep(10)
            since_sweep += 10
            try:
                connection = await self._keep_connection.get()
                await connection.execute(
                    "UPDATE usage_reservation SET expires_at = clock_timestamp() + make_interval(secs => %s)"
                    " WHERE process = %s AND expires_at < clock_timestamp() + make_interval(secs => %s)",
                    (LEASE_SECONDS, PROCESS, LEASE_SECONDS - RENEW_SECONDS),
                )
                if since_sweep >= SWEEP_SECONDS:
                    since_sweep = 0.0
                    await connection.execute("SELECT gateway_sweep(500)")
                if self._used_keys or refusals.is_due():
                    used, self._used_keys = self._used_keys, {}
                    await asyncio.to_thread(_write_aside, used)
            except (psycopg.Error, DatabaseError) as error:
                log.warning("Leases could not be renewed: %s", type(error).__name__)

    async def epoch(self) -> int:
        """Read the present epoch; for what begins nothing, and for streams, which begin once and run for long."""
        try:
            connection = await self._keep_connection.get()
            row = await (await connection.execute("SELECT value FROM audit_epoch WHERE id = 1")).fetchone()
        except psycopg.OperationalError as error:
            raise DatabaseAway from error
        return int(row[0]) if row else 0

    async def stop(self) -> None:
        """Finish what has queued and let go of the connections."""
        await self._begins.drained()
        await self._closes.drained()
        if self._keeper is not None:
            self._keeper.cancel()
        for connection in (self._begin_connection, self._close_connection, self._keep_connection):
            await connection.close()
