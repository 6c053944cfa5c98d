"""Wait for an answer that is made elsewhere; end early if the client leaves or this process stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from console.api.v1.request import Receive
from console.core import shutdown


async def until_left(receive: Receive) -> None:
    """Wait until the client has left. Whoever awaits this reads what it sends, so the body has to be here already."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Pause:
    """Waits again and again; afterwards says what has happened."""

    def __init__(self, receive: Receive) -> None:
        self._gone = asyncio.ensure_future(until_left(receive))
        self._stops = asyncio.ensure_future(shutdown.requested().wait())

    @property
    def has_left(self) -> bool:
        return self._gone.done()

    @property
    def is_stopping(self) -> bool:
        return self._stops.done()

    @property
    def is_over(self) -> bool:
        """Return whether there is nothing more to wait for: nobody listens, or nobody will be here."""
        return self.has_left or self.is_stopping

    async def __call__(self, seconds: float) -> None:
        await asyncio.wait({self._gone, self._stops}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    def end(self) -> None:
        self._gone.cancel()
        self._stops.cancel()


@asynccontextmanager
async def waiting(receive: Receive) -> AsyncIterator[Pause]:
    pause = Pause(receive)
    try:
        yield pause
    finally:
        pause.end()
