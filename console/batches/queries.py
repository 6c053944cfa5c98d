"""Queries of the pages of batches."""

from dataclasses import dataclass

from django.db.models import Count, Min, QuerySet

from console.batches.models import Batch, File, Line, LineState, State
from console.batches.models.batches import ACTIVE, TERMINAL
from console.core.clock import now
from console.core.ids import parse_id

PAGE = 25
_TONES = {
    State.COMPLETED: "ok",
    State.FAILED: "bad",
    State.EXPIRED: "warn",
    State.CANCELLED: "",
    State.CANCELLING: "warn",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A batch with how far it is. Rates are over the time it has run."""

    batch: Batch

    @property
    def done(self) -> int:
        return self.batch.completed + self.batch.failed

    @property
    def percent(self) -> float:
        return 100 * self.done / self.batch.total if self.batch.total else 0.0

    @property
    def tone(self) -> str:
        return _TONES.get(State(self.batch.state), "brand")

    @property
    def per_minute(self) -> float | None:
        seconds = self._seconds
        return 60 * self.done / seconds if seconds and self.done else None

    @property
    def _seconds(self) -> float:
        if self.batch.in_progress_at is None:
            return 0.0
        until = self.batch.finalizing_at or self.batch.ended_at or now()
        return max(1.0, (until - self.batch.in_progress_at).total_seconds())

    @property
    def left(self) -> str:
        """Say how long it will take, or why nobody knows."""
        batch = self.batch
        if batch.not_before is not None and batch.not_before > now():
            return "Waits"
        if batch.state == State.IN_PROGRESS and self.per_minute:
            minutes = (batch.total - self.done) / self.per_minute
            if minutes < 1:
                return "in under a minute"
            return f"in {minutes:.0f} min" if minutes < 120 else f"in {minutes / 60:.0f} h"
        return batch.get_state_display()

    @property
    def has_failures(self) -> bool:
        return self.batch.is_over and self.batch.total > self.batch.completed


@dataclass(frozen=True, slots=True)
class Page:
    running: list[Row]
    over: list[Row]
    older: str | None
    is_first: bool

    @property
    def is_empty(self) -> bool:
        return not self.running and not self.over and self.is_first


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    code: str
    message: str
    count: int
    example: str
    number: int


def page(batches: QuerySet[Batch], cursor: str = "") -> Page:
    """Return what runs, and one page of what is over, newest first. The cursor is the last id seen."""
    running = [Row(batch) for batch in batches.filter(state__in=ACTIVE).order_by("-pk")[:100]] if not cursor else []
    over = batches.filter(state__in=TERMINAL).order_by("-pk")
    if last := parse_id(cursor):
        over = over.filter(pk__lt=last)
    found = list(over[: PAGE + 1])
    older = found[PAGE - 1].pk.hex if len(found) > PAGE else None
    return Page(running, [Row(batch) for batch in found[:PAGE]], older, is_first=not cursor)


def error_groups(batch: Batch) -> list[ErrorGroup]:
    """Return the failed lines by code, the most frequent first, each with its first line as example."""
    failed = Line.objects.filter(batch=batch, state=LineState.FAILED)
    groups = list(failed.values("error_code").annotate(count=Count("pk"), first=Min("number")).order_by("-count")[:20])
    examples = {line.number: line for line in failed.filter(number__in=[group["first"] for group in groups])}
    return [
        ErrorGroup(
            code=group["error_code"],
            message=_visible(examples[group["first"]].error_message),
            count=group["count"],
            example=_visible(examples[group["first"]].custom_id),
            number=group["first"],
        )
        for group in groups
        if group["first"] in examples
    ]


def _visible(text: str) -> str:
    """Make characters visible that would change how the text around them reads."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def existing_files(batch: Batch) -> dict[str, File]:
    """Return the batch's files that are still there, by what they are to it."""
    wanted = {"input": batch.input_file_id, "output": batch.output_file_id, "errors": batch.error_file_id}
    found = {file.pk: file for file in File.objects.filter(pk__in=[pk for pk in wanted.values() if pk], is_ready=True)}
    return {name: found[pk] for name, pk in wanted.items() if pk in found}
