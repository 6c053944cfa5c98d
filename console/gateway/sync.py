"""The pipeline for callers that are not async: Celery tasks and commands.

One event loop in one thread per process, started on first use, so that there is one ledger, one pool of connections
upstream and one code path. A process that forks starts its own.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from console.gateway import pipeline
from console.gateway.refusals import Identify
from console.gateway.types import Ask, Call

_Result = TypeVar("_Result")

_lock = threading.Lock()
_running: tuple[int, asyncio.AbstractEventLoop] | None = None


def _loop() -> asyncio.AbstractEventLoop:
    global _running
    with _lock:
        if _running is None or _running[0] != os.getpid():
            loop = asyncio.new_event_loop()
            threading.Thread(target=_serve, args=(loop,), name="gateway", daemon=True).start()
            _running = (os.getpid(), loop)
        return _running[1]


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def start(work: Coroutine[Any, Any, _Result]) -> "Future[_Result]":
    """Start a coroutine of the pipeline on the gateway's thread; for callers that wait for several at once."""
    return asyncio.run_coroutine_threadsafe(work, _loop())


def soon(do: Callable[[], None]) -> None:
    """Have something done on the gateway's thread, where all of a call's state lives."""
    _loop().call_soon_threadsafe(do)


def run(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine of the pipeline on the gateway's thread and return its result."""
    return start(work).result()


def answer(identify: Identify, ask: Ask) -> tuple[Call, bytes]:
    """Open, relay and close one plain call; raises Refusal or ProviderError. Holds the calling thread until the end."""
    return run(_answer(identify, ask))


async def _answer(identify: Identify, ask: Ask) -> tuple[Call, bytes]:
    call = await pipeline.open_call(identify, ask)
    return call, await pipeline.answer(call)


_before: list[Callable[[], None]] = []


def before_stop(do: Callable[[], None]) -> Callable[[], None]:
    """Have something done before the loop ends: calls that nobody's thread waits for are let come to theirs."""
    _before.append(do)
    return do


def stop() -> None:
    """Write what waits and close the connections; for the end of a worker."""
    global _running
    for do in _before:
        do()
    with _lock:
        thread, _running = _running, None
    if thread is not None and thread[0] == os.getpid():
        asyncio.run_coroutine_threadsafe(pipeline.stop(), thread[1]).result(10)
        thread[1].call_soon_threadsafe(thread[1].stop)
        deadline = time.monotonic() + 5
        while not thread[1].is_closed() and time.monotonic() < deadline:
            time.sleep(0.005)
