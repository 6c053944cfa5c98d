"""Whether this web process has been told to stop: what only waits then answers with what there is."""

import asyncio
import weakref

# Each server has a loop of its own; a test's process has several servers.
_told: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Event]" = weakref.WeakKeyDictionary()


def told() -> asyncio.Event:
    """Return what is set once the server of the running loop has been told to stop."""
    loop = asyncio.get_running_loop()
    if loop not in _told:
        _told[loop] = asyncio.Event()
    return _told[loop]
