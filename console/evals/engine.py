"""Work through a test run or a replay: a few calls at a time, with a lease that others take over when a worker dies.

1. Claim the work (`lease.py`), and renew the lease while calls are in progress.
2. For each outcome that waits: ask, judge the answer, write what came of it. Calls are made once (`calls.py`).
3. When none waits any more, the work is done.

Where a limit of a minute or an hour is used up, all of it waits: for seconds here, for longer put down, so that others
have the thread. One outcome alone then finds out whether there is room. A day after the first wait, what a limit says
is an error of the outcome, as a spent budget's word is from the start.

All of it shares the batch lane: a worker gives half of its threads to it, for turns, which end early where other work
waits for one. What continues then is that of the team with the least in progress, and of that what has waited longest.

A worker that is told to stop begins no further call, gives up those that wait for their turn at a provider, sees those
in progress to their end and hands the rest back: the next worker continues at once.
"""

import asyncio
import datetime as dt
import logging
import threading
import time
import uuid
from contextlib import suppress
from typing import Generic

from django.conf import settings
from django.db import DatabaseError, DataError

from console.audit.redaction import prepare_payload, redact, storable
from console.core.clock import now
from console.core.connections import in_thread
from console.core.errors import ProviderError, Refusal
from console.evals import lease
from console.evals.calls import OutcomeCalls, Postponed
from console.evals.lease import Kind, OutcomeT, WorkT
from console.evals.models import Outcome, Work
from console.gateway import sync
from console.gateway.identity import PersonIdentity, StartedByKey
from console.gateway.refusals import Identify

log = logging.getLogger(__name__)

# Outcomes of one piece of work in progress at a time; the batch lane's permits hold all of it together.
_AT_ONCE = 4
# How often a turn looks whether it has to end, or has something to begin.
_LOOK = 0.2
# A wait up to this long is spent here. Where a limit's own word is too hopeful, each wait is longer than the last.
_SHORT_WAIT, _LONGEST_PAUSE, _LONGEST_WAIT = 5.0, 60.0, 300.0
# How long one worker keeps a piece of work, as of batches.
_TURN, _TURN_WHEN_OTHERS_WAIT = 240.0, 15.0

# Set when the worker is told to stop.
stopping = threading.Event()


def advance(kind: Kind[WorkT, OutcomeT], work_id: uuid.UUID) -> bool:
    """Go on with a piece of work until it is over, or its turn is. Safe to call twice, late or never.

    Returns whether others should have a look at what waits now.
    """
    work = lease.claim(kind, work_id)
    if work is None:
        return False
    mine = lease.leased(kind, work)
    turn = Turn(kind, work)
    if sync.run(turn.run()):
        mine.update(status=Work.Status.DONE, finished_at=now(), lease_until=None)
    elif turn.wait:
        moment = now()
        mine.update(
            lease_until=None,
            not_before=moment + dt.timedelta(seconds=turn.wait),
            waits_for=turn.waits_for[:500],
            held_since=work.held_since or moment,
        )
    elif turn.is_over:
        mine.update(lease_until=now())  # it stands behind those that have not had a turn since
    else:
        mine.update(lease_until=None)
        return False
    return True


def identity_of(work: Work, environment: str = "") -> Identify:
    """Return whoever started the work, with their rights of each moment."""
    if work.started_by_kind == "key":
        return StartedByKey(work.started_by_id, work.client_address, now())
    return PersonIdentity(work.started_by_id, work.team_id, environment or work.environment)


