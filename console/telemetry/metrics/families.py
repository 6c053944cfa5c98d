"""Metric families; every sample passes the scrubber."""

import datetime as dt
from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from console.core.histogram import OCTAVE_BOUNDS
from console.core.scrub import scrub

OTHER = "other"
_LONGEST_LABEL = 300
# As Prometheus wants them: the upper end of each bucket in seconds. Ours leave that very microsecond to the next.
_UPPER_ENDS = [f"{bound / 1_000_000:g}" for bound in OCTAVE_BOUNDS] + ["+Inf"]


def label(value: object) -> str:
    """Return what may stand as a label: names are people's own words, and could be a secret by mistake."""
    return scrub(str(value))[0][:_LONGEST_LABEL]


def labels(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(label(value) for value in values)


def gauge(name: str, about: str, names: Sequence[str] = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, labels=names)


def counter(name: str, about: str, names: Sequence[str] = ()) -> CounterMetricFamily:
    return CounterMetricFamily(name, about, labels=names)


def histogram(name: str, about: str, names: Sequence[str] = ()) -> HistogramMetricFamily:
    return HistogramMetricFamily(name, about, labels=names)


def add(family: GaugeMetricFamily | CounterMetricFamily, values: Iterable[object], amount: float) -> None:
    family.add_metric(labels(values), amount)


def add_durations(family: HistogramMetricFamily, values: Iterable[object], octaves: Sequence[int], sum_us: int) -> None:
    seen, buckets = 0, []
    for end, count in zip(_UPPER_ENDS, octaves, strict=True):
        seen += count
        buckets.append((end, float(seen)))
    family.add_metric(labels(values), buckets, sum_us / 1_000_000)


def moment(name: str, about: str, at: dt.datetime | None) -> Iterable[Metric]:
    """Return a family of one moment in Unix time; none where there was none yet."""
    if at is not None:
        family = gauge(name, about)
        add(family, (), at.timestamp())
        yield family
