"""The text of a scrape, cached for a few seconds."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric

from console.core.clock import now
from console.telemetry.metrics import calls, in_progress, installation, process, quotas
from console.telemetry.metrics.families import add, gauge, moment
from usage_app.queries.totals import Teams

SHARED_SECONDS = 5.0
# Readers whose text is kept at the same time: the operators' own and as many teams'.
_MOST_KEPT = 32

_lock = threading.Lock()
_kept: OrderedDict[tuple[Teams, str], tuple[float, bytes]] = OrderedDict()


def for_teams(teams: Teams, accept: str) -> tuple[bytes, str]:
    """Return the metrics of these teams, or of the whole installation, in the format a scraper prefers.

    Who asks while they are made waits for them: however many scrape, the database is asked once.
    """
    encode, content_type = choose_encoder(accept)
    key = (teams, content_type)
    with _lock:
        until, body = _kept.get(key, (0.0, b""))
        if time.monotonic() >= until:
            body = encode(_Collected(teams))
            _kept[key] = (time.monotonic() + SHARED_SECONDS, body)
            _kept.move_to_end(key)
            while len(_kept) > _MOST_KEPT:
                _kept.popitem(last=False)
        return body, content_type


def forget() -> None:
    with _lock:
        _kept.clear()


class _Collected:
    """What the encoders read, as a registry gives it to them."""

    def __init__(self, teams: Teams) -> None:
        self._teams = teams

    def collect(self) -> Iterator[Metric]:
        started, at = time.monotonic(), now()
        yield from calls.families(self._teams)
        yield from quotas.families(self._teams)
        yield from in_progress.families(self._teams)
        if self._teams is None:
            yield from installation.families()
            yield from process.families()
        took = gauge("facet_metrics_seconds", "How long it took to collect these.")
        add(took, (), time.monotonic() - started)
        yield took
        yield from moment("facet_metrics_timestamp_seconds", "When these were collected.", at)
