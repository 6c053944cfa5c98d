"""Work through a run of tests or a replay: a few at a time, on a lease, taken up by anybody when the worker is gone.

1. Claim the work: nobody else is at it while the lease lives. It is renewed while calls are under way.
2. For each outcome that waits: ask, judge the answer, write what came of it. Calls are made once (`paying.py`).
3. When none waits any more, the work is done.
"""

import asyncio
import datetime as dt
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.db import DataError
from django.db.models import QuerySet

from console.audit.redaction import prepare_payload, redact, storable
from console.core.clock import now
from console.core.connections import in_thread
from console.core.errors import ProviderError, Refusal
from console.core.tasks import enqueue_on_commit
from console.evals.checks import Spec, title_of
from console.evals.models import GOING_ON, Outcome, Work
from console.evals.paying import Paid, pay
from console.evals.verdicts import AskModel, verdict_on
from console.gateway import sync
from console.gateway.identity import PersonIdentity, StartedByKey
from console.gateway.refusing import Identify

log = logging.getLogger(__name__)

# Outcomes of one piece of work under way at a time; the batch lane's permits hold all of it together.
_AT_ONCE = 4
# A message may be on its way for so long before somebody takes it for lost.
_PATIENCE = dt.timedelta(seconds=15)
QUEUE = "batch"

WorkT = TypeVar("WorkT", bound=Work)
OutcomeT = TypeVar("OutcomeT", bound=Outcome)


@dataclass(frozen=True)
class Kind(Generic[WorkT, OutcomeT]):
    """One kind of work: its tables, the task that advances it, and how one outcome is asked for and judged."""

    task: str
    work: type[WorkT]
    outcome: type[OutcomeT]
    of: str  # the outcome's field that names its work
    ask: Callable[[WorkT, OutcomeT], Awaitable[None]]
    joined: tuple[str, ...] = ()  # what asking reads of the work
    joined_each: tuple[str, ...] = ()  # and of each outcome

    def going_on(self) -> QuerySet[WorkT]:
        return self.work._default_manager.filter(status__in=GOING_ON)


def _lease() -> dt.timedelta:
    return dt.timedelta(seconds=settings.BATCH_LEASE_SECONDS)


def advance(kind: Kind[WorkT, OutcomeT], work_id: uuid.UUID) -> None:
    """Go on with a piece of work until it is over. Safe to call twice, late or never."""
    work = _claim(kind, work_id)
    if work is not None:
        sync.run(_through(kind, work))


def _claim(kind: Kind[WorkT, OutcomeT], work_id: uuid.UUID) -> WorkT | None:
    moment = now()
    free = kind.going_on().filter(pk=work_id).exclude(lease_until__gt=moment)
    if not free.update(status=Work.Status.RUNNING, lease_until=moment + _lease()):
        return None
    return kind.work._default_manager.select_related(*kind.joined).get(pk=work_id)


def sweep(kind: Kind[WorkT, OutcomeT]) -> int:
    """Wake the work whose worker is gone, or whose message was lost."""
    moment = now()
    waiting = kind.going_on().exclude(lease_until__gt=moment).filter(started_at__lt=moment - _PATIENCE)
    found = list(waiting.values_list("pk", flat=True)[:100])
    for work_id in found:
        enqueue_on_commit(kind.task, work_id, queue=QUEUE)
    return len(found)


def identity_of(work: Work, environment: str = "") -> Identify:
    """Return whoever started the work, with their rights of each moment."""
    if work.started_by_kind == "key":
        return StartedByKey(work.started_by_id, work.client_address, now())
    return PersonIdentity(work.started_by_id, work.team_id, environment or work.environment)


async def _through(kind: Kind[WorkT, OutcomeT], work: WorkT) -> None:
    keeper = asyncio.create_task(_keep_lease(kind, work.pk))
    try:
        waiting = await in_thread(lambda: _waiting(kind, work))
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(outcome: OutcomeT) -> None:
            async with turn:
                await _try(kind, work, outcome)

        await asyncio.gather(*(one(outcome) for outcome in waiting))
        await in_thread(lambda: _finish(kind, work.pk))
    finally:
        keeper.cancel()


