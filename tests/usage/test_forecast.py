import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_app.forecast import forecast

START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
END = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)


def at(day: float, used: int, limit: int = 2200):
    return forecast(used=used, limit=limit, start=START, end=END, now=START + dt.timedelta(days=day))


def test_it_carries_the_pace_to_the_end() -> None:
    ahead = at(15, 1000)
    assert ahead is not None
    assert (ahead.expected, ahead.left_at_end, ahead.runs_out_at) == (2000, 200, None)


def test_it_tells_when_the_limit_is_reached() -> None:
    ahead = at(22, 1868)
    assert ahead is not None and ahead.runs_out_at is not None
    assert ahead.runs_out_at.date() == dt.date(2026, 11, 26)
    assert -ahead.left_at_end == ahead.expected - 2200


def test_a_used_up_limit_runs_out_now() -> None:
    ahead = at(10, 2200)
    assert ahead is not None
    assert ahead.runs_out_at == START + dt.timedelta(days=10)


@pytest.mark.parametrize(("day", "used"), [(0, 100), (1.4, 100), (15, 0)])
def test_it_says_nothing_without_a_pace(day: float, used: int) -> None:
    assert at(day, used) is None


def test_a_limit_of_nothing_is_used_up_at_once() -> None:
    ahead = at(0, 0, limit=0)
    assert ahead is not None and ahead.runs_out_at == START


@given(st.floats(1.6, 30), st.integers(1, 10**12), st.integers(1, 10**12))
def test_it_runs_out_inside_the_period_or_not_at_all(day: float, used: int, limit: int) -> None:
    ahead = at(day, used, limit)
    assert ahead is not None
    assert ahead.expected >= used
    assert ahead.left_at_end == limit - ahead.expected
    if ahead.runs_out_at is not None:
        assert START + dt.timedelta(days=day) - dt.timedelta(seconds=1) <= ahead.runs_out_at <= END
    else:
        assert ahead.expected <= limit
