import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from console.core.clock import WINDOWS, Window, period_end, period_start

moments = st.datetimes(
    min_value=dt.datetime(2020, 1, 1),
    max_value=dt.datetime(2060, 12, 31),
    timezones=st.sampled_from(
        [dt.UTC, dt.timezone(dt.timedelta(hours=5, minutes=45)), dt.timezone(dt.timedelta(hours=-8))]
    ),
)
windows = st.sampled_from(WINDOWS)


@given(windows, moments)
def test_a_moment_is_in_its_own_period(window: Window, moment: dt.datetime) -> None:
    start = period_start(window, moment)
    assert start <= moment < period_end(window, start)


@given(windows, moments)
def test_periods_meet_without_gap_or_overlap(window: Window, moment: dt.datetime) -> None:
    start = period_start(window, moment)
    end = period_end(window, start)
    assert period_start(window, end) == end
    assert period_start(window, end - dt.timedelta(microseconds=1)) == start


@given(windows, moments)
def test_a_period_is_the_same_in_every_zone(window: Window, moment: dt.datetime) -> None:
    assert period_start(window, moment) == period_start(window, moment.astimezone(dt.UTC))
    assert period_start(window, moment).utcoffset() == dt.timedelta(0)


@given(moments)
def test_longer_windows_hold_shorter_ones(moment: dt.datetime) -> None:
    starts = [period_start(window, moment) for window in WINDOWS]
    assert starts == sorted(starts, reverse=True)


def test_december_ends_with_the_year() -> None:
    start = period_start("month", dt.datetime(2026, 12, 31, 23, 59, tzinfo=dt.UTC))
    assert period_end("month", start) == dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