class Turn(Generic[WorkT, OutcomeT]):
    """One worker's turn with a piece of work, on the gateway's event loop."""

    def __init__(self, kind: Kind[WorkT, OutcomeT], work: WorkT) -> None:
        self._kind, self._work = kind, work
        self._mine = lease.leased(kind, work)
        self._waiting: list[tuple[float, uuid.UUID]] = []  # outcomes, and when to try them (monotonic)
        self._open: dict[asyncio.Task[Postponed | None], OutcomeCalls] = {}
        self._is_lost = False  # it was stopped, or somebody else has taken it
        self._is_closing = False
        self._is_at_end = asyncio.Event()
        self.waits_for = work.waits_for  # the limit that has to be waited for: whoever put it down said so
        self.wait = 0.0  # how long it is put down for
        self._hold_until = self._stuck_since = 0.0
        self._broken: BaseException | None = None
        self._began = time.monotonic()
        self.is_over = False  # though not all of it has been tried: others have a turn

    async def run(self) -> bool:
        """Return whether all outcomes have been tried. What was postponed is for the next turn."""
        keeper = asyncio.create_task(self._keep_lease())
        try:
            self._waiting = [(0.0, one) for one in await in_thread(self._left)]
            while self._waiting or self._open:
                if not self._must_end():
                    self._begin()
                elif not self._open:
                    break
                if not self._open and (wait := self._hold_until - time.monotonic()) > _SHORT_WAIT:
                    self.wait = wait
                    break
                await self._collect()
        finally:
            self._is_at_end.set()
            await keeper  # it may be writing: what is left would have a lease again
        if self._broken is not None:
            raise self._broken
        return not self._waiting and not self._is_lost

    def _left(self) -> list[uuid.UUID]:
        rows = self._kind.outcome._default_manager.filter(**{self._kind.of: self._work}, status=Outcome.Status.WAITING)
        return list(rows.values_list("pk", flat=True))

    async def _keep_lease(self) -> None:
        while not self._is_at_end.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_at_end.wait(), min(1.0, settings.BATCH_LEASE_SECONDS / 3))
                return
            try:
                renewed = await in_thread(lambda: self._mine.update(lease_until=now() + lease.length()))
                length = time.monotonic() - self._began
                if length > _TURN_WHEN_OTHERS_WAIT and not self.is_over:
                    self.is_over = length > _TURN or await in_thread(lambda: lease.others_wait(now()))
            except DatabaseError as error:
                log.warning("The lease of %s could not be renewed: %s.", self._work.pk, type(error).__name__)
            else:
                self._is_lost = not renewed

    def _must_end(self) -> bool:
        """Return whether nothing may begin any more, and have what is open come to its end."""
        if stopping.is_set() or self._broken is not None:
            if not self._is_closing:
                self._is_closing = True
                log.info("What is under way ends, and the rest is left to the next worker: %s.", self._work.pk)
            for calls in self._open.values():
                calls.close()
        elif self._is_lost:
            for calls in self._open.values():
                calls.stop()
        else:
            return self.is_over
        return True

    def _begin(self) -> None:
        moment = time.monotonic()
        if moment < self._hold_until:
            return
        if any(calls.is_admitted for calls in self._open.values()):
            self.waits_for, self._stuck_since = "", 0.0
        most = 1 if self.waits_for else _AT_ONCE
        ready = [one for one in self._waiting if one[0] <= moment][: max(0, most - len(self._open))]
        for one in ready:
            self._waiting.remove(one)
            calls = OutcomeCalls(self._kind.outcome, one[1], may_wait=self._may_wait())
            self._open[asyncio.create_task(self._try(calls))] = calls

    def _may_wait(self) -> bool:
        held = self._work.held_since
        return held is None or now() - held < dt.timedelta(seconds=settings.BATCH_WINDOW_SECONDS)

    def _hold(self, postponed: Postponed) -> None:
        """Begin nothing for as long as a limit says; longer where that turned out too short before."""
        moment = time.monotonic()
        self._stuck_since = self._stuck_since or moment
        pause = max(postponed.seconds, min(_LONGEST_PAUSE, (moment - self._stuck_since) / 4))
        self._hold_until = max(self._hold_until, moment + min(pause, _LONGEST_WAIT))
        self.waits_for = postponed.why

    async def _collect(self) -> None:
        """Wait for what is in progress, at most until something else is to be seen to."""
        if not self._open:
            await asyncio.sleep(_LOOK)
            return
        ended, _ = await asyncio.wait(self._open, timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            calls = self._open.pop(task)
            if (error := task.exception()) is not None:
                self._broken = error
            elif (postponed := task.result()) is not None:
                if postponed.why:
                    self._hold(postponed)
                self._waiting.append((0.0 if postponed.why else time.monotonic() + postponed.seconds, calls.outcome_id))

    async def _try(self, calls: OutcomeCalls) -> Postponed | None:
        """Ask for one outcome and write it; what goes wrong is the verdict of this one alone."""
        outcome = await in_thread(lambda: self._fresh(calls.outcome_id))
        if outcome is None:
            return None
        try:
            await self._kind.ask(self._work, outcome, calls)
        except Postponed as postponed:
            return postponed
        except (Refusal, ProviderError) as error:
            outcome.status, outcome.error = Outcome.Status.ERROR, error.message
        except Exception as broken:
            log.exception("%s of %s could not be tried.", outcome.pk, self._work.pk)
            outcome.status = Outcome.Status.ERROR
            outcome.error = f"Something broke on our side: {type(broken).__name__}."
        _cover(outcome)
        await in_thread(lambda: _keep(outcome))
        return None

    def _fresh(self, outcome_id: uuid.UUID) -> OutcomeT | None:
        """Return an outcome as it is now; None when it waits no more, or its work is not ours any more."""
        if not self._mine.exists():
            self._is_lost = True
            return None
        rows = self._kind.outcome._default_manager.filter(pk=outcome_id, status=Outcome.Status.WAITING)
        return (rows.select_related(*self._kind.joined_each) if self._kind.joined_each else rows).first()


def _cover(outcome: Outcome) -> None:
    """Keep of the answer what the log would keep: no secrets, not longer. It was judged as it came."""
    outcome.output = prepare_payload(outcome.output).body
    outcome.error = storable(outcome.error)
    for check in outcome.all_checks():
        check["reason"] = storable(redact(check["reason"])[0])


def _keep(outcome: Outcome) -> None:
    """Write what came of one try, unless somebody did. What cannot be written is an error of this one alone."""
    rows = type(outcome)._default_manager.filter(pk=outcome.pk, status=Outcome.Status.WAITING)
    try:
        rows.update(**{name: getattr(outcome, name) for name in outcome.KEPT})
    except (DataError, ValueError) as broken:  # their words may quote the answer
        log.error("What came of %s cannot be kept: %s.", outcome.pk, type(broken).__name__)
        rows.update(status=Outcome.Status.ERROR, error="What came of it cannot be kept.")
