"""Check the whole chain on request, in spans, one check at a time; its result is recorded.

A check says where it is in its row, so that pages can show it and any worker continues with it. Between two spans it
rests as long as the last one took, five seconds at most: it takes half of one worker and one statement at a time.
"""

import datetime as dt
import json
import logging
import re
import time
import uuid
from typing import NamedTuple

from django.db import transaction

from console.audit import actions
from console.audit.actors import HOUSE, House
from console.audit.models import ChainCheck, Seal, SealState, Status
from console.audit.services.records import ActorLike, record
from console.audit.services.verify import Report, clear_problem, span_from, verify
from console.core.clock import now
from console.core.errors import BadInput, Conflict
from console.core.races import insert
from console.core.tasks import enqueue_on_commit

log = logging.getLogger(__name__)
State = ChainCheck.State

REST = dt.timedelta(minutes=10)
_LEASE = dt.timedelta(minutes=5)
_LONGEST_PAUSE = 5
_MOST_PROBLEMS = 100
_MOST_ATTEMPTS = 5
_LONGEST_HEAD = 4096
_HEAD = re.compile(r"([0-9]{1,18}):([0-9a-fA-F]{64})")
_TASK = "audit.check"


class Head(NamedTuple):
    number: int
    sha256: str
    sealed_at: dt.datetime

    def __str__(self) -> str:
        return f"{self.number}:{self.sha256}"


def head() -> Head | None:
    """Return the newest block, which all before it lead to."""
    newest = Seal.objects.order_by("-number").first()
    return Head(newest.number, bytes(newest.sha256).hex(), newest.sealed_at) if newest else None


class KnownHead(NamedTuple):
    """What became of a head somebody kept. `says` is the whole sentence."""

    is_part: bool
    number: int
    sealed_at: dt.datetime | None
    says: str


def look_for(text: str) -> KnownHead:
    """Return whether a head was part of the chain: `NUMBER:SHA256`, or the file it was downloaded as."""
    number, digest = _parsed(text[:_LONGEST_HEAD])
    block = Seal.objects.filter(number=number).first()
    if block is None:
        newest = Seal.objects.order_by("-number").values_list("number", flat=True).first() or 0
        why = f"the chain ends with {newest}" if number > newest else "it was taken out"
        return KnownHead(False, number, None, f"There is no block {number}: {why}.")
    if bytes(block.sha256).hex() != digest:
        return KnownHead(False, number, block.sealed_at, f"Block {number} has another hash: the chain was made anew.")
    message = f"Block {number} is part of the chain, sealed {block.sealed_at:%Y-%m-%d %H:%M:%S} UTC."
    return KnownHead(True, number, block.sealed_at, message)


def _parsed(text: str) -> tuple[int, str]:
    text = text.strip()
    if text.startswith("{"):
        try:
            file = json.loads(text)
            text = f"{file['number']}:{file['sha256']}"
        except (ValueError, KeyError, TypeError, RecursionError):
            text = ""
    found = _HEAD.fullmatch(text)
    if found is None:
        raise BadInput("A head is NUMBER:SHA256 with 64 hexadecimal digits, or the file of one.", param="head")
    return int(found[1]), found[2].lower()


@transaction.atomic
def start(*, actor: ActorLike, is_operator: bool) -> ChainCheck:
    """Begin to check the chain up to its present head. Conflict while one continues, and for others than operators
    within `REST` of the last one.
    """
    taken = Conflict("The chain is being checked already; its page shows how far.")
    if ChainCheck.objects.filter(state__in=ChainCheck.OPEN).exists():
        raise taken
    newest = head()
    if newest is None:
        raise Conflict("There is no sealed block yet. Records are sealed twice a minute.")
    if not is_operator and ChainCheck.objects.filter(ended_at__gt=now() - REST).exists():
        raise Conflict("The chain was checked in the last ten minutes; only operators check it again so soon.")
    check = ChainCheck(
        actor_name=actor.name[:200],
        actor_kind=actor.kind,
        actor_id=actor.id,
        last=newest.number,
        head=bytes.fromhex(newest.sha256),
        head_sealed_at=newest.sealed_at,
    )
    insert(check, taken)
    record(actions.CHAIN_CHECK_STARTED, actor=actor, target=check, target_name=f"up to block {check.last}")
    enqueue_on_commit(_TASK, check.pk)
    return check


