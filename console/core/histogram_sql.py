"""Pieces of SQL for histograms (console.core.histogram) that stand in columns as arrays of counts."""

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


def summed(column: str, places: int = BUCKETS) -> str:
    """Add arrays up place by place, such as histograms. Reading places beats unnesting five times over."""
    return "ARRAY[" + ", ".join(f"coalesce(sum({column}[{i}]), 0)" for i in range(1, places + 1)) + "]::bigint[]"
