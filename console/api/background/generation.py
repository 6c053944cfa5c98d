"""Generate one background response: a call of the pipeline that a worker makes.

recover    a worker that is gone may have made the call already: the log says what came of it
claim      the request's id is committed before anything is sent
call       opened, relayed and closed like every other; its events are kept as they come
look       several times a second keep events; each second renew the lease, and see whether the key may continue
end        the state and the last events in one transaction, after the call is recorded

A limit that passes and a full provider put it back. What may have been sent is never sent again: a call whose worker
died in the middle is an honest failure, and is charged once.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
from django.conf import settings
from django.db import InterfaceError, OperationalError

from console.api import conversations
from console.api.background import rows, shapes
from console.api.background.rows import LeaseLost, State
from console.api.models import BackgroundResponse
from console.audit.models import AuditEvent, Payload
from console.batches.engine.line_calls import of_refused
from console.batches.engine.outcomes import Again, Done, Failed
from console.batches.engine.recovery import is_settled, outcome_of
from console.core.clock import now
from console.core.connections import in_thread
from console.core.errors import ProviderError, Refusal
from console.core.ids import time_of, uuid7
from console.gateway import pipeline
from console.gateway.continuation import may_continue
from console.gateway.errors import AnswerUnrecorded
from console.gateway.identity import KeyRefused, StartedByKey
from console.gateway.refusals import Identify
from console.gateway.relay import give_up
from console.gateway.responses.stream import ResponseStream
from console.gateway.shapes.responses import REFERENCE, items_of, kind_of
from console.gateway.types import Ask, Call
from console.teams.callers import caller_of
from usage_app.models import Reservation

log = logging.getLogger(__name__)

_KEEP_SECONDS, _LOOK_SECONDS, _UNSURE_SECONDS = 0.2, 1.0, 1.0
_WORDS = {429: "rate_limit_exceeded"}
_PUT_DOWN, _ACCESS_ENDED, _STOPPED, _TAKEN = "given_up", "access_ended", "shutting_down", "cancelled"
_STOPPED_SENTENCE = "The console was stopped during the answer; ask anew."
# Workers that may die with a response before anything of it was sent. A restart is none of its faults; five may be.
_MOST_LOST = 5

Answer = dict[str, Any]


class Expired(Refusal):
    status, code = 408, "expired"


class WorkersLost(Refusal):
    """What has ended several workers would continue to end all there are."""

    status, code = 500, "workers_lost"


def _request_of(row: BackgroundResponse) -> tuple[uuid.UUID, float]:
    """Return the id of the call to make, and how old it is: its own, if its turn came at once."""
    age = (now() - row.created_at).total_seconds()
    is_first = row.fence == 1 and 0 <= age < settings.BATCH_LEASE_SECONDS / 6
    return (row.pk, age) if is_first else (uuid7(), 0.0)


def _workers_lost(row: BackgroundResponse) -> WorkersLost:
    return WorkersLost(
        f"{row.lost_workers} workers stopped before they could make the call, so it is not tried again; nothing was"
        " sent. Ask anew, and if that ends the same, tell an operator: the workers' logs say why they stopped."
    )


def _is_cut(row: BackgroundResponse) -> bool:
    """Return whether the log keeps a part only of what was answered."""
    assert row.request_id is not None
    return Payload.objects.filter(event_id=row.request_id, kind="output", is_cut=True).exists()


class Answering:
    """One response at one worker. All of it happens on the gateway's event loop, but for what reads and writes rows."""

    def __init__(self, row: BackgroundResponse) -> None:
        self._row = row
        self._call: Call | None = None
        self._task = asyncio.current_task()
        self._is_over = asyncio.Event()
        self._frames: list[bytes] = []  # told, and not kept yet
        self._passed_over = 0  # of the events, which were told when it was created
        self._why = ""  # the call was cut off

    async def run(self) -> None:
        """Carry the response as far as it goes now; harmless where somebody else ended it meanwhile."""
        try:
            if await self._is_made():
                return
            if self._row.lost_workers > _MOST_LOST:  # the one before could not say so, either
                await in_thread(partial(self._refused, _workers_lost(self._row)))
                return
            await self._ask()
        except LeaseLost:
            log.info("%s was cancelled, or another worker has it.", self._row.public_id)
        except asyncio.CancelledError:
            if self._task is None or not self._why or self._task.uncancel():
                raise
            await in_thread(self._end_cut)
        except (OperationalError, InterfaceError):
            log.warning("The database is away; %s goes on with another worker.", self._row.public_id)
        except Exception:
            log.exception("%s could not be answered.", self._row.public_id)
            await in_thread(partial(self._fail, "server_error", "Something broke on our side."))

    def stop(self, *, at_once: bool) -> None:
        """Put it down because the process stops: what only waits for its turn at the provider, or at once all of it."""
        call = self._call
        if call is not None and not call.is_closed and (call.is_waiting or at_once):
            self._cut(_PUT_DOWN if call.is_waiting else _STOPPED)

    def _cut(self, why: str) -> None:
        if self._why or self._task is None:
            return
        self._why = why
        if self._call is None:  # it comes to be recorded first; then nothing is sent
            return
        if why != _STOPPED:  # a call whose process stops is interrupted, whoever made it
            self._call.cut_off = why
        self._task.cancel()

    def _end_cut(self) -> None:
        if self._why == _PUT_DOWN:
            rows.release(self._row, wait=0, state=State.QUEUED, request_id=None)
        elif self._why == _ACCESS_ENDED:
            self._fail(_ACCESS_ENDED, "The key's access ended during the answer.")
        elif self._why == _STOPPED:
            self._fail("server_error", _STOPPED_SENTENCE)

    async def _is_made(self) -> bool:
        """Return whether the call of a worker before this one settles it, now or once that is known."""
        if self._row.request_id is None:
            return False
        return await in_thread(self._recover)

    def _recover(self) -> bool:
        row = self._row
        assert row.request_id is not None
        # In this order: a call that ends in between has its line when that is looked for.
        is_open = Reservation.objects.filter(pk=row.request_id).exists()
        event = AuditEvent.objects.filter(pk=row.request_id).first()
        if event is None and (is_open or not is_settled(row.request_id)):
            rows.release(row, wait=_UNSURE_SECONDS)  # it is in progress somewhere, or the sweeper will end it
            return True
        outcome = outcome_of(event, Payload.objects.filter(event_id=row.request_id, kind="output").first())
        if isinstance(outcome, Again) and not outcome.counts:
            return False  # nothing was sent
        if isinstance(outcome, Done):
            self._finish(orjson.loads(outcome.body), is_told=False)
        else:
            failure = outcome.failure if isinstance(outcome, Again) else outcome
            message = failure.message if isinstance(failure, Failed) else ""
            self._fail("server_error", f"{message} It was not asked again, since it may have been answered; ask anew.")
        return True

    async def _ask(self) -> None:
        row = self._row
        began = time.monotonic()  # before the id, whose time others go by
        request, age = _request_of(row)
        latest = began + settings.BATCH_LEASE_SECONDS / 2 - age
        await in_thread(partial(rows.change, row, request_id=request, state=State.IN_PROGRESS))
        row.request_id, row.state = request, State.IN_PROGRESS
        self._passed_over = row.told
        keeper = asyncio.create_task(self._keep())
        try:
            write = await self._outcome(request, latest)
        finally:
            self._is_over.set()
            await keeper  # it may be writing
        await in_thread(write)

    async def _outcome(self, request: uuid.UUID, latest: float) -> Callable[[], object]:
        """Make the call, and return what is to be written of it."""
        row = self._row
        identify = StartedByKey(row.key_id or request, row.client_address, time_of(request))
        ask = shapes.ask_of(row, shapes.body_of(row), id=request, at=time_of(request))
        try:
            if row.lost_workers >= _MOST_LOST:
                raise await pipeline.refuse(identify, ask, _workers_lost(row))
            if row.expires_at <= now():
                raise await pipeline.refuse(identify, ask, Expired("It did not come to its turn in time."))
            ask = await self._going_on(identify, ask)
            self._call = call = await pipeline.open_by(identify, ask, latest)
            if call is None:
                raise AnswerUnrecorded
            if self._why:
                await give_up(call, self._why)
                raise LeaseLost
            return partial(self._finish, await (self._stream(call) if row.is_stream else self._whole(call)))
        except AnswerUnrecorded:
            return partial(rows.release, row, wait=_UNSURE_SECONDS)  # the log will say
        except Refusal as refusal:
            return partial(self._refused, refusal)
        except ProviderError as error:
            return partial(self._trouble, error)

    async def _going_on(self, identify: Identify, ask: Ask) -> Ask:
        """Return the ask with the conversation it continues from, read with the rights its key has now."""
        items, previous = items_of(ask.body), ask.body.get("previous_response_id")
        names_items = any(kind_of(item) == REFERENCE for item in items)
        if previous is None and not names_items:
            return ask
        _, asker = await pipeline.look_up(identify, ask)
        key = asker.key
        assert key is not None
        caller = caller_of(key, self._row.client_address)
        try:
            if names_items:
                named = await in_thread(partial(conversations.named_items, caller, items))
                ask = replace(ask, body={**ask.body, "input": named})
            if previous is not None:
                ask = replace(ask, history=tuple(await in_thread(partial(conversations.history, caller, previous))))
        except Refusal as refusal:
            raise await pipeline.refuse(identify, ask, refusal) from None
        return ask

    async def _whole(self, call: Call) -> Answer:
        answer: Answer = orjson.loads(await pipeline.answer(call))
        return answer

    async def _stream(self, call: Call) -> Answer:
        async with aclosing(await pipeline.stream(call)) as frames:
            async for frame in frames:
                self._hear(frame)
        assert isinstance(call.reader, ResponseStream)
        return call.reader.answer()

    def _hear(self, frames: bytes) -> None:
        for frame in shapes.split(frames):
            if self._passed_over:
                self._passed_over -= 1
            else:
                self._frames.append(frame)

    async def _keep(self) -> None:
        """Keep what was told, and see whether this may continue."""
        looked = time.monotonic()
        while not self._is_over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_over.wait(), _KEEP_SECONDS)
                return
            try:
                if time.monotonic() - looked > _LOOK_SECONDS:
                    looked = time.monotonic()
                    if self._call and not self._call.is_closed and not may_continue(self._call, outlives_request=True):
                        self._cut(_ACCESS_ENDED)
                    await in_thread(partial(rows.change, self._row))
                if frames := list(self._frames):
                    await in_thread(partial(rows.tell, self._row, frames))
                    self._row.told += len(frames)
                    del self._frames[: len(frames)]
            except LeaseLost:
                self._cut(_TAKEN)
                return
            except (OperationalError, InterfaceError):
                log.warning("What %s says cannot be kept right now.", self._row.public_id)

    def _finish(self, response: Answer, *, is_told: bool = True) -> None:
        row, frames = self._row, self._frames
        # Who was told up to the end by somebody who is gone still waits for it; and what is too long for the log is
        # here as long as events are.
        if not is_told if row.is_stream else _is_cut(row):
            frames = shapes.answered_frames(row, response)
        rows.end(row, State.COMPLETED if response.get("status") == State.COMPLETED else State.INCOMPLETE, frames)

    def _refused(self, refusal: Refusal) -> None:
        if isinstance(refusal, KeyRefused):
            self._fail("key_refused", f"The key it was asked for with is refused: {refusal.reason}.")
            return
        outcome = of_refused(refusal)
        if isinstance(outcome, Again):
            rows.release(self._row, wait=outcome.seconds, state=State.QUEUED, request_id=None)
        else:
            self._fail(refusal.code, refusal.message)

    def _trouble(self, error: ProviderError) -> None:
        reader = self._call.reader if self._call is not None else None
        if isinstance(reader, ResponseStream):
            self._hear(reader.fail(error))
        usual = "server_error" if error.status >= 500 else error.code
        self._fail(_WORDS.get(error.status, usual), error.message, is_told=isinstance(reader, ResponseStream))

    def _fail(self, code: str, message: str, *, is_told: bool = False) -> None:
        row = self._row
        row.state, row.error_code, row.error_message = State.FAILED, code, message
        frames = list(self._frames)
        if not is_told:
            frames += shapes.last_frames(row, row.told + len(frames), code=code, message=message)
        rows.end(row, State.FAILED, frames, code=code, message=message)