def go_on(check_id: uuid.UUID) -> None:
    """Check the next span, and come back for the one after it. Of two who try, one does."""
    check = ChainCheck.objects.filter(pk=check_id, state__in=ChainCheck.OPEN).first()
    if check is None or not _claim(check):
        return
    began, report = time.monotonic(), Report()
    end = span_from(check.reached + 1, check.last)
    # What is missing at the end is found with the last span: no block is left to be in it.
    last = check.last if end is None or end >= check.last else end
    found = [*verify(first=check.reached + 1, last=last, report=report)]
    problems = [*check.problems, *({"block": one.block, "what": one.what} for one in found)][:_MOST_PROBLEMS]
    is_over = last >= check.last
    with transaction.atomic():
        done = ChainCheck.objects.filter(pk=check.pk, state=State.RUNNING, reached=check.reached).update(
            reached=last,
            blocks=check.blocks + report.blocks,
            rows=check.rows + report.rows,
            dropped=check.dropped + report.dropped,
            problem_count=check.problem_count + len(found),
            problems=problems,
            attempts=0,
            leased_until=None,
        )
        if not done:
            return
        check.refresh_from_db()
        if is_over:
            _end(check)
        else:
            pause = min(time.monotonic() - began, _LONGEST_PAUSE)
            enqueue_on_commit(_TASK, check.pk, countdown=pause)


def _claim(check: ChainCheck) -> bool:
    """Make the next span ours for a while. A check that breaks again and again ends, and says so."""
    free = ChainCheck.objects.filter(pk=check.pk, reached=check.reached, state__in=ChainCheck.OPEN)
    free = free.exclude(leased_until__gt=now())
    with transaction.atomic():
        if check.attempts >= _MOST_ATTEMPTS:
            if free.update(state=State.FAILED, ended_at=now(), leased_until=None):
                check.refresh_from_db()
                _note_end(check)
            return False
        started = check.started_at or now()
        return bool(
            free.update(
                state=State.RUNNING, started_at=started, leased_until=now() + _LEASE, attempts=check.attempts + 1
            )
        )


def _end(check: ChainCheck) -> None:
    """Say how it ended. Its head, and that of the last check that found all well, must still be part of the chain."""
    before = ChainCheck.objects.filter(state=State.WHOLE).order_by("-ended_at", "-id").first()
    for one in (check, before):
        if one is not None and not look_for(one.head_text).is_part:
            message = f"it is not the block there was {one.created_at:%Y-%m-%d %H:%M} UTC, when a check of it began"
            check.problems = [*check.problems, {"block": one.last, "what": message}]
            check.problem_count += 1
    check.state = State.BROKEN if check.problem_count else State.WHOLE
    check.ended_at = now()
    check.save()
    if check.problem_count:
        first = check.problems[0]
        message = f"Block {first['block']}: {first['what']}"
        SealState.objects.filter(pk=1).update(problem=message, problem_at=now(), verified_at=now())
        log.error("The audit log is not what was sealed. %s", message)
    else:
        clear_problem(check.created_at)
    _note_end(check)


def _note_end(check: ChainCheck) -> None:
    actor = House(check.actor_kind, check.actor_id, check.actor_name) if check.actor_kind else HOUSE
    reasons = {State.WHOLE: "", State.BROKEN: f"{check.problem_count} problems"}
    reason = reasons.get(State(check.state), "it was interrupted")
    record(
        actions.CHAIN_CHECK_ENDED,
        actor=actor,
        target=check,
        target_name=f"up to block {check.last}",
        status=Status.ERROR if reason else Status.OK,
        reason=reason,
        detail={"after": {"state": check.state, "head": check.head_text, "problems": check.problems[:5]}},
    )


def sweep() -> None:
    """Go on with a check whose message was lost or whose worker died."""
    check = ChainCheck.objects.filter(state__in=ChainCheck.OPEN).exclude(leased_until__gt=now()).first()
    if check is not None:
        go_on(check.pk)


def last_checks(most: int = 10) -> list[ChainCheck]:
    """Return the newest checks, newest first."""
    return list(ChainCheck.objects.order_by("-created_at", "-id")[:most])
