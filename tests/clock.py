"""The product's clock in this process, as a test has it: for what must fall into one window, or just after its end."""

import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from console.api.v1 import request
from console.core import clock


def reads(monkeypatch: pytest.MonkeyPatch, clock_ns: Callable[[], int]) -> None:
    """Have the clock say what `clock_ns` does, also when a request to /v1/ came, which is otherwise read off its id."""
    monkeypatch.setattr(clock, "time", SimpleNamespace(time_ns=clock_ns))
    monkeypatch.setattr(request, "time_of", lambda _: clock.now())


def stands_still_before_the_end(monkeypatch: pytest.MonkeyPatch, of_seconds: int) -> None:
    """Have the clock stand still a second before the present window of so many seconds ends."""
    window = of_seconds * 1_000_000_000
    last = (time.time_ns() // window + 1) * window - 1_000_000_000
    reads(monkeypatch, lambda: min(time.time_ns(), last))
