"""What is called with room asks the system for none, however deep it goes."""

import resource
import sys
import threading
from collections.abc import Callable

import pytest

from console.core.deep_stack import deep_stack

TIMES = 200


def go_up_and_down(depth: int) -> None:
    """Call something many times at every depth there is."""
    for _ in range(TIMES):
        len_of("")
    if depth:
        go_up_and_down(depth - 1)


def len_of(text: str) -> int:
    return len(text)


def memory_asked_for(function: Callable[[int], None]) -> int:
    """Return how often a thread of its own, which has no room yet, met memory that was not there."""
    counts: list[int] = []

    def count() -> None:
        function(300)
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
        function(300)
        counts.append(resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before)

    thread = threading.Thread(target=count)
    thread.start()
    thread.join()
    return counts[0]


@pytest.mark.skipif(sys.platform != "linux", reason="counts as Linux counts")
def test_it_asks_for_memory_once() -> None:
    # Pages of 4 KiB of one chunk, not one for each time a call came to the edge of another.
    assert memory_asked_for(deep_stack(go_up_and_down)) < TIMES


def test_it_is_what_it_wraps() -> None:
    named = deep_stack(len_of)
    assert (named("abc"), named.__name__, named(text="ab")) == (3, "len_of", 2)
    with pytest.raises(TypeError, match="len_of"):
        named()  # type: ignore[call-arg]
