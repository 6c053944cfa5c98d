"""Send a batch's lines, several at once, until none is left or other batches want a turn.

look       once a second: renew the lease, see whether the batch was cancelled or its time is over
recover    lines an earlier worker left behind are asked after in the log
claim      mark the next lines as sent, with the ids of their requests, in one transaction
send       each is a call on the gateway's event loop; this thread waits without a transaction
record     outcomes and counts in one transaction
"""

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, wait

from django.conf import settings
from django.db import transaction
from django.db.models import Min, Q, QuerySet
from django.db.models.functions import Now

from console.batches import sql, storage
from console.batches.engine import lease, recovery
from console.batches.engine.line_calls import Sending, refuse
from console.batches.engine.outcomes import Again, Outcome, Unknown
from console.batches.engine.parsing import Parsed, ask_for, parse
from console.batches.engine.results import Finding, record
from console.batches.identity import identity_of
from console.batches.models import Batch, Line, LineState, State
from console.core.clock import now
from console.core.errors import Refusal
from console.core.ids import time_of, uuid7
from console.gateway import sync

# How long one worker keeps a batch: the broker must not deliver its message again, and others want a turn.
_TURN = 240.0
_TURN_WHEN_OTHERS_WAIT = 15.0
# A wait up to this long is spent here; for a longer one the batch is put down.
_SHORT_WAIT = 5.0

# Set when the worker is told to stop: no further line starts, and the open ones end.
stopping = threading.Event()


class Driver:
    """One worker's turn with one batch."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._reader = storage.Reader(batch.input_file_id)
        self._open: dict[Future[Outcome], tuple[Line, Sending]] = {}
        self._began, self._looked = time.monotonic(), 0.0
        self._has_left = True  # lines of a worker before this one
        self._recovered = 0.0
        self._hold_until = 0.0
        self._hold_reason = ""

    def run(self) -> bool:
        """Return True when every line has ended and the files can be written; otherwise the lease is given back."""
        while True:
            self._look()
            self._recover()
            if self._batch.ends_as or stopping.is_set():
                self._let_go()
            if self._is_turn_over():
                if not self._open:
                    lease.release(self._batch)
                    return False
            elif not self._batch.ends_as and time.monotonic() >= self._hold_until:
                self._claim()
            if not self._open and (verdict := self._idle()) is not None:
                return verdict
            self._collect()

    def _look(self) -> None:
        if time.monotonic() - self._looked < 1.0:
            return
        self._looked = time.monotonic()
        lease.change(self._batch)
        self._batch.refresh_from_db(fields=["ends_as", "state"])
        if not self._batch.ends_as and self._batch.expires_at <= now():
            ended = Batch.objects.filter(pk=self._batch.pk, ends_as="").update(ends_as=State.EXPIRED)
            self._batch.ends_as = State.EXPIRED if ended else self._batch.ends_as

    def _recover(self) -> None:
        if not self._has_left or time.monotonic() - self._recovered < 1.0:
            return
        self._recovered = time.monotonic()
        findings, self._has_left = recovery.recover(self._batch)
        if findings:
            record(self._batch, findings)

    def _is_turn_over(self) -> bool:
        if stopping.is_set():
            return True
        length = time.monotonic() - self._began
        if length < _TURN_WHEN_OTHERS_WAIT:
            return False
        return length > _TURN or Batch.objects.filter(lease.free()).exclude(pk=self._batch.pk).exists()

    def _claim(self) -> None:
        """Mark as many lines as there is room for, and start their calls."""
        room = settings.BATCH_CONCURRENCY - len(self._open)
        if room <= 0:
            return
        latest = time.monotonic() + settings.BATCH_LEASE_SECONDS / 2  # before the ids, which others go by
        with transaction.atomic():
            lines = list(self._ready().order_by("number")[:room])
            for line in lines:
                line.state, line.request_id, line.fence = LineState.SENT, uuid7(), self._batch.fence
            if lines:
                lease.change(self._batch)
                sql.mark_sent({line.pk: line.request_id for line in lines if line.request_id}, fence=self._batch.fence)
        for line in lines:
            self._start(line, latest)

    def _ready(self) -> "QuerySet[Line]":
        return self._pending().filter(Q(not_before=None) | Q(not_before__lte=Now()))

    def _pending(self) -> "QuerySet[Line]":
        return Line.objects.filter(batch=self._batch, state=LineState.PENDING)

    def _start(self, line: Line, latest: float) -> None:
        assert line.request_id is not None
        batch, at = self._batch, time_of(line.request_id)
        identify = identity_of(batch, at)
        raw = self._reader.read(line.offset, line.length)
        refusal: Refusal | None = None
        try:
            parsed = parse(raw, batch.endpoint)
        except Refusal as wrong:
            parsed, refusal = Parsed(line.custom_id, {}, ""), wrong
        ask = ask_for(
            parsed,
            batch.endpoint,
            request_id=line.request_id,
            at=at,
            client_address=batch.client_address,
            metadata=batch.metadata,
        )
        sending = Sending()
        call = refuse(identify, ask, refusal) if refusal else sending.send(identify, ask, latest=latest)
        self._open[sync.start(call)] = line, sending

    def _let_go(self) -> None:
        """Give up the lines that wait for their turn at a provider, which may take minutes."""
        for _, sending in self._open.values():
            sync.soon(sending.let_go)

    def _collect(self) -> None:
        """Wait for an answer, at most until something else is to be seen to, and store what came."""
        if not self._open:
            stopping.wait(0.2)
            return
        ended, _ = wait(self._open, timeout=0.5, return_when=FIRST_COMPLETED)
        findings = [Finding(self._open.pop(call)[0], call.result()) for call in ended]
        for _, outcome in findings:
            if isinstance(outcome, Again):
                self._hold_reason = outcome.failure.message
                if outcome.holds:
                    self._hold_until = time.monotonic() + outcome.seconds
            self._has_left |= isinstance(outcome, Unknown)
        if findings:
            record(self._batch, findings)

    def _idle(self) -> bool | None:
        """Say what to do while no call is open: True to finish, False when the batch was put down, None to wait."""
        self._batch.refresh_from_db(fields=["ends_as", "state"])
        if Line.objects.filter(batch=self._batch, state=LineState.SENT).exists():
            self._has_left = True
            return None
        if self._batch.ends_as or not self._pending().exists():
            return True
        wait_for = self._hold_until - time.monotonic()
        if wait_for <= 0 and not self._ready().exists():
            earliest = self._pending().aggregate(at=Min("not_before"))["at"]
            wait_for = (earliest - now()).total_seconds() if earliest else 0
        if wait_for > _SHORT_WAIT:
            lease.release(self._batch, wait=wait_for, waits_for=self._hold_reason)
            return False
        return None
