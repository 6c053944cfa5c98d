"""Make each call of a run or replay once, even if its process dies.

The request's id is stored before the call. Whoever continues later finds it, and asks the log what came of it: an
answer that is recorded is taken from there, a call that is still open is waited for, one of which nothing was sent is
made again, and a call whose answer is lost is not made again.
"""

import asyncio
import time
import uuid
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction

from console.audit.models import AuditEvent, EventType, Payload, Status
from console.core.clock import now
from console.core.connections import in_thread
from console.core.errors import ProviderError, Refusal
from console.core.ids import time_of, uuid7
from console.core.lanes import Lane
from console.evals.models import Outcome
from console.gateway import pipeline
from console.gateway.asks import own_ask
from console.gateway.errors import TOO_LATE, AnswerUnrecorded, QuotaExceeded
from console.gateway.refusals import Identify
from console.gateway.types import Call
from usage_app.models import Reservation

SURFACE = "evaluation"
_STOPPED = "The worker stopped while this call was under way. It is not made twice by itself; run it again."
_GIVEN_UP, _FULL = "given_up", "upstream_full"
# No call takes so long: one that is open longer is of a worker that died, and could not be ended.
_LONGEST_CALL = 3600.0
_PAUSE = 5.0
# Calls that ended so were never sent: another takes their place.
_NOT_SENT = frozenset({TOO_LATE, _GIVEN_UP, _FULL})
# How long an outcome waits in its place for a limit, where nobody else could continue with it.
_IN_PLACE = 120.0


class Lost(Refusal):
    """A call was made, and nobody can say any more what it answered."""

    status, code = 409, "answer_lost"


class Postponed(Exception):
    """A call is not made now, or what came of it is not known yet; the outcome is tried again after so many seconds.

    `why` is a limit's sentence: the others need not try before, either.
    """

    def __init__(self, seconds: float = 1.0, why: str = "") -> None:
        super().__init__(seconds, why)
        self.seconds, self.why = seconds, why


class Answer(NamedTuple):
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


class OutcomeCalls:
    """Makes the calls of one outcome in one worker's turn, on the gateway's event loop."""

    def __init__(self, kind: type[Outcome], outcome_id: uuid.UUID, *, may_wait: bool = True) -> None:
        self.outcome_id = outcome_id
        self._may_wait = may_wait  # for a limit's window; otherwise what it says is an error
        self._rows = kind._default_manager.filter(pk=outcome_id)
        self._is_closing = self._has_answer = False
        self._is_kept = True  # the log has all that was answered so far, so that anybody may continue from there
        self._task: asyncio.Task[Any] | None = None
        self._call: Call | None = None

    @property
    def is_admitted(self) -> bool:
        """Return whether a call of it is open: its limits had room."""
        return self._call is not None

    def close(self) -> None:
        """Begin no further call, so that others can continue from here; what is in progress at the provider continues.

        Where the log keeps less than was answered, nobody else can judge that: then the outcome is seen to its end.
        """
        self._is_closing = True
        if self._is_kept:
            self._let_go()

    def stop(self) -> None:
        """Give up an outcome of which nothing was asked yet; what was answered is judged."""
        if not self._has_answer:
            self._let_go()

    def _let_go(self) -> None:
        """Give up a call that waits for its turn at the provider."""
        call = self._call
        if self._task is not None and call is not None and call.is_waiting and not call.cut_off:
            call.cut_off = _GIVEN_UP
            self._task.cancel()

    async def make(self, identify: Identify, step: str, operation: str, body: dict[str, Any]) -> Answer:
        """Make the call `step`, or return what it came to when it has been made; Postponed when not now."""
        until = time.monotonic() + _IN_PLACE
        while True:
            try:
                return await self._make(identify, step, operation, body)
            except (QuotaExceeded, ProviderError) as error:
                passes = error.will_pass if isinstance(error, QuotaExceeded) else error.code == _FULL
                if not passes or not self._may_wait:
                    raise
                wait = float(error.retry_after or _PAUSE)
                if self._is_kept:
                    raise Postponed(wait, error.message) from None
                if self._is_closing or time.monotonic() + wait > until:
                    raise
            await asyncio.sleep(wait)

    async def _make(self, identify: Identify, step: str, operation: str, body: dict[str, Any]) -> Answer:
        latest = time.monotonic() + settings.BATCH_LEASE_SECONDS / 2  # before the id, which others go by
        claimed = await in_thread(lambda: self._claim(step))
        if isinstance(claimed, Answer):
            self._has_answer = True
            return claimed
        ask = own_ask(
            operation, body, id=claimed, type=EventType.EVALUATION, surface=SURFACE, route="", lane=Lane.BATCH
        )
        answer = await self._answer(await pipeline.open_by(identify, ask, latest))
        line, is_whole = await in_thread(lambda: _recorded(claimed))
        self._is_kept, self._has_answer = self._is_kept and is_whole, True
        return Answer(claimed, answer, line)

    async def _answer(self, call: Call | None) -> bytes:
        if call is None:  # it came too late, and was not sent
            raise Postponed
        self._task, self._call = asyncio.current_task(), call
        try:
            return await pipeline.answer(call)
        except AnswerUnrecorded:  # the log will say
            raise Postponed from None
        except asyncio.CancelledError:
            if self._task is None or call.cut_off != _GIVEN_UP or self._task.uncancel():
                raise
            raise Postponed from None
        finally:
            self._call = None

    def _claim(self, step: str) -> uuid.UUID | Answer:
        """Return the id of a step's call, chosen just now; or what it came to."""
        with transaction.atomic():
            row = self._rows.select_for_update(no_key=True).only("id", "calls").get()
            made = _recorded_answer(uuid.UUID(row.calls[step])) if step in row.calls else None
            if made is not None:
                return made
            if self._is_closing and self._is_kept:
                raise Postponed
            identifier = uuid7()
            row.calls[step] = str(identifier)
            row.save(update_fields=["calls"])
            return identifier


def _output(identifier: uuid.UUID) -> Payload | None:
    """Return what the log keeps of an answer if that is all of it."""
    return Payload.objects.filter(event_id=identifier, kind="output", is_cut=False, redactions=0).first()


def _recorded(identifier: uuid.UUID) -> tuple[AuditEvent, bool]:
    """Return the log's line of a call that was answered, and whether the log has the whole answer."""
    whole = Payload.objects.filter(event_id=identifier, kind="output", is_cut=False, redactions=0)
    return AuditEvent.objects.get(pk=identifier), whole.exists()


def _recorded_answer(identifier: uuid.UUID) -> Answer | None:
    """Return what a call came to, None when nothing was sent; Lost when something was and its answer is not to be had.

    A call that is open is somebody's who may yet end it; when its worker died the sweeper does. One that has left no
    trace may still begin as long as its worker could have the lease.
    """
    is_open = Reservation.objects.filter(pk=identifier).exists()
    line = None if is_open else AuditEvent.objects.filter(pk=identifier).first()
    if line is None:
        age = (now() - time_of(identifier)).total_seconds()
        if age <= (_LONGEST_CALL if is_open else settings.BATCH_LEASE_SECONDS):
            raise Postponed
        if is_open:
            raise Lost(_STOPPED)
        return None
    if line.status == Status.REFUSED or line.code in _NOT_SENT:
        return None
    if line.status == Status.INTERRUPTED:
        raise Lost(_STOPPED)
    kept = _output(identifier)
    if line.status != Status.OK or kept is None:
        raise Lost("The worker stopped before this answer was looked at, and the log does not have it whole.")
    return Answer(identifier, kept.body.encode(), line)
