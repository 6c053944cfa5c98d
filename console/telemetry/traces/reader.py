"""Read new records of the log in commit order, so that none is skipped."""

import uuid
from dataclasses import dataclass

from django.db.models import Q

from console.audit.actions import RUN_ENDED
from console.audit.models import AuditEvent
from console.audit.services.seal import end_of_block
from console.audit.sql import seal as log
from console.telemetry.traces.spans import CALLS

# How many lines of the log one reading looks through, unless one transaction wrote more.
_SPAN = 5_000
FIRST = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the log: everything up to it has been read."""

    tx: int
    after: uuid.UUID = FIRST


@dataclass(frozen=True, slots=True)
class Reading:
    events: list[AuditEvent]
    end: Place
    is_last: bool


def horizon() -> Place:
    return Place(log.horizon()[0])


def read(start: Place, most: int) -> Reading:
    """Return at most `most` calls and ends of runs from a place on, and the place reached.

    Only what lies below the horizon is read: it is committed for good, and nothing will be written before it.
    """
    limit = log.horizon()[0]
    if limit <= start.tx:
        return Reading([], start, is_last=True)
    end = end_of_block(start.tx, limit, _SPAN)
    rows = AuditEvent.objects.filter(Q(type__in=CALLS) | Q(action=RUN_ENDED.name), tx__gte=start.tx, tx__lt=end)
    rows = rows.filter(Q(tx__gt=start.tx) | Q(id__gt=start.after)).order_by("tx", "id")
    events = list(rows[: most + 1])
    if len(events) > most:
        events.pop()
        return Reading(events, Place(events[-1].tx, events[-1].id), is_last=False)
    return Reading(events, Place(end), is_last=end >= limit)
