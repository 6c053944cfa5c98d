import asyncio
import logging

from console.core.ticker import TICK_SECONDS, Ticker


async def test_what_is_due_happens_in_order_and_what_is_cancelled_does_not():
    ticker, done, last = Ticker(asyncio.get_running_loop()), [], asyncio.Event()
    ticker.call_later(TICK_SECONDS * 2, last.set)
    ticker.call_later(TICK_SECONDS * 2, lambda: done.append("cancelled")).cancel()
    first = ticker.call_later(0, lambda: done.append("first"))
    await asyncio.wait_for(last.wait(), 60)
    assert done == ["first"]
    first.cancel()  # a second time does no harm
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
    both = []

    def cancel_all() -> None:
        done.append(1)
        for tick in both:
            tick.cancel()

    both += [ticker.call_later(0, cancel_all), ticker.call_later(0, cancel_all)]
    await asyncio.sleep(TICK_SECONDS * 3)
    assert done == [1]
