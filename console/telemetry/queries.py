"""The state of metrics and trace export, for the settings page."""

import datetime as dt
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from console.core import formatting
from console.core.clock import now
from console.telemetry.models import TraceExport


@dataclass(frozen=True, slots=True)
class Traces:
    """The export of traces. `state` is off, waiting (nothing exported yet), ok or failing."""

    state: str
    collector: str
    exported: int
    dropped: int
    exported_at: dt.datetime | None
    failures: int
    next_try_at: dt.datetime | None
    problem: str
    problem_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Way:
    """One way out for figures, traces or logs, as the settings page lists it."""

    name: str
    state: str
    tone: str
    where: str
    says: str


def traces() -> Traces:
    endpoint = settings.OTEL_EXPORTER_OTLP_ENDPOINT
    row = (TraceExport.objects.filter(pk=1).first() if endpoint else None) or TraceExport()
    state = "failing" if row.failures else "ok" if row.exported_at else "waiting"
    return Traces(
        state=state if endpoint else "off",
        collector=_host(endpoint),
        exported=row.exported,
        dropped=row.dropped,
        exported_at=row.exported_at,
        failures=row.failures,
        next_try_at=row.not_before if row.failures else None,
        problem=row.problem,
        problem_at=row.problem_at,
    )


def _host(url: str) -> str:
    """Return which host a URL names, without a user and password that may be in it."""
    return urlsplit(url).netloc.rpartition("@")[2]


def metrics_readers() -> str:
    return "The token, and API keys that read usage" if settings.METRICS_TOKEN else "API keys that read usage"


def ways() -> list[Way]:
    """Return every way with its state, in words."""
    logs = "One JSON object a line" if settings.LOG_JSON else "Text; LOG_JSON=1 for JSON"
    return [
        Way("Metrics", "On", "ok", "/metrics", f"{metrics_readers()}."),
        _traces(traces()),
        Way("Logs", "On", "ok", "Error output of each process", f"{logs}."),
    ]


def _traces(found: Traces) -> Way:
    if found.state == "off":
        return Way("Traces", "Off", "line", "", "Set OTEL_EXPORTER_OTLP_ENDPOINT to export traces to a collector.")
    message = f"{found.exported:,} spans so far" + (f", {found.dropped:,} refused" if found.dropped else "")
    if found.exported_at:
        message += f", the last {formatting.relative_time(found.exported_at, now())}"
    if found.state == "failing":
        return Way(
            "Traces", "Failing", "bad", found.collector, f"{found.problem} It is tried again by itself. {message}."
        )
    state, tone = ("On", "ok") if found.state == "ok" else ("Waiting", "line")
    return Way("Traces", state, tone, found.collector, f"{message}. {found.problem}".strip())
