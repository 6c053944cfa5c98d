"""Recover a model call whose worker is gone: the log says how it ended.

1. An end that is `ok` has the answer beside it. It is the step's, and nothing is asked or paid again.
2. A reservation without an end is a call that is still open somewhere, or that the sweeper will end. It waits.
3. Any other end, or no trace at all: the step has failed, and the model is asked again, a few times at most.
"""

from typing import NamedTuple

from django.conf import settings

from agents_app.engine.model_calls import Outcome, Trouble, Unknown, answered
from agents_app.engine.tool_records import LOST
from agents_app.models import Step
from console.audit.models import AuditEvent, Payload, Status
from console.core.clock import now
from console.gateway.errors import TOO_LATE
from usage_app.models import Reservation


class PastOutcome(NamedTuple):
    """What came of a call; with an answer, its text as it stands in the log."""

    outcome: Outcome
    body: bytes = b""


def look_up(step: Step) -> PastOutcome:
    """Return what came of the call a step has begun."""
    assert step.request_id is not None
    # Asked first: a call that ends between the two questions has its line by the second.
    is_open = Reservation.objects.filter(pk=step.request_id).exists()
    event = AuditEvent.objects.filter(pk=step.request_id).first()
    if event is None:
        if is_open or not _is_settled(step):
            return PastOutcome(Unknown())
        return PastOutcome(Trouble("not_sent", "The worker stopped before it asked the model.", 0, counts=False))
    if event.status != Status.OK:
        is_cut = event.status == Status.INTERRUPTED or event.code in {LOST, TOO_LATE}
        message = "The worker stopped during the call." if is_cut else "The call failed."
        is_unsent = event.status == Status.REFUSED or event.code == TOO_LATE
        return PastOutcome(Trouble(event.code or event.status, message, 0, counts=not is_unsent))
    kept = Payload.objects.filter(event_id=event.pk, kind="output").first()
    # What the log took out of an answer, or cut from it, cannot be put back; only then it is asked for again.
    if kept is None or kept.is_cut or kept.redactions:
        return PastOutcome(
            Trouble("answer_not_kept", "The worker stopped, and the log does not keep the whole answer.", 0)
        )
    body = kept.body.encode()
    return PastOutcome(answered(body, event.model, event.cost_micros), body)


def _is_settled(step: Step) -> bool:
    """Return whether a call without a trace can leave none any more, because its worker's lease has expired."""
    assert step.request_id is not None
    return step.request_id.int >> 80 < (now().timestamp() - settings.AGENT_LEASE_SECONDS) * 1000
