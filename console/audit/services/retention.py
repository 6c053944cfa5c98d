"""Create the log's monthly partitions ahead of time, and drop those past their retention."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import OperationalError, transaction

from console.audit import actions
from console.audit.services import archive, ratings
from console.audit.services.records import ActorLike, record
from console.audit.sql import months as sql
from console.core.clock import now, period_end, period_start

# Functions that return the transaction number up to which somebody has read the log. Rooms above register theirs.
READERS: list[Callable[[], int]] = []


@dataclass(frozen=True, slots=True)
class DroppedMonth:
    """One month that left, or did not: then `why_not` says why."""

    what: str
    month: dt.date
    rows: int
    why_not: str = ""


def content_kept_since() -> dt.datetime:
    """Return the time from before which no input or output is kept, wherever it stands."""
    return now() - dt.timedelta(days=min(settings.AUDIT_CONTENT_KEEP_DAYS, settings.AUDIT_KEEP_DAYS))


def make_months() -> int:
    """Make this month's and the next two months' partitions, and those of rows that came without one."""
    moment, made = now(), 0
    for _ in range(3):
        made += sql.make_month(moment)
        moment = period_end("month", period_start("month", moment))
    for stray in sql.stray_months():
        made += sql.make_month(stray)
    return made


def apply_retention(*, actor: ActorLike) -> list[DroppedMonth]:
    """Drop the months that are older than AUDIT_KEEP_DAYS, and the content older than AUDIT_CONTENT_KEEP_DAYS.

    Each month is its own transaction with its own line in the log, so an interrupted run continues where it stopped.
    """
    read_to = min(reader() for reader in (archive.read_to, *READERS))
    plans = (
        ("audit_payload", min(settings.AUDIT_CONTENT_KEEP_DAYS, settings.AUDIT_KEEP_DAYS), "content"),
        ("audit_event", settings.AUDIT_KEEP_DAYS, "records"),
    )
    outcome = []
    for parent, keep_days, part in plans:
        limit = (now() - dt.timedelta(days=keep_days)).date()
        for month in sql.months(parent):
            # The month is over when the next one has begun by the limit; the database checks that once more.
            if (month.replace(day=1) + dt.timedelta(days=32)).replace(day=1) > limit:
                break
            outcome.append(_drop(actor, parent, month, keep_days, read_to, part))
    ratings.forget()
    return outcome


def _drop(actor: ActorLike, parent: str, month: dt.date, keep_days: int, read_to: int, part: str) -> DroppedMonth:
    try:
        with transaction.atomic():
            rows = sql.count_estimate(parent, month)
            why_not = sql.drop_month(parent, month, keep_days, read_to)
            if not why_not:
                detail = {"removed": part, "month": f"{month:%Y-%m}", "rows_about": rows, "keep_days": keep_days}
                record(actions.RETENTION_APPLIED, actor=actor, target_name=f"{part} of {month:%B %Y}", detail=detail)
            return DroppedMonth(part, month, rows, why_not)
    except OperationalError:
        return DroppedMonth(part, month, 0, "the log is in use; the next run tries again")
