"""Import what a process works with, without the garbage collector running."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Keep the collector asleep while modules are imported, and what they made out of its sight for good.

    Modules stay until the end. The collector would walk through all of them again and again as they become more: a
    fifth of the start of every process.
    """
    was_awake = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_awake:
            gc.freeze()
            gc.enable()
