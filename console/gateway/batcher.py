"""Combine small writes to few large ones, without waiting for more."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import psycopg

from console.core.errors import Unavailable

log = logging.getLogger(__name__)

MOST_AT_ONCE = 256

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


Run = Callable[[list[_Item]], Awaitable[list[_Result]]]


class Batcher(Generic[_Item, _Result]):
    """Hands whatever has queued to one of `runs` that is free, as one batch; one that fails is run again one by one.

    Several `runs` are for work that may wait, as a commit does for the disk: beside a batch that has been in progress
    for `beside` seconds another one begins. Not before, because one batch costs both sides less than two halves of it.
    While the database is away, a batch is tried again for `patience` seconds, also when nobody waits for it any more.
    `abandoned` is told of results that nobody waits for any more.
    """

    def __init__(
        self,
        *runs: "Run[_Item, _Result]",
        longest: int,
        patience: float = 0.0,
        beside: float = 0.0,
        abandoned: Callable[[_Item, _Result], None] | None = None,
    ) -> None:
        self._free = list(runs)
        self._most = len(runs)
        self._longest = longest
        self._patience = patience
        self._beside = beside
        self._is_another_due = False  # in a moment
        self._abandoned = abandoned
        self._queue: list[tuple[_Item, asyncio.Future[_Result]]] = []
        self._next: asyncio.Task[None] | None = None  # will take all that queues until it begins
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    def put(self, item: _Item) -> "asyncio.Future[_Result]":
        """Queue an item. The future may be abandoned: the item is handled all the same."""
        if len(self._queue) >= self._longest:
            raise Unavailable("Too many requests are waiting; try again shortly.", retry_after=1)
        future: asyncio.Future[_Result] = self._loop.create_future()
        self._queue.append((item, future))
        if self._next is None and self._free:
            if len(self._free) == self._most:
                self._begin()
            elif not self._is_another_due:
                self._is_another_due = True
                self._loop.call_later(self._beside, self._begin_another)
        return future

    def _begin(self) -> None:
        self._next = task = self._loop.create_task(self._drain(self._free.pop()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _begin_another(self) -> None:
        self._is_another_due = False
        if self._queue and self._next is None and self._free:
            self._begin()

    async def _drain(self, run: "Run[_Item, _Result]") -> None:
        self._next = None
        try:
            while self._queue:
                batch = self._queue[:MOST_AT_ONCE]
                del self._queue[:MOST_AT_ONCE]
                await self._handle(run, batch)
        finally:
            self._free.append(run)

    async def _run_patiently(self, run: "Run[_Item, _Result]", items: list[_Item]) -> list[_Result]:
        waited, pause = 0.0, 0.1
        while True:
            try:
                return await run(items)
            except psycopg.OperationalError:
                if waited >= self._patience:
                    raise
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(pause * 2, 3.0)

    async def _handle(self, run: "Run[_Item, _Result]", batch: "list[tuple[_Item, asyncio.Future[_Result]]]") -> None:
        try:
            results = await self._run_patiently(run, [item for item, _ in batch])
        except psycopg.OperationalError as error:
            self._fail(batch, error)
        except Exception as error:
            if len(batch) == 1:
                log.exception("One record could not be written.")
                self._fail(batch, error)
                return
            for entry in batch:  # so that a poisoned row hurts only itself
                await self._handle(run, [entry])
        else:
            for (item, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)
                elif self._abandoned is not None:
                    self._abandoned(item, result)

    @staticmethod
    def _fail(batch: "list[tuple[_Item, asyncio.Future[_Result]]]", error: Exception) -> None:
        for _, future in batch:
            if not future.done():
                future.set_exception(error)
                future.exception()  # it may have been abandoned

    async def drained(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)
