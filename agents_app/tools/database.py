"""Rows from the event loop: in a thread, and the connection given back."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from django.db import close_old_connections

_T = TypeVar("_T")


async def in_thread(work: Callable[[], _T]) -> _T:
    def clean() -> _T:
        close_old_connections()
        try:
            return work()
        finally:
            close_old_connections()

    return await asyncio.to_thread(clean)
