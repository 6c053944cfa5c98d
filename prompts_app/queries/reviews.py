"""Queries of reviews: what waits for whom, and one review with its comments."""

import datetime as dt
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from console.teams.access import teams_for
from console.teams.callers import Caller
from prompts_app.models import Label, Prompt, Review, ReviewComment
from prompts_app.queries.comparison import Comparison, ShownRow

_LIGHT = tuple(
    f"{side}__{name}" for side in ("version", "from_version") for name in ("content", "variables", "includes")
)
_MOST = 100


def waiting(caller: Caller) -> QuerySet[Review]:
    """Return the open reviews the caller may decide, the longest waiting first; nobody decides their own wish."""
    if caller.user is None or not caller.may("approve"):
        return Review.objects.none()
    return (
        Review.objects.filter(
            status=Review.Status.OPEN, prompt__team__in=teams_for(caller, "approve"), prompt__deleted_at=None
        )
        .exclude(requested_by=caller.user)
        .order_by("requested_at", "id")
    )


def waiting_count(caller: Caller) -> int:
    return waiting(caller).count() if caller.may("approve") else 0


def waiting_for_anyone() -> QuerySet[Review]:
    return Review.objects.filter(status=Review.Status.OPEN)


@dataclass(frozen=True, slots=True)
class Desk:
    """The reviews of one person: to decide, their own, those that wait for others, and what was decided lately."""

    waiting: list[Review]
    own: list[Review]
    others: list[Review]
    decided: list[Review]


def desk(caller: Caller, prompts: QuerySet[Prompt]) -> Desk:
    def light(reviews: QuerySet[Review]) -> QuerySet[Review]:
        return reviews.select_related("prompt__team", "version", "from_version").defer(*_LIGHT)

    alive = light(Review.objects.filter(prompt__in=prompts.order_by().values("pk")))
    going_on = Q(status__in=[Review.Status.OPEN, Review.Status.CHANGES, Review.Status.APPROVED])
    # Once the label has moved, an approval is used or of no use: it is decided, and nothing continues.
    moved = Label.objects.filter(
        prompt=OuterRef("prompt"), name=OuterRef("label"), revision__gt=OuterRef("seen_revision")
    )
    is_over = Q(Exists(moved), status=Review.Status.APPROVED)
    own = alive.filter(going_on, requested_by=caller.user).exclude(is_over) if caller.user else alive.none()
    decided = alive.exclude(status=Review.Status.OPEN).exclude(decided_at=None).order_by("-decided_at", "-id")
    to_decide = list(light(waiting(caller))[:_MOST])
    others = alive.filter(status=Review.Status.OPEN).exclude(pk__in=[row.pk for row in to_decide])
    if caller.user:
        others = others.exclude(requested_by=caller.user)
    mine = list(own[:_MOST])
    decided = decided.exclude(pk__in=[row.pk for row in mine])
    return Desk(to_decide, mine, list(others[:_MOST]), list(decided[:_MOST]))


@dataclass(frozen=True, slots=True)
class Remark:
    author_name: str
    text: str
    created_at: dt.datetime

    @property
    def initials(self) -> str:
        return "".join(word[0] for word in self.author_name.split()[:2]).upper()


@dataclass(frozen=True, slots=True)
class CommentedMessage:
    """One message of the change; each row with its remarks, and whether somebody is about to add one."""

    index: int
    title: str
    note: str
    rows: list[tuple[ShownRow, list[Remark], bool]]


@dataclass(frozen=True, slots=True)
class Remarks:
    messages: list[CommentedMessage]
    general: list[Remark]


def remarks(review: Review, comparison: Comparison, at: tuple[int, int] | None) -> Remarks:
    """Return the change with the remarks at its lines. One query."""
    by_line: dict[tuple[int, int] | None, list[Remark]] = {}
    for comment in ReviewComment.objects.filter(review=review):
        place = None if comment.line is None else (comment.message_index or 0, comment.line)
        by_line.setdefault(place, []).append(Remark(comment.author_name, comment.text, comment.created_at))
    messages = []
    for message in comparison.messages:
        rows = []
        for row in message.rows:
            place = (message.index, row.new.number) if row.new else None
            parts = by_line.pop(place, []) if place else []
            rows.append((row, parts, place is not None and place == at))
        messages.append(CommentedMessage(message.index, message.title, message.note, rows))
    general = by_line.pop(None, [])
    # A remark on a line that is not shown is still somebody's remark.
    return Remarks(messages, [*general, *(remark for some in by_line.values() for remark in some)])
