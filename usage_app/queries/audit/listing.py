"""One page of the log, and the figures above it."""

import datetime as dt
import re
import uuid
from dataclasses import dataclass

from django.conf import settings

from console.audit.models import SealState
from console.audit.search import Criteria
from console.audit.services.seal import state
from console.audit.sql import search
from console.core.clock import now
from console.core.errors import BadInput
from console.core.ids import time_of
from usage_app.queries.audit.summaries import Line

PAGE_ROWS = 50
# How long one page may search: by columns, and through text.
SECONDS, TEXT_SECONDS = 1.0, 2.0
_CURSOR = re.compile(r"([on])([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page starts: older or newer than an id. Rows that arrive meanwhile move nothing."""

    is_older: bool
    id: uuid.UUID

    def __str__(self) -> str:
        return f"{'o' if self.is_older else 'n'}{self.id.hex}"


def parse_cursor(text: str) -> Cursor | None:
    """Return the place in the log an address speaks of, None for its newest end."""
    if not text:
        return None
    match = _CURSOR.fullmatch(text)
    if not match:
        raise BadInput(
            "This page of the log cannot be read from its address. Start again from the newest records.", param="cursor"
        )
    return Cursor(match[1] == "o", uuid.UUID(match[2]))


@dataclass(slots=True)
class Listing:
    """A page of the log as it is shown."""

    lines: list[Line]
    newer: str | None
    older: str | None
    count: str
    searched_to: dt.datetime | None = None
    go_on: str | None = None


def listing(criteria: Criteria, cursor: Cursor | None, *, rows: int | None = None) -> Listing:
    page = search.find(
        criteria,
        older_than=cursor.id if cursor and cursor.is_older else None,
        newer_than=cursor.id if cursor and not cursor.is_older else None,
        limit=rows or PAGE_ROWS,
        seconds=TEXT_SECONDS if criteria.text else SECONDS,
    )
    events = page.events
    walks_up = cursor is not None and not cursor.is_older
    has_older = bool(events) if walks_up else page.has_more
    has_newer = page.has_more if walks_up else bool(cursor and events)
    shown = Listing(
        lines=[Line(event) for event in events],
        newer=str(Cursor(False, events[0].pk)) if has_newer else None,
        older=str(Cursor(True, events[-1].pk)) if has_older else None,
        count=f"Showing {len(events)}" + (" of many" if page.has_more or cursor else ""),
    )
    if page.searched_to:
        shown.searched_to = min(time_of(page.searched_to), now())
        shown.go_on = str(Cursor(not walks_up, page.searched_to))
    return shown


@dataclass(frozen=True, slots=True)
class Head:
    """The line under the title: how far the log is sealed and checked, and how much of it is kept."""

    seal: SealState
    keep_days: int
    content_keep_days: int
    records: int | None

    @property
    def archived_at(self) -> dt.datetime | None:
        return self.seal.archived_at if settings.AUDIT_S3_URL else None

    @property
    def archive_problem(self) -> str:
        return self.seal.archive_problem if settings.AUDIT_S3_URL else ""


def head(*, is_operator: bool) -> Head:
    """Only operators see figures of the whole installation."""
    return Head(
        seal=state(),
        keep_days=settings.AUDIT_KEEP_DAYS,
        content_keep_days=settings.AUDIT_CONTENT_KEEP_DAYS,
        records=search.count_estimate() if is_operator else None,
    )
