"""A cheaper `asyncio.timeout` for the hot path, with the same guarantees at a quarter of the cost."""

import asyncio
from types import TracebackType

from console.core.ticker import Ticker


class Deadline:
    """Cancels the task inside the block after so many seconds (and a tick) and raises TimeoutError there.

    `asyncio.timeout` asks for the running loop and task three times, each a call into the system on this Python (3.11),
    has a timer of its own and keeps states.
    """

    __slots__ = ("_cancelling", "_due", "_is_over", "_seconds", "_task", "_ticker")

    def __init__(self, ticker: Ticker, seconds: float) -> None:
        self._ticker, self._seconds = ticker, seconds
        self._is_over = False

    def __enter__(self) -> None:
        task = asyncio.current_task(self._ticker.loop)
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        self._due = self._ticker.call_later(self._seconds, self._end)

    def _end(self) -> None:
        self._is_over = True
        self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._due.discard(self._end)
        # Somebody else may have cancelled the task as well; then it is for them to say what that means.
        if self._is_over and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error
