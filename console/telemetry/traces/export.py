"""Follow the log and hand it to the collector, a batch at a time.

1. Whoever claims the row exports, for a while; a process that dies is followed by the next one.
2. A batch is sent, and only then is the place in the log moved: what a crash repeats, a collector knows by its ids.
3. A collector in trouble is asked again after a pause that doubles up to five minutes, with ever smaller batches.
4. A batch with which it finds fault is halved at once until one span is to blame. That one is sent three times; if it
   takes a request without spans meanwhile, or has found fault for half an hour, the span is left out, counted and
   named in the process's log, as is a line no span can be made of. Nothing else is ever skipped.
5. Nobody waits for any of this: calls know nothing of it, and no transaction is open while the network is slow.
"""

import datetime as dt
import logging
import time
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import F, Q

from agents_app.models import Run
from console.audit.actions import RUN_ENDED
from console.audit.models import AuditEvent
from console.catalog.models import Provider
from console.core.clock import now
from console.telemetry.models import TraceExport
from console.telemetry.traces import reader
from console.telemetry.traces.reader import Place

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from console.telemetry.traces.spans import Names

log = logging.getLogger(__name__)

BATCH = 512
# So often a span alone is sent, if nothing else is wrong with the collector.
_TRIES = 3
# After so many failures in a row it is to blame whatever the collector says to others.
_PATIENCE = 10
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 300.0
_CLAIM = dt.timedelta(seconds=90)
# Whoever switches the export on again after so long wants what happens now.
_FORGOTTEN = dt.timedelta(days=7)


def export(seconds: float = 20.0) -> int:
    """Export what is new for at most about so long. Returns how many spans the collector has taken."""
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT or (state := _claim()) is None:
        return 0
    total, deadline, goes_on = 0, time.monotonic() + seconds, True
    size = max(1, BATCH >> state.failures)
    try:
        while goes_on and time.monotonic() < deadline:
            taken, goes_on, size = _one_batch(state, size)
            total += taken
    finally:
        _save(state, claimed_until=None, looked_at=now())
    return total


def _claim() -> TraceExport | None:
    """Return the row for as long as nobody else has it; None while it is taken or pauses."""
    moment = now()
    start = reader.horizon()
    TraceExport.objects.get_or_create(pk=1, defaults={"next_tx": start.tx})
    free = Q(claimed_until=None) | Q(claimed_until__lt=moment)
    due = Q(not_before=None) | Q(not_before__lte=moment)
    rows = TraceExport.objects.filter(free, due, pk=1)
    if not rows.update(fence=F("fence") + 1, claimed_until=moment + _CLAIM):
        return None
    state = TraceExport.objects.get(pk=1)
    if state.looked_at < moment - _FORGOTTEN:
        log.info("The export of traces was off for a week or longer: it goes on from now.")
        _save(state, next_tx=start.tx, after_id=start.after)
    return state


def _save(state: TraceExport, **changes: object) -> bool:
    """Store changes, unless somebody else has claimed the row since."""
    for name, value in changes.items():
        setattr(state, name, value)
    return bool(TraceExport.objects.filter(pk=1, fence=state.fence).update(**changes))


def _one_batch(state: TraceExport, size: int) -> tuple[int, bool, int]:
    """Send the next spans. Returns how many were taken, whether there are more to try now, and how many at once."""
    # The format and what writes it are loaded where something is exported, and by nobody else.
    from console.telemetry.traces import exporter
    from console.telemetry.traces.spans import Names

    found = reader.read(Place(state.next_tx, state.after_id), size)
    if not found.events:
        return 0, _save(state, next_tx=found.end.tx, after_id=found.end.after) and not found.is_last, size
    names = Names({provider.slug: provider.host for provider in Provider.objects.all()}, _agents(found.events))
    spans = _spans(found.events, names)
    try:
        taken = exporter.send(spans) if spans else exporter.Taken()
    except exporter.NotTaken as error:
        if error.is_refusal and len(found.events) > 1:
            return 0, True, len(found.events) // 2
        is_patience_over = state.failures >= _PATIENCE
        is_to_blame = error.is_refusal and (is_patience_over or _takes_others(state))
        if is_to_blame:
            log.warning("The collector refuses the span of %s for good; it is left out: %s", found.events[0].pk, error)
            end = {"next_tx": found.end.tx, "after_id": found.end.after, "claimed_until": now() + _CLAIM}
            _save(state, **end, dropped=state.dropped + 1)
        if is_to_blame and not is_patience_over:
            return 0, True, 1
        _note(state, str(error), error.retry_after)  # who refuses everything gets at most one span in five minutes
        return 0, False, size
    if state.failures:
        log.info("The collector takes traces again.")
    exported = len(spans) - taken.rejected
    problem = f"It rejected {taken.rejected} spans. {taken.why}".strip() if taken.rejected else ""
    goes_on = _save(
        state,
        next_tx=found.end.tx,
        after_id=found.end.after,
        exported=state.exported + exported,
        dropped=state.dropped + len(found.events) - exported,
        exported_at=now(),
        claimed_until=now() + _CLAIM,
        failures=0,
        not_before=None,
        problem=problem[:300],
        problem_at=now() if problem else state.problem_at,
    )
    return exported, goes_on and not found.is_last, min(BATCH, size * 4)


def _takes_others(state: TraceExport) -> bool:
    """Return whether a span refused alone three times is at fault, and not a collector that refuses everything."""
    from console.telemetry.traces import exporter

    if state.failures + 1 < _TRIES:
        return False
    try:
        exporter.send([])
    except exporter.NotTaken:
        return False
    return True


def _spans(events: list[AuditEvent], names: "Names") -> "list[Span]":
    """Return the spans of lines. One that none can be made of is left out: it would hold up all that come later."""
    from console.telemetry.traces.spans import span_of

    made = []
    for event in events:
        try:
            made.append(span_of(event, names))
        except Exception:
            log.exception("No span can be made of the record %s; it is left out.", event.pk)
    return made


def _agents(events: list[AuditEvent]) -> dict[str, str]:
    """Return the agents of the runs that end here, by the run's id."""
    runs = [event.target_id for event in events if event.action == RUN_ENDED.name]
    found = Run.objects.filter(pk__in=runs).values_list("pk", "agent__slug") if runs else ()
    return {str(run): agent for run, agent in found}


def _note(state: TraceExport, problem: str, retry_after: float) -> None:
    if not state.failures:
        log.warning("Traces are not taken, and will be sent again: %s", problem)
    pause = min(_LONGEST_PAUSE, max(retry_after, _FIRST_PAUSE * 2 ** min(state.failures, 10)))
    _save(
        state,
        failures=state.failures + 1,
        not_before=now() + dt.timedelta(seconds=pause),
        problem=problem[:300],
        problem_at=now(),
    )
