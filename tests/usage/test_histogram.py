import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.core.histogram import BOUNDS, BUCKETS, bucket_of, histogram, merged, percentile

durations = st.integers(min_value=0, max_value=2 * BOUNDS[-1])


@given(durations)
def test_every_duration_has_the_bucket_its_bounds_say(duration: int) -> None:
    bucket = bucket_of(duration)
    assert 0 <= bucket < BUCKETS
    assert bucket == 0 or BOUNDS[bucket - 1] <= duration
    assert bucket == len(BOUNDS) or duration < BOUNDS[bucket]


@given(st.lists(st.integers(min_value=1000, max_value=BOUNDS[-1] - 1), min_size=1, max_size=200), st.integers(1, 100))
def test_a_percentile_is_less_than_a_bucket_off(values: list[int], percent: int) -> None:
    values.sort()
    true = values[max(0, -(-len(values) * percent // 100) - 1)]
    told = percentile(histogram(values), percent)
    assert told is not None
    assert true / 1.1893 <= told <= true * 1.1893


@given(st.lists(durations, min_size=1, max_size=50))
def test_percentiles_never_fall(values: list[int]) -> None:
    counts = histogram(values)
    told = [percentile(counts, percent) or 0 for percent in range(1, 101)]
    assert told == sorted(told)


@given(st.lists(durations, max_size=30), st.lists(durations, max_size=30))
def test_merging_is_as_good_as_counting_together(one: list[int], other: list[int]) -> None:
    assert merged(histogram(one), histogram(other), []) == histogram(one + other)


def test_nothing_has_no_percentile() -> None:
    assert percentile([], 50) is None
    assert percentile([0] * BUCKETS, 95) is None


@pytest.mark.parametrize(("percent", "low", "high"), [(50, 480_000, 520_000), (95, 910_000, 990_000)])
def test_an_even_spread_is_told_well(percent: int, low: int, high: int) -> None:
    told = percentile(histogram([n * 1000 for n in range(1, 1001)]), percent)
    assert told is not None and low <= told <= high
