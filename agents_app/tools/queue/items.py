"""Items of built-in queues: delivered at least once, finished once. They are many, so they have no audit records.

1. `put` adds an item; one with the `dedupe_id` of an earlier item of the queue is that earlier one.
2. `take` gives the oldest item that is ready to one taker, with a lease. Two takers never hold the same item.
3. `finish` writes the result; only who holds the item's present receipt may. A second finish changes nothing.
4. A lease that ran out makes the item ready again; after `most_attempts` it is parked, for a person to look at. That
   of a run that continues counts as renewed: nobody renews it while the console is off, and the run goes on after that.
"""

import datetime as dt
import json
import uuid
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from agents_app.errors import StaleItem, UnknownItem
from agents_app.models import Queue, QueueItem, Run
from agents_app.tools.queue import wake
from agents_app.tools.queue.callbacks import is_named
from agents_app.tools.web import checked_address
from console.core.clock import now
from console.core.errors import BadInput, Conflict
from console.core.ids import uuid7
from console.core.sql import get_or_raise
from console.teams.queries import owner_of

LARGEST_BODY = 256 * 1024
MOST_WAITING = 100_000
_FIRST_WAIT, _LONGEST_WAIT = 10, 3600
State = QueueItem.State


def check_body(body: Any, param: str = "body") -> Any:
    size = len(json.dumps(body, ensure_ascii=False).encode())
    if size > LARGEST_BODY:
        raise BadInput(f"{param} has {size:,} bytes; {LARGEST_BODY:,} is the most.", param=param)
    return body


def check_callback(queue: Queue, url: str) -> str:
    """Return an address a result may be sent to: one this installation may call, of a queue that signs and names it."""
    if len(url) > 500:
        raise BadInput("callback_url is longer than 500 characters.", param="callback_url")
    if not queue.secret:
        raise BadInput(
            f"The queue {queue.slug} has no secret to sign results with. A builder of its team makes one on its page.",
            param="callback_url",
        )
    checked_address(url, "callback_url")
    if not is_named(url, queue.callback_addresses):
        raise BadInput(
            f"The queue {queue.slug} sends no results to this address. A builder of its team names those it sends to, "
            "on its page under Change.",
            param="callback_url",
            code="callback_not_named",
        )
    return url


@transaction.atomic
def put(
    *,
    queue: Queue,
    body: Any,
    put_by_name: str,
    put_by_id: uuid.UUID | None = None,
    put_by_run: Run | None = None,
    dedupe_id: str | None = None,
    callback_url: str = "",
    not_before: dt.datetime | None = None,
) -> tuple[QueueItem, bool]:
    """Add an item, and return whether it is new: one with the dedupe id of an earlier one is that one, as it was put.

    `put_by_id` is the key that put it. Who answers for it now asked for what follows, whoever it is handed to later.
    """
    if dedupe_id is not None and not 0 < len(dedupe_id) <= 200:
        raise BadInput("dedupe_id has 1 to 200 characters.", param="dedupe_id")
    if callback_url:
        callback_url = check_callback(queue, callback_url)
    if dedupe_id and (earlier := QueueItem.objects.filter(queue=queue, dedupe_id=dedupe_id).first()):
        return earlier, False
    if queue.archived_at is not None:
        raise Conflict(f"The queue {queue.slug} is archived.")
    waiting = QueueItem.objects.filter(queue=queue, state__in=[State.READY, State.TAKEN])
    if waiting[MOST_WAITING : MOST_WAITING + 1].exists():
        raise Conflict(f"The queue {queue.slug} holds {MOST_WAITING:,} items; take some first.")
    item = QueueItem(
        queue=queue,
        body=check_body(body),
        dedupe_id=dedupe_id,
        callback_url=callback_url,
        not_before=not_before,
        put_by_name=put_by_name[:200],
        put_by_id=put_by_id,
        put_for_id=owner_of(put_by_id),
        put_by_run=put_by_run,
    )
    try:
        with transaction.atomic():
            item.save(force_insert=True)
    except IntegrityError:  # somebody put the same one at this moment
        return QueueItem.objects.get(queue=queue, dedupe_id=dedupe_id), False
    wake.serve(queue)
    return item, True


