import asyncio

import pytest

from console.core.deadline import Deadline
from console.core.ticker import Ticker


def deadline(seconds: float) -> Deadline:
    return Deadline(Ticker(asyncio.get_running_loop()), seconds)


async def test_it_ends_what_takes_too_long_and_nothing_else():
    with pytest.raises(TimeoutError), deadline(0.01):
        await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None and not task.cancelling(), "the task goes on as if nothing had been"
    with deadline(60):
        await asyncio.sleep(0)
    with pytest.raises(ValueError, match="ours"), deadline(60):
        raise ValueError("ours")


async def test_a_cancellation_from_outside_stays_one():
    async def wait() -> None:
        with deadline(60):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
