"""The row of a background response: who may access it, and what may be written to it.

Whatever is written asks in the same statement whether the response is still open and still its writer's: a worker that
lost its lease, or whose response was cancelled, finds another fence and writes nothing more.
"""

import datetime as dt
import uuid
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Now

from console.api.models import BackgroundResponse, ResponseFrames
from console.audit.redaction import prepare_payload
from console.core.errors import NotFound

State = BackgroundResponse.State
OPEN = (State.QUEUED, State.IN_PROGRESS)


class LeaseLost(Exception):
    """Another worker has the response, or it was cancelled; nothing may be written any more."""


def missing(name: str, param: str | None = None) -> NotFound:
    return NotFound(f"There is no response {name[:60]!r}, or it is not kept any more.", param=param)


def locked(row: BackgroundResponse) -> BackgroundResponse:
    """Return a response as it is now, for nobody else to change; NotFound where it was deleted since it was read."""
    of_all = BackgroundResponse.objects.select_for_update(no_key=True, of=("self",)).select_related(
        "team", "run__agent"
    )
    current = of_all.filter(pk=row.pk).first()
    if current is None:
        raise missing(row.public_id)
    return current


def length() -> dt.timedelta:
    return dt.timedelta(seconds=settings.BATCH_LEASE_SECONDS)


def free() -> Q:
    """Match responses a worker may take: open, with no worker, and not told to wait.

    One whose window is over need not wait for its turn, but for what becomes of a call it may have made.
    """
    has_no_worker = Q(lease_until=None) | Q(lease_until__lt=Now())
    may_go_on = Q(not_before=None) | Q(not_before__lte=Now()) | Q(expires_at__lte=Now(), request_id=None)
    return Q(state__in=OPEN, run=None) & has_no_worker & may_go_on


@transaction.atomic
def take(lane: str, id: uuid.UUID | None = None) -> BackgroundResponse | None:
    """Return a response with a lease on it: this one, or the next of the team that has the fewest in progress."""
    candidates = BackgroundResponse.objects.filter(free(), lane=lane)
    if id is not None:
        candidates = candidates.filter(pk=id)
    else:
        candidates = candidates.annotate(busy=Coalesce(Subquery(_busy()), 0)).order_by("busy", "pk")
    row = candidates.select_for_update(no_key=True, skip_locked=True, of=("self",)).first()
    if row is None:
        return None
    row.fence, row.not_before = row.fence + 1, None
    row.lost_workers += row.lease_until is not None  # whoever lets go of it leaves no lease
    BackgroundResponse.objects.filter(pk=row.pk).update(
        fence=row.fence, lost_workers=row.lost_workers, lease_until=Now() + length(), not_before=None
    )
    return row


def _busy() -> "QuerySet[Any, Any]":
    of_team = BackgroundResponse.objects.filter(team=OuterRef("team"), state=State.IN_PROGRESS)
    return of_team.order_by().values("team").annotate(count=Count("*")).values("count")


def _leased(row: BackgroundResponse) -> "QuerySet[BackgroundResponse]":
    return BackgroundResponse.objects.filter(pk=row.pk, fence=row.fence, state__in=OPEN)


def change(row: BackgroundResponse, **fields: object) -> None:
    """Write to the row as its worker, and extend the lease."""
    if not _leased(row).update(lease_until=Now() + length(), **fields):
        raise LeaseLost


def release(row: BackgroundResponse, *, wait: float, **fields: object) -> None:
    """Let another worker have it after so many seconds."""
    _leased(row).update(lease_until=None, not_before=Now() + dt.timedelta(seconds=wait), **fields)


@transaction.atomic
def tell(row: BackgroundResponse, frames: list[bytes]) -> None:
    """Keep events, as its worker, which counts them once it knows that they are kept.

    Where the database went away in the middle nobody knows; then they come again, with more behind them.
    """
    change(row, told=row.told + len(frames))
    _write(row, frames)


def keep(row: BackgroundResponse, frames: list[bytes]) -> None:
    """Write events down after those there are; the caller has the row."""
    if frames:
        _write(row, frames)
        row.told += len(frames)


def _write(row: BackgroundResponse, frames: list[bytes]) -> None:
    stored = ResponseFrames(response=row, first=row.told, count=len(frames), body=b"".join(frames).decode())
    ResponseFrames.objects.bulk_create(
        [stored], update_conflicts=True, unique_fields=["response", "first"], update_fields=["count", "body"]
    )


@transaction.atomic
def end(row: BackgroundResponse, state: str, frames: list[bytes], *, code: str = "", message: str = "") -> bool:
    """End it with its last events, as its worker; False where somebody else has ended it or has it now."""
    is_answered = state in {State.COMPLETED, State.INCOMPLETE}
    ended = _leased(row).update(
        state=state,
        error_code=code[:80],
        error_message=message.replace("\0", "")[:500],
        body="" if is_answered else kept_body(row.body),
        frame="" if is_answered else kept_body(row.frame),
        told=row.told + len(frames),
        lease_until=None,
        ended_at=Now(),
    )
    if ended:
        keep(row, frames)
    return bool(ended)


def kept_body(text: str) -> str:
    """Return of a body what the log would keep: no secrets; nothing where it is too long to be kept whole."""
    payload = prepare_payload(text)
    return "" if payload.is_cut else payload.body
