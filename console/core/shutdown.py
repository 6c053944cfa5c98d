"""Whether this web process is shutting down: requests that only wait then answer with what they have."""

import asyncio
import weakref

# Each server has a loop of its own; a test's process has several servers.
_told: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Event]" = weakref.WeakKeyDictionary()


def requested() -> asyncio.Event:
    """Return what is set once the server of the running loop has been told to stop."""
    loop = asyncio.get_running_loop()
    if loop not in _told:
        _told[loop] = asyncio.Event()
    return _told[loop]
