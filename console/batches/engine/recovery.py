"""Recover lines whose worker died or lost its lease: the log says how their calls ended.

1. An end record that is `ok` has the answer beside it. It is the line's, and nothing is sent again.
2. A reservation without an end record is a call that is still open somewhere, or that the sweeper will end. It waits.
3. Any other end, or no trace at all: the line is sent again, a few times at most.
"""

import uuid

from django.conf import settings

from console.audit.models import AuditEvent, Payload, Status
from console.batches.engine.outcomes import Again, Done, Failed, Outcome, Used
from console.batches.engine.results import Finding
from console.batches.models import Batch, Line, LineState
from console.core.clock import now
from console.gateway.errors import TOO_LATE
from usage_app.models import Reservation

_AT_ONCE = 32


def is_settled(request: uuid.UUID) -> bool:
    """Return whether a call without a trace can leave none any more, because its worker's lease has expired."""
    return request.int >> 80 < (now().timestamp() - settings.BATCH_LEASE_SECONDS) * 1000


def recover(batch: Batch) -> tuple[list[Finding], bool]:
    """Return what is known of left lines now, and whether there are any at all."""
    lines = list(
        Line.objects.filter(batch=batch, state=LineState.SENT, fence__lt=batch.fence).order_by("number")[:_AT_ONCE]
    )
    if not lines:
        return [], False
    requests = [line.request_id for line in lines if line.request_id]
    open_ones = set(Reservation.objects.filter(pk__in=requests).values_list("pk", flat=True))
    events = {event.pk: event for event in AuditEvent.objects.filter(pk__in=requests)}
    outputs = {
        payload.event_id: payload
        for payload in Payload.objects.filter(event_id__in=[e.pk for e in events.values()], kind="output")
    }
    found = []
    for line in lines:
        event = events.get(line.request_id) if line.request_id else None
        if (
            event is None
            and line.request_id is not None
            and (line.request_id in open_ones or not is_settled(line.request_id))
        ):
            continue
        found.append(Finding(line, outcome_of(event, outputs.get(event.pk) if event is not None else None)))
    return found, True


def outcome_of(event: AuditEvent | None, output: Payload | None) -> Outcome:
    """Return what the log says of a call that somebody made who is gone."""
    if event is None:
        return Again(
            Failed(500, "interrupted", "The worker stopped before it sent the line.", "api_error"), 0, counts=False
        )
    if event.status == Status.OK:
        if output is None or output.is_cut:
            message = "The answer came, but its worker stopped, and the log does not keep the whole of it."
            return Failed(500, "answer_not_kept", message, "api_error")
        return Done(
            output.body.encode(),
            Used(
                event.prompt_tokens,
                event.cached_tokens,
                event.completion_tokens,
                event.reasoning_tokens,
                event.cost_micros,
            ),
        )
    code = event.code or event.status
    message = (
        "The worker stopped during the call." if event.status == Status.INTERRUPTED else f"The call ended: {code}."
    )
    is_no_fault_of_it = event.status == Status.REFUSED or event.code == TOO_LATE
    return Again(Failed(event.http_status or 500, code, message, "api_error"), 0, counts=not is_no_fault_of_it)
