"""Doing things at the same time, each in a thread and with a connection of its own."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection

from console.core.errors import Refusal


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Do things in threads of their own, begun together; return what each came to, its refusal when it was refused."""
    outcomes: list[Any] = [None] * len(works)
    start = threading.Barrier(len(works))

    def work(place: int) -> None:
        start.wait()
        try:
            outcomes[place] = works[place]()
        except Refusal as refusal:
            outcomes[place] = refusal
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
