"""Memory, CPU and file descriptors of the web processes of this machine."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from console.telemetry.metrics.families import add

_STARTED_BESIDE = b"--multiprocessing-fork"  # how uvicorn starts each of several web processes


def _pids() -> list[int]:
    """Return this process and its siblings; itself alone where the system does not tell."""
    parent, mine = os.getppid(), os.getpid()
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return sorted({mine, *(int(pid) for pid in children if _STARTED_BESIDE in _command(pid))})
    except OSError:
        return [mine]


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""  # it has just ended


def families() -> Iterator[Metric]:
    found: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
    for pid in _pids():
        for family in ProcessCollector("facet", pid=partial(int, pid), registry=None).collect():
            kind = CounterMetricFamily if family.type == "counter" else GaugeMetricFamily
            kept = found.setdefault(family.name, kind(family.name, family.documentation, labels=("pid",)))
            for sample in family.samples:
                add(kept, (pid,), sample.value)
    yield from found.values()
