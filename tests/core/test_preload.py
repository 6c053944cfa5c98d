"""Processes load what they work with while the collector of garbage sleeps, and wake it."""

import gc

import pytest

from console.core.preload import loading


def test_the_collector_sleeps_and_wakes_again_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(gc.isenabled()))
    with pytest.raises(ImportError), loading():
        with loading():
            assert not gc.isenabled()
        assert not gc.isenabled(), "the outer one goes on"
        raise ImportError
    assert gc.isenabled()
    assert frozen == [False], "what was loaded is put aside once, before anybody looks through it"
