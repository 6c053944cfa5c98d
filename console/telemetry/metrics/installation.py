"""The state of the installation: workers, queues, providers, the log."""

from collections.abc import Iterator

import redis
from django.conf import settings
from prometheus_client.metrics_core import Metric

from console.audit.models import SealState
from console.catalog.models import Provider
from console.catalog.queries import breakers_open, provider_rows
from console.core import heartbeats
from console.core.installation import own_version
from console.telemetry.metrics.families import add, counter, gauge, moment
from console.telemetry.queries import traces
from console.telemetry.valkey import queue_lengths


def families() -> Iterator[Metric]:
    info = gauge("facet_info", "Always 1; the labels say what runs here.", ("version", "mode"))
    add(info, (own_version(), settings.MODE), 1)
    yield info
    yield from _workers()
    yield from _providers()
    yield from _log()
    yield from _traces()


def _workers() -> Iterator[Metric]:
    up = gauge("facet_valkey_up", "Whether the broker answers.")
    waiting = gauge("facet_worker_queue_length", "Messages that wait for a worker of the lane.", ("lane",))
    try:
        lengths = queue_lengths()
    except (redis.RedisError, OSError):
        add(up, (), 0)
    else:
        add(up, (), 1)
        for lane, length in lengths.items():
            add(waiting, (lane,), length)
    seen = gauge("facet_worker_seen_timestamp_seconds", "When a worker of the lane last ran a heartbeat.", ("lane",))
    for lane, at in heartbeats.last_seen().items():
        add(seen, (lane,), at.timestamp())
    yield from (up, waiting, seen)


def _providers() -> Iterator[Metric]:
    enabled = gauge("facet_provider_enabled", "Whether the provider takes calls.", ("provider",))
    failures = gauge("facet_provider_failures", "Failures at the provider in the last 15 minutes.", ("provider",))
    broken = gauge("facet_provider_breaker_open", "Whether calls are held back because they only fail.", ("provider",))
    opened = breakers_open()
    for row in provider_rows(Provider.objects.all()):
        name = (row.provider.slug,)
        add(enabled, name, row.provider.is_enabled)
        add(failures, name, row.failures)
        add(broken, name, row.provider.pk in opened)
    yield from (enabled, failures, broken)


def _log() -> Iterator[Metric]:
    state = SealState.objects.filter(pk=1).first() or SealState()
    yield from moment("facet_audit_sealed_timestamp_seconds", "Up to when the log is sealed.", state.sealed_at)
    yield from moment("facet_audit_verified_timestamp_seconds", "When the chain was last checked.", state.verified_at)
    if settings.AUDIT_S3_URL:
        message = "Up to when the log is copied to its archive."
        yield from moment("facet_audit_archived_timestamp_seconds", message, state.archived_at)
    problem = gauge("facet_audit_problem", "1 while the last check of the log found something changed.")
    add(problem, (), bool(state.problem))
    yield problem


def _traces() -> Iterator[Metric]:
    """Nothing is told of an export that is off."""
    found = traces()
    if found.state == "off":
        return
    exported = counter("facet_spans_exported", "Spans the collector of traces has taken.")
    dropped = counter("facet_spans_dropped", "Spans the collector of traces refused for good.")
    failures = gauge("facet_traces_failures", "How often in a row the collector has not taken traces.")
    add(exported, (), found.exported)
    add(dropped, (), found.dropped)
    add(failures, (), found.failures)
    yield from (exported, dropped, failures)
