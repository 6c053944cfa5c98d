"""Return database connections before waits, and after work in threads."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from django.db import close_old_connections, connections

_T = TypeVar("_T")


def let_go() -> None:
    """Give back this thread's connections, so that nobody waits for those of somebody who waits. Transactions stay."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


async def in_thread(work: Callable[[], _T], executor: Executor | None = None) -> _T:
    """Do what needs the database away from the event loop, and give the connection back.

    `executor` has the threads; None means those the loop uses for everything.
    """
    context = contextvars.copy_context()  # as asyncio.to_thread does: what logs say of the request
    return await asyncio.get_running_loop().run_in_executor(executor, context.run, _giving_back, work)


def _giving_back(work: Callable[[], _T]) -> _T:
    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()
