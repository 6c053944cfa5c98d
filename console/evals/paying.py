"""Make each call of a run or a replay once, whatever happens to the process that makes it.

The request's id is written down before the call. Whoever goes on later finds it, and asks the log what came of it: an
answer that is on record is taken from there; a call whose answer is lost is not made again.
"""

import uuid
from typing import Any, NamedTuple

import orjson
from django.db import transaction

from console.audit.models import AuditEvent, EventType, Payload, Status
from console.core.connections import in_thread
from console.core.errors import Refusal
from console.core.ids import time_of, uuid7
from console.core.lanes import Lane
from console.evals.models import Outcome
from console.gateway import pipeline
from console.gateway.asks import make_ask
from console.gateway.operations import OPERATIONS
from console.gateway.refusing import Identify
from usage_app.models import Reservation

SURFACE = "evaluation"


class Lost(Refusal):
    """A call was made, and nobody can say any more what it answered."""

    status, code = 409, "answer_lost"


class Paid(NamedTuple):
    """An answer with the log's line of it."""

    id: uuid.UUID
    body: bytes
    line: AuditEvent

    @property
    def tokens(self) -> int:
        return self.line.prompt_tokens + self.line.completion_tokens

    @property
    def cost_micros(self) -> int:
        return self.line.cost_micros

    @property
    def latency_us(self) -> int | None:
        return self.line.latency_us


async def pay(identify: Identify, outcome: Outcome, step: str, operation: str, body: dict[str, Any]) -> Paid:
    """Make the call `step` of an outcome, or return what it came to when it has been made."""
    identifier, is_new = await in_thread(lambda: _claim(outcome, step))
    if not is_new:
        made = await in_thread(lambda: _made(identifier))
        if made is not None:
            return made
    ask = make_ask(
        operation,
        OPERATIONS[operation].check(body),
        text=orjson.dumps(body).decode(),
        id=identifier,
        at=time_of(identifier),
        type=EventType.EVALUATION,
        surface=SURFACE,
        route="",
        lane=Lane.BATCH,
    )
    call = await pipeline.open_call(identify, ask)
    answer = await pipeline.answer(call)
    line = await in_thread(lambda: AuditEvent.objects.get(pk=identifier))
    return Paid(identifier, answer, line)


def _claim(outcome: Outcome, step: str) -> tuple[uuid.UUID, bool]:
    """Return the id of a step's call, and whether it was chosen just now."""
    with transaction.atomic():
        row = type(outcome)._default_manager.select_for_update().only("id", "calls").get(pk=outcome.pk)
        if step in row.calls:
            return uuid.UUID(row.calls[step]), False
        identifier = uuid7()
        row.calls[step] = str(identifier)
        row.save(update_fields=["calls"])
        return identifier, True


def _made(identifier: uuid.UUID) -> Paid | None:
    """Return what a call came to, None when it was never made; Lost when it was and its answer is not to be had."""
    line = AuditEvent.objects.filter(pk=identifier).first()
    if line is None:
        if Reservation.objects.filter(pk=identifier).exists():
            raise Lost(
                "The worker stopped while this call was under way. It is not made twice by itself; run it again."
            )
        return None
    kept = Payload.objects.filter(event_id=identifier, kind="output").first()
    if line.status != Status.OK or kept is None or kept.is_cut or kept.redactions:
        raise Lost("The worker stopped before this answer was looked at, and the log does not have it whole.")
    return Paid(identifier, kept.body.encode(), line)
