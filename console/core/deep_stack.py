"""Run a function in a thread with a large stack.

CPython keeps the frames of Python functions in chunks of 16 KiB, asks the system for one when a call does not fit into
the last, and gives it back when that call returns (`push_chunk` in Python/pystate.c, 3.11 and later). Drawing a page
goes some 300 calls deep, and up and down thousands of times; what stands at the edge of a chunk then asks for memory
with every call. It was a sixth of a page's processor time (docs/performance.md).
"""

from collections.abc import Callable
from functools import update_wrapper
from typing import ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")

# A frame of a little more than 256 KiB gets a chunk of 512, and leaves the rest to what it calls: more than calls may
# nest. Nothing is written there, so it costs the address only.
_SLOTS = 33_000


def deep_stack(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """Have a function, and all it calls, find room for their frames in one chunk."""

    def inside(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        return function(*args, **kwargs)

    inside.__code__ = inside.__code__.replace(co_stacksize=_SLOTS)
    return update_wrapper(inside, function)
