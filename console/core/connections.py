"""Give database connections back before a wait that needs none."""

from django.db import connections


def let_go() -> None:
    """Give back this thread's connections, so that nobody waits for those of somebody who waits. Transactions stay."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