def _waiting(kind: Kind[WorkT, OutcomeT], work: WorkT) -> Sequence[OutcomeT]:
    rows = kind.outcome._default_manager.filter(**{kind.of: work}, status=Outcome.Status.WAITING)
    return list(rows.select_related(*kind.joined_each) if kind.joined_each else rows)


def _running(kind: Kind[WorkT, OutcomeT], work_id: uuid.UUID) -> QuerySet[WorkT]:
    return kind.work._default_manager.filter(pk=work_id, status=Work.Status.RUNNING)


async def _keep_lease(kind: Kind[WorkT, OutcomeT], work_id: uuid.UUID) -> None:
    while True:
        await asyncio.sleep(settings.BATCH_LEASE_SECONDS / 3)
        await in_thread(partial(_renew, kind, work_id))


def _renew(kind: Kind[WorkT, OutcomeT], work_id: uuid.UUID) -> None:
    _running(kind, work_id).update(lease_until=now() + _lease())


def _finish(kind: Kind[WorkT, OutcomeT], work_id: uuid.UUID) -> None:
    _running(kind, work_id).update(status=Work.Status.DONE, finished_at=now(), lease_until=None)


async def _try(kind: Kind[WorkT, OutcomeT], work: WorkT, outcome: OutcomeT) -> None:
    """Ask for one outcome and write it; what goes wrong is the verdict of this one alone."""
    if not await in_thread(lambda: _running(kind, work.pk).exists()):
        return
    try:
        await kind.ask(work, outcome)
    except (Refusal, ProviderError) as error:
        outcome.status, outcome.error = Outcome.Status.ERROR, error.message
    except Exception as broken:
        log.exception("%s of %s could not be tried.", outcome.pk, work.pk)
        outcome.status, outcome.error = Outcome.Status.ERROR, f"Something broke on our side: {type(broken).__name__}."
    _cover(outcome)
    await in_thread(lambda: _keep(outcome))


def _cover(outcome: Outcome) -> None:
    """Keep of the answer what the log would keep: no secrets, not longer. It was judged as it came."""
    outcome.output = prepare_payload(outcome.output).body
    outcome.error = storable(outcome.error)
    for check in outcome.all_checks():
        check["reason"] = storable(redact(check["reason"])[0])


def _keep(outcome: Outcome) -> None:
    """Write what came of one try. What cannot be written is an error of this one alone, and not tried for ever."""
    try:
        outcome.save(update_fields=outcome.KEPT)
    except (DataError, ValueError) as broken:  # their words may quote the answer
        log.error("What came of %s cannot be kept: %s.", outcome.pk, type(broken).__name__)
        error = "What came of it cannot be kept."
        rows = type(outcome)._default_manager.filter(pk=outcome.pk)
        rows.update(status=Outcome.Status.ERROR, error=error)


Bill = Callable[[Paid], None]


def asking(identify: Identify, outcome: Outcome, step: str, bill: Bill) -> AskModel:
    """Return how a check asks: once, and on the outcome's account."""

    async def ask(operation: str, body: dict[str, Any]) -> bytes:
        paid = await pay(identify, outcome, step, operation, body)
        bill(paid)
        return paid.body

    return ask


async def judged(
    checks: Sequence[Spec], expected: str, output: str, ask_for: Callable[[int], AskModel]
) -> tuple[list[dict[str, Any]], str]:
    """Return what checks say of an answer, and which could not be made and why."""
    shown: list[dict[str, Any]] = []
    trouble = ""
    for at, check in enumerate(checks):
        said = await verdict_on(check, expected, output, ask_for(at))
        title = title_of(check)
        one = {"kind": check["kind"], "title": title, "passed": said.passed, "reason": said.reason}
        shown.append(one if said.was_made else {**one, "was_made": False})
        if not said.was_made and not trouble:
            trouble = f"{title}: this could not be checked. {said.reason}"
    return shown, trouble


def verdict(outcome: Outcome) -> str:
    """Return passed or failed, and error where a check could not be made: that is no verdict on the answer."""
    if outcome.error:
        return Outcome.Status.ERROR
    is_fine = all(check["passed"] for check in outcome.checks if check.get("was_made", True))
    return Outcome.Status.PASSED if is_fine else Outcome.Status.FAILED