def abandoned(moment: dt.datetime) -> Q:
    """Match items that were taken, and not finished in time by anybody who still could."""
    return Q(state=State.TAKEN, lease_until__lt=moment) & (Q(run=None) | Q(run__state__in=Run.OVER))


@transaction.atomic
def take(*, queue: Queue, receipt: uuid.UUID | None = None, run: Run | None = None) -> QueueItem | None:
    """Give the oldest ready item to one taker, None when there is none. The same receipt gets the same item again."""
    receipt = receipt or uuid7()
    items = QueueItem.objects.filter(queue=queue)
    if held := items.filter(state=State.TAKEN, receipt=receipt).first():
        return held
    if queue.archived_at is not None:
        return None
    moment = now()
    is_ready = Q(state=State.READY) & (Q(not_before=None) | Q(not_before__lte=moment))
    while True:
        free = items.filter(is_ready | abandoned(moment)).order_by("created_at", "id")
        item = free.select_for_update(no_key=True, skip_locked=True, of=("self",)).first()
        if item is None:
            return None
        if item.attempts >= queue.most_attempts:
            _park(item, item.trouble or f"It was taken {item.attempts} times without a result.")
            continue
        item.state, item.receipt, item.run = State.TAKEN, receipt, run
        item.attempts, item.fence = item.attempts + 1, item.fence + 1
        item.lease_until, item.not_before = moment + dt.timedelta(seconds=queue.lease_seconds), None
        item.save(update_fields=["state", "receipt", "run", "attempts", "fence", "lease_until", "not_before"])
        return item


def renew(*, item_id: uuid.UUID, receipt: uuid.UUID, lease_seconds: int) -> None:
    """Keep an item for longer; StaleItem when somebody else has it by now."""
    held = QueueItem.objects.filter(pk=item_id, receipt=receipt, state=State.TAKEN)
    if not held.update(lease_until=now() + dt.timedelta(seconds=lease_seconds)):
        raise StaleItem(item_id)


@transaction.atomic
def finish(*, queue: Queue, item_id: uuid.UUID, receipt: uuid.UUID, result: Any = None, trouble: str = "") -> QueueItem:
    """Write what came of an item: a result, or with `trouble` that it failed for good."""
    check_body(result, "result")
    moment = now()
    ends = {"state": State.FAILED if trouble else State.DONE, "trouble": trouble[:500], "result": result}
    item = get_or_raise(QueueItem.objects.select_for_update(no_key=True).filter(pk=item_id, queue=queue), UnknownItem)
    if item.receipt == receipt and item.state in {State.DONE, State.FAILED}:
        return item  # it was said already
    if item.receipt != receipt or item.state != State.TAKEN:
        raise StaleItem(item_id)
    due = {"call_back_at": moment if item.callback_url else None}
    QueueItem.objects.filter(pk=item.pk).update(**ends, **due, ended_at=moment, lease_until=None)
    item.refresh_from_db()
    wake.call_back(item)
    return item


@transaction.atomic
def give_back(*, queue: Queue, item_id: uuid.UUID, receipt: uuid.UUID, trouble: str) -> QueueItem:
    """Say that this attempt failed: it is ready again after a while that grows, or parked after the last attempt."""
    item = get_or_raise(QueueItem.objects.select_for_update(no_key=True).filter(pk=item_id, queue=queue), UnknownItem)
    if item.receipt != receipt or item.state != State.TAKEN:
        raise StaleItem(item_id)
    if item.attempts >= queue.most_attempts:
        _park(item, trouble)
    else:
        wait = min(_FIRST_WAIT * 2 ** (item.attempts - 1), _LONGEST_WAIT)
        item.state, item.trouble, item.lease_until = State.READY, trouble[:500], None
        item.not_before = now() + dt.timedelta(seconds=wait)
        item.save(update_fields=["state", "trouble", "lease_until", "not_before"])
    return item


def _park(item: QueueItem, trouble: str) -> None:
    item.state, item.trouble, item.lease_until, item.ended_at = State.PARKED, trouble[:500], None, now()
    item.call_back_at = item.ended_at if item.callback_url else None
    item.save(update_fields=["state", "trouble", "lease_until", "ended_at", "call_back_at"])
    wake.call_back(item)
