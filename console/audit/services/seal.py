"""Seal the log: every finished record becomes part of one block of the hash chain."""

import datetime as dt

from django.db import transaction

from console.audit.models import Seal, SealState
from console.audit.sql import seal as sql
from console.core.clock import now

# How many rows one block should have at most. Rows of one transaction are never parted, so bulk loads make larger ones.
BLOCK_ROWS = 50_000
GENESIS = bytes(32)


def state() -> SealState:
    return SealState.objects.get_or_create(pk=1)[0]


def _last() -> tuple[int, int, bytes]:
    last = Seal.objects.order_by("-number").first()
    return (last.number, last.to_tx, bytes(last.sha256)) if last else (0, 0, GENESIS)


def end_of_block(start: int, horizon: int, most: int) -> int:
    """Return where a block from `start` on ends, so that it has at most `most` rows unless one transaction has more."""
    end = horizon
    while end - start > 1 and sql.count_rows(start, end, most + 1) > most:
        end = start + max((end - start) // 4, 1)
    if end < horizon and not sql.count_rows(start, end, 1):
        return end_of_block(end, horizon, most)
    return end


@transaction.atomic
def _seal_one(most: int) -> tuple[int, bool]:
    """Seal the next block. Returns its rows and whether more may wait. The block and its link commit together."""
    if not sql.take_lock():
        return 0, False
    horizon, moment = sql.horizon()
    number, start, previous = _last()
    end = end_of_block(start, horizon, most)
    rows = 0
    if end > start and sql.count_rows(start, end, 1):
        rows = sql.write_block(number + 1, previous, start, end, now())
    if end >= horizon:
        SealState.objects.update_or_create(pk=1, defaults={"sealed_at": min(moment, dt.datetime.now(dt.UTC))})
    return rows, end < horizon


def seal(*, block_rows: int = BLOCK_ROWS, most_blocks: int = 1000) -> tuple[int, int]:
    """Seal everything that is finished, block by block. Returns how many blocks and rows that were."""
    blocks = rows = 0
    more = True
    while more and blocks < most_blocks:
        sealed, more = _seal_one(block_rows)
        blocks += bool(sealed)
        rows += sealed
    return blocks, rows
