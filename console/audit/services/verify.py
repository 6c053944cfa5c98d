"""Verify the chain: nothing was changed, removed, added or reordered since it was sealed."""

import datetime as dt
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from console.audit.models import Seal, SealState
from console.audit.services.seal import GENESIS, state
from console.audit.sql import seal as sql
from console.core.clock import now
from console.core.ids import request_id, time_of

log = logging.getLogger(__name__)

_SPAN_ROWS, _SPAN_BLOCKS = 100_000, 500
_RECENT_BLOCKS = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where to look."""

    block: int
    what: str

    def __str__(self) -> str:
        return f"Block {self.block}: {self.what}"


@dataclass(slots=True)
class Report:
    blocks: int = 0
    rows: int = 0
    dropped: int = 0
    last_number: int = 0
    head: bytes = b""


def _spans(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Cut blocks into spans that are checked in one statement each."""
    start, rows, blocks, end = first, 0, 0, first - 1
    for number, count in (
        Seal.objects.filter(number__gte=first, number__lte=last).order_by("number").values_list("number", "rows")
    ).iterator(chunk_size=2000):
        if blocks and (rows + count > _SPAN_ROWS or blocks == _SPAN_BLOCKS):
            yield start, end
            start, rows, blocks = number, 0, 0
        end, rows, blocks = number, rows + count, blocks + 1
    if blocks:
        yield start, end


def span_from(first: int, last: int) -> int | None:
    """Return the last block of the span that begins here, None where there is no block from here to `last`."""
    span = next(_spans(first, last), None)
    return span[1] if span else None


def _where(block: sql.Checked) -> str:
    return f"between {time_of(block.first_id):%Y-%m-%d %H:%M:%S} and {time_of(block.last_id):%Y-%m-%d %H:%M:%S} UTC"


def _wrong_rows(block: sql.Checked) -> str:
    """Say what is wrong with the rows of a block, or nothing."""
    if block.rows_now < block.rows:
        return f"{block.rows - block.rows_now} of {block.rows} records are missing, {_where(block)}"
    if block.rows_now > block.rows:
        return f"{block.rows_now - block.rows} records were added to {block.rows}, {_where(block)}"
    if block.sha256_now != block.sha256:
        return f"at least one of {block.rows} records, or their order, was changed, {_where(block)}"
    return ""


def verify(
    *, first: int = 1, last: int | None = None, content: bool = False, report: Report | None = None
) -> Iterator[Problem]:
    """Check the blocks from `first` to `last` and yield what is wrong. `report`, when given, is filled on the way."""
    report = report if report is not None else Report()
    before = Seal.objects.filter(number=first - 1).first()
    expected, previous, to_tx = first, bytes(before.sha256) if before else GENESIS, before.to_tx if before else 0
    if first > 1 and before is None:
        yield Problem(first - 1, "the block is missing")
    if last is None:
        last = Seal.objects.order_by("-number").values_list("number", flat=True).first() or 0
    for start, end in _spans(first, last):
        blocks = sql.check_blocks(start, end)
        for block in blocks:
            if block.number != expected:
                yield Problem(expected, f"the blocks up to {block.number - 1} are missing")
            if block.previous != previous or (block.from_tx != to_tx and block.number == expected):
                yield Problem(block.number, "it does not follow the block before it")
            if block.is_dropped:
                report.dropped += 1
            elif wrong := _wrong_rows(block):
                yield Problem(block.number, wrong)
            expected, previous, to_tx = block.number + 1, block.sha256, block.to_tx
            report.blocks += 1
            report.rows += block.rows
        if content and blocks:
            for difference in sql.check_content(blocks[0].from_tx, blocks[-1].to_tx):
                at = next(b.number for b in blocks if difference.tx < b.to_tx)
                yield Problem(at, f"the {difference.kind} of {request_id(difference.event_id)} {difference.what}")
    if expected <= last:
        yield Problem(expected, f"the blocks up to {last} are missing")
    report.last_number, report.head = expected - 1, previous


def verify_some() -> list[Problem]:
    """Check the newest blocks and the next window of older ones, and remember the outcome for the audit page."""
    present = state()
    newest = Seal.objects.order_by("-number").values_list("number", flat=True).first() or 0
    first_recent = max(1, newest - _RECENT_BLOCKS + 1)
    problems = list(verify(first=first_recent, last=newest)) if newest else []
    start = present.window_number + 1
    whole_at = present.whole_at
    if start >= first_recent:
        start, whole_at = 1, now()
    window = next(_spans(start, first_recent - 1), None)
    if window:
        problems += list(verify(first=window[0], last=window[1]))
    SealState.objects.filter(pk=1).update(
        verified_at=now(),
        window_number=window[1] if window else 0,
        whole_at=whole_at,
        **({"problem": str(problems[0]), "problem_at": now()} if problems else {}),
    )
    for problem in problems:
        log.error("The audit log is not what was sealed. %s", problem)
    return problems


def clear_problem(began: dt.datetime) -> None:
    """Forget a reported problem. Called when a check of the whole chain, which began then, finds nothing.

    What was found since stays: it may be in a block that this check had passed by then, or that is newer than its last.
    """
    SealState.objects.filter(pk=1).update(verified_at=now(), whole_at=now())
    SealState.objects.filter(pk=1, problem_at__lt=began).update(problem="", problem_at=None)
