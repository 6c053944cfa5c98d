"""Pieces of SQL for histograms (console.core.histogram), which are stored as arrays of counts."""

from console.core.histogram import BUCKETS


def counted(bucket: str, buckets: int = BUCKETS) -> str:
    """One count per bucket, as an integer array. The counts come in grouped already, so this runs over few rows."""
    counts = ", ".join(f"coalesce(sum(n) FILTER (WHERE {bucket} = {i}), 0)::int" for i in range(buckets))
    return f"ARRAY[{counts}]"


def added(sums: tuple[str, ...], arrays: tuple[str, ...]) -> str:
    """What an upsert does to a row `t` that is there: sums are added, arrays place by place."""
    places = [
        f"{name} = ARRAY(SELECT a + b FROM unnest(t.{name}, excluded.{name}) WITH ORDINALITY AS u(a, b, i) ORDER BY i)"  # noqa: S608
        for name in arrays
    ]
    return ", ".join([*(f"{name} = t.{name} + excluded.{name}" for name in sums), *places])


def summed(column: str) -> str:
    """Add up histograms, place by place, as one vector: as 82 sums of their own it takes three to four times as long.

    A vector is exact up to 16 million calls in a bucket, and to the seventh digit above. Null where no histogram is.
    """
    return f"sum(CASE WHEN cardinality({column}) = {BUCKETS} THEN {column}::vector END)"


def counts(vector: str) -> str:
    """A sum of histograms as an array of counts, to be read; empty where there was none."""
    return f"coalesce(({vector})::real[]::bigint[], ARRAY[]::bigint[])"


def summed_exactly(column: str, places: int) -> str:
    """Add arrays up place by place, however large they are: for counters that never fall."""
    return "ARRAY[" + ", ".join(f"coalesce(sum({column}[{i}]), 0)" for i in range(1, places + 1)) + "]::bigint[]"
