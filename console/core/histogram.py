"""Durations as counts in fixed buckets, so that percentiles can be computed of any sum of them.

The bounds grow by the fourth root of two from one millisecond to seventeen minutes: four buckets an octave, one below
and one above. They never change, because stored counts are sums over them.
"""

from bisect import bisect_right
from collections.abc import Sequence

PER_OCTAVE = 4
# Microseconds. Bucket i holds BOUNDS[i - 1] <= duration < BOUNDS[i]; the first is open below, the last above.
BOUNDS: tuple[int, ...] = tuple(round(1000 * 2 ** (step / PER_OCTAVE)) for step in range(20 * PER_OCTAVE + 1))
BUCKETS = len(BOUNDS) + 1
# The same in whole octaves, for those who keep a series per bucket. Octave i holds OCTAVE_BOUNDS[i - 1] <= duration.
OCTAVE_BOUNDS: tuple[int, ...] = BOUNDS[::PER_OCTAVE]
OCTAVES = len(OCTAVE_BOUNDS) + 1


def bucket_of(duration_us: int) -> int:
    """Return the bucket a duration belongs to; PostgreSQL's width_bucket(duration, bounds) says the same."""
    return bisect_right(BOUNDS, duration_us)


def histogram(durations_us: Sequence[int]) -> list[int]:
    counts = [0] * BUCKETS
    for duration in durations_us:
        counts[bucket_of(duration)] += 1
    return counts


def merged(*histograms: Sequence[int]) -> list[int]:
    """Return the sum of histograms; an empty one counts as nothing."""
    held = [one for one in histograms if one]
    return [sum(counts) for counts in zip(*held, strict=True)] if held else [0] * BUCKETS


def by_octave(counts: Sequence[int]) -> list[int]:
    """Return a histogram with one count per octave."""
    octaves = [0] * OCTAVES
    for bucket, count in enumerate(counts):
        octaves[(bucket + PER_OCTAVE - 1) // PER_OCTAVE] += count
    return octaves


def _edges(bucket: int) -> tuple[float, float]:
    """Return where a bucket begins and ends. What lies above the last bound is told as the last bound."""
    low = BOUNDS[bucket - 1] if bucket else 0
    high = BOUNDS[bucket] if bucket < len(BOUNDS) else BOUNDS[-1]
    return float(low), float(high)


def percentile(counts: Sequence[int], percent: float) -> int | None:
    """Return the duration, in microseconds, that `percent` of all stay at or below; None when there is none.

    Inside its bucket the value is interpolated, so it is off by less than the bucket is wide: 19 %, usually far less.
    """
    total = sum(counts)
    if not total:
        return None
    wanted = total * percent / 100
    seen = 0
    for bucket, count in enumerate(counts):
        if count and seen + count >= wanted:
            low, high = _edges(bucket)
            return round(low + (high - low) * max(0.0, wanted - seen) / count)
        seen += count
    return None  # pragma: no cover - the counts sum to `total`
