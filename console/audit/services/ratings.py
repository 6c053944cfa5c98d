"""Store ratings of answers by people and programs."""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from django.db import IntegrityError, transaction

from console.audit.models import AuditEvent, EventType, Rating, Status
from console.audit.sql.months import months
from console.core.clock import now
from console.core.ids import uuid7_at
from console.core.scrub import scrub

MOST_COMMENT = 1000
_BATCH = 5_000
# Kinds of calls whose answers are words somebody could read.
_ANSWERS = frozenset(
    {
        *(EventType.CHAT, EventType.COMPLETION, EventType.RESPONSE, EventType.MESSAGE, EventType.PLAYGROUND),
        *(EventType.EVALUATION, EventType.SHADOW, EventType.AGENT, EventType.QUESTION),
    }
)


@dataclass(frozen=True, slots=True)
class Rater:
    """Who says it. `kind`: user, key or visitor."""

    kind: str
    id: uuid.UUID
    name: str


@dataclass(frozen=True, slots=True)
class Word:
    """What is said. `score`, where there is one, is from 0 to 1 and has three places."""

    is_good: bool
    score: Decimal | None = None
    comment: str = ""

    @property
    def says(self) -> str:
        return "good" if self.is_good else "bad"


@dataclass(frozen=True, slots=True)
class Changed:
    """What was said before, and what is said now; None for nothing."""

    before: Word | None
    after: Word | None

    def __bool__(self) -> bool:
        return self.before != self.after


# What wants to hear of each change, in its transaction. Rooms above add theirs when the process starts.
LISTENERS: list[Callable[[AuditEvent, Changed], None]] = []


def is_answer(event: AuditEvent) -> bool:
    """Return whether it is a call that was let through and whose answer is words."""
    return not event.action and event.type in _ANSWERS and event.status != Status.REFUSED


def forget() -> int:
    """Take away the ratings of calls that are no longer kept, and the comments of those whose content is not."""
    gone = 0
    if kept := months("audit_event"):
        rows = Rating.objects.filter(event_id__lt=_start_of(kept[0]))
        while some := list(rows.values_list("pk", flat=True)[:_BATCH]):
            gone += Rating.objects.filter(pk__in=some).delete()[0]
    if kept := months("audit_payload"):
        rows = Rating.objects.filter(event_id__lt=_start_of(kept[0])).exclude(comment="")
        while some := list(rows.values_list("pk", flat=True)[:_BATCH]):
            Rating.objects.filter(pk__in=some).update(comment="")
    return gone


def _start_of(month: dt.date) -> uuid.UUID:
    return uuid7_at(dt.datetime.combine(month, dt.time(), dt.UTC))


@transaction.atomic
def say(*, rater: Rater, event: AuditEvent, word: Word | None) -> Changed:
    """Keep somebody's word on an answer in place of an earlier one; None takes it back. What is the same is left."""
    if word is not None:
        word = Word(word.is_good, word.score, scrub(word.comment)[0][:MOST_COMMENT])
    changed = _put(rater, event, word)
    if changed:
        for tell in LISTENERS:
            tell(event, changed)
    return changed


def _put(rater: Rater, event: AuditEvent, word: Word | None) -> Changed:
    rows = Rating.objects.filter(event_id=event.pk, rater_kind=rater.kind, rater_id=rater.id)
    while True:
        row = rows.select_for_update(no_key=True).first()
        before = Word(row.is_good, row.score, row.comment) if row else None
        if row is None and word is not None:
            try:
                with transaction.atomic():
                    Rating.objects.create(
                        event_id=event.pk, rater_kind=rater.kind, rater_id=rater.id, **_fields(rater, word)
                    )
            except IntegrityError:
                continue  # said twice at once: the other was first, and this word replaces it
        elif row is not None and word is None:
            row.delete()
        elif row is not None and word is not None and word != before:
            rows.update(**_fields(rater, word))
        return Changed(before, word)


def _fields(rater: Rater, word: Word) -> dict[str, object]:
    return {
        "rater": scrub(rater.name)[0][:200],
        "is_good": word.is_good,
        "score": word.score,
        "comment": word.comment,
        "given_at": now(),
    }
