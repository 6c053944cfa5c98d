import asyncio
import logging
from functools import partial

from console.core.ticker import TICK_SECONDS, Ticker


async def test_what_is_due_happens_in_order_and_what_is_cancelled_does_not():
    ticker, done, last = Ticker(asyncio.get_running_loop()), [], asyncio.Event()
    ticker.call_later(TICK_SECONDS * 2, last.set)
    never, first = partial(done.append, "cancelled"), partial(done.append, "first")
    ticker.call_later(TICK_SECONDS * 2, never).discard(never)
    due = ticker.call_later(0, first)
    await asyncio.wait_for(last.wait(), 60)
    assert done == ["first"]
    due.discard(first)  # a second time does no harm
    assert not ticker._due and ticker._timer is None, "nothing ticks when nothing is due"


async def test_one_that_fails_leaves_the_others_alone(caplog):
    ticker, done = Ticker(asyncio.get_running_loop()), asyncio.Event()
    for _ in range(3):
        ticker.call_later(0, lambda: {}["nothing"])
    ticker.call_later(TICK_SECONDS, done.set)
    with caplog.at_level(logging.ERROR, logger="console.core.ticker"):
        await asyncio.wait_for(done.wait(), 60)
    assert len(caplog.records) == 3


async def test_one_that_is_due_may_put_off_another():
    ticker, done = Ticker(asyncio.get_running_loop()), []
    both = {}

    def cancel_all(number: int) -> None:
        done.append(number)
        for callback, due in both.items():
            due.discard(callback)

    both |= {one: ticker.call_later(0, one) for one in (partial(cancel_all, 1), partial(cancel_all, 2))}
    await asyncio.sleep(TICK_SECONDS * 3)
    assert len(done) == 1
