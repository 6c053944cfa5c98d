"""Sample records of the log, within limits of time and number, whatever the log's size."""

import datetime as dt
import random
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from console.audit.models import AuditEvent, Status
from console.audit.search import Criteria
from console.audit.services.retention import content_kept_since
from console.audit.sql import search
from console.core.clock import now
from console.evals.models import DatasetItem
from console.evals.records import OPERATION_OF, REASONS, NotReplayable, Reader

NEWEST, RANDOM = "newest", "random"
# A span is cut into so many parts for a random sample, of which each gives its newest records.
_PARTS, _OF_A_PART = 24, 500
_SECONDS = 8.0
_A_PAGE = 200
_AT_ONCE = 20  # whose inputs and outputs are read together: megabytes each, with pictures
# Contents looked at for each item that is wanted, so that a log of calls that cannot be replayed is not read whole.
_TRIES = 10
MOST_BYTES = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which records of one team, how many, and which of those there are."""

    team_id: uuid.UUID
    number: int
    order: str = NEWEST
    alias: str = ""
    key_id: uuid.UUID | None = None
    statuses: tuple[str, ...] = (Status.OK.value,)
    environment: str = ""
    prompt: str = ""
    start: dt.datetime | None = None
    end: dt.datetime | None = None

    def criteria(self) -> Criteria:
        """Return what is looked for: never before the time from which content is kept."""
        since = content_kept_since()
        return Criteria(
            team_ids=(self.team_id,),
            start=max(self.start, since) if self.start else since,
            end=self.end or now(),
            key_id=self.key_id,
            types=tuple(sorted(OPERATION_OF)),
            statuses=self.statuses,
            alias=self.alias,
            environment=self.environment,
            prompt=self.prompt,
        )


@dataclass(slots=True)
class Sample:
    """What was drawn, and how many were passed over and why. `is_partial`: the time was up before all was seen."""

    items: list[DatasetItem] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    is_partial: bool = False

    @property
    def summary(self) -> str:
        """Say what was passed over, nothing when nothing was."""
        parts = [f"{count:,} {REASONS[reason]}" for reason, count in self.passed_over.most_common()]
        message = f"Passed over: {', '.join(parts)}." if parts else ""
        return f"{message} The search was given up when its time was over.".strip() if self.is_partial else message


def draw(sampling: Sampling) -> Sample:
    """Return records of the log as items, newest or at random. Reads content, which is for the caller to record."""
    sample, until = Sample(), time.monotonic() + _SECONDS
    criteria = sampling.criteria()
    events = _random(criteria, sample, until) if sampling.order == RANDOM else _newest(criteria, sample, until)
    reader, size, tried = Reader(), 0, 0
    for chunk in events:
        for place, event in enumerate(chunk):
            if place % _AT_ONCE == 0:
                kept = search.payloads([one.pk for one in chunk[place : place + _AT_ONCE]])
            tried += 1
            try:
                item = reader.item(event, kept.get(event.pk, {}))
            except NotReplayable as not_this:
                sample.passed_over[not_this.reason] += 1
                continue
            size += sum(len(payload.body) for payload in kept.get(event.pk, {}).values())
            if size > MOST_BYTES:
                sample.passed_over["size"] += 1
                return sample
            sample.items.append(item)
            item.place = len(sample.items)
            if len(sample.items) == sampling.number:
                return sample
        if tried > sampling.number * _TRIES:
            sample.is_partial = True
            return sample
    return sample


def _answered(events: Sequence[AuditEvent]) -> list[AuditEvent]:
    """Leave out what reached no model: a run that was asked for, a call that was refused."""
    return [event for event in events if event.model]


def _newest(criteria: Criteria, sample: Sample, until: float) -> Iterator[list[AuditEvent]]:
    before: uuid.UUID | None = None
    while (left := until - time.monotonic()) > 0:
        page = search.find(criteria, older_than=before, limit=_A_PAGE, seconds=left)
        yield _answered(page.events)
        if not page.has_more:
            sample.is_partial = sample.is_partial or page.searched_to is not None
            return
        before = page.events[-1].pk
    sample.is_partial = True


def _random(criteria: Criteria, sample: Sample, until: float) -> Iterator[list[AuditEvent]]:
    assert criteria.start is not None and criteria.end is not None
    part = (criteria.end - criteria.start) / _PARTS
    pool: list[AuditEvent] = []
    places = list(range(_PARTS))
    random.shuffle(places)  # so that what is not reached in time is no certain part of the span
    for place in places:
        left = until - time.monotonic()
        if left <= 0:
            sample.is_partial = True
            break
        start = criteria.start + place * part
        page = search.find(replace(criteria, start=start, end=start + part), limit=_OF_A_PART, seconds=left)
        sample.is_partial = sample.is_partial or page.searched_to is not None
        pool += _answered(page.events)
    random.shuffle(pool)
    for at in range(0, len(pool), _A_PAGE):
        yield pool[at : at + _A_PAGE]
