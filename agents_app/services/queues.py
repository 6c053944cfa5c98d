"""Built-in queues: make and change them, and move items through them. Items are taken at least once, and end once.

1. `put` adds an item; one with the `dedupe_id` of an earlier item of the queue is that earlier one.
2. `take` gives the oldest item that is ready to one taker, with a lease. Two takers never hold the same item.
3. `finish` writes the result; only who holds the item's present receipt may. A second finish changes nothing.
4. A lease that ran out makes the item ready again; after `most_attempts` it is parked, for a person to look at.
"""

import datetime as dt
import json
import uuid
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from agents_app.errors import StaleItem, UnknownItem
from agents_app.models import Queue, QueueItem, Run
from agents_app.services.naming import check_line, check_short_name
from console.audit import actions
from console.audit.services import changes, record
from console.core.clock import now
from console.core.errors import BadInput, Conflict
from console.core.ids import uuid7
from console.teams.actors import Actor
from console.teams.models import Team

LARGEST_BODY = 256 * 1024
MOST_WAITING = 100_000
_NUMBERS = {"lease_seconds": (10, 86_400), "most_attempts": (1, 100), "keep_days": (1, 365)}
_FIELDS = ("name", "description", *_NUMBERS)
_FIRST_WAIT, _LONGEST_WAIT = 10, 3600
State = QueueItem.State
OVER = (State.DONE, State.FAILED, State.PARKED)


# Queues ---------------------------------------------------------------------------------------------------------------


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    if unknown := set(fields) - set(_FIELDS):
        raise TypeError(f"A queue has no {', '.join(sorted(unknown))}.")
    for name, (least, most) in _NUMBERS.items():
        if name in fields and not least <= fields[name] <= most:
            raise BadInput(f"{name} must be from {least} to {most:,}.", param=name)
    if "name" in fields:
        fields["name"] = check_line(fields["name"], "name", most=80, is_required=True)
    if "description" in fields:
        fields["description"] = check_line(fields["description"], "description", most=300)
    return fields


def _shown(queue: Queue) -> dict[str, Any]:
    return {name: getattr(queue, name) for name in _FIELDS}


@transaction.atomic
def create_queue(*, actor: Actor, team: Team, slug: str, name: str, **fields: Any) -> Queue:
    """Make a queue of a team. Programs and agents name it by its slug."""
    queue = Queue(team=team, slug=check_short_name(slug, 60), **_checked({"name": name, **fields}))
    try:
        with transaction.atomic():
            queue.save(force_insert=True)
    except IntegrityError:
        raise Conflict(f"{team} has a queue {slug!r} already.", param="slug") from None
    record(actions.QUEUE_CREATED, actor=actor, target=queue, detail={"after": {"slug": slug} | _shown(queue)})
    return queue


@transaction.atomic
def change_queue(*, actor: Actor, queue: Queue, **fields: Any) -> Queue:
    queue = Queue.objects.select_for_update(of=("self",)).select_related("team").get(pk=queue.pk)
    before = _shown(queue)
    for name, value in _checked(fields).items():
        setattr(queue, name, value)
    if before != _shown(queue):
        queue.save(update_fields=list(_FIELDS))
        record(actions.QUEUE_CHANGED, actor=actor, target=queue, detail=changes(before, _shown(queue)))
    return queue


@transaction.atomic
def archive_queue(*, actor: Actor, queue: Queue) -> None:
    """Take a queue out of use: nothing is put or taken any more. Its items stay for as long as it keeps them."""
    if not Queue.objects.filter(pk=queue.pk, archived_at=None).update(archived_at=now()):
        raise Conflict(f"The queue {queue.slug} is archived already.")
    waiting = queue.items.filter(state__in=[State.READY, State.TAKEN]).count()
    record(actions.QUEUE_ARCHIVED, actor=actor, target=queue, detail={"before": _shown(queue) | {"waiting": waiting}})


# Items ----------------------------------------------------------------------------------------------------------------


def check_body(body: Any, param: str = "body") -> Any:
    size = len(json.dumps(body, ensure_ascii=False).encode())
    if size > LARGEST_BODY:
        raise BadInput(f"{param} has {size:,} bytes; {LARGEST_BODY:,} is the most.", param=param)
    return body


@transaction.atomic
def put(
    *,
    queue: Queue,
    body: Any,
    put_by_name: str,
    dedupe_id: str | None = None,
    callback_url: str = "",
    not_before: dt.datetime | None = None,
) -> tuple[QueueItem, bool]:
    """Add an item, and say whether it is new: one with the dedupe id of an earlier one is that one, as it was put."""
    if dedupe_id is not None and not 0 < len(dedupe_id) <= 200:
        raise BadInput("dedupe_id has 1 to 200 characters.", param="dedupe_id")
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
    )
    try:
        with transaction.atomic():
            item.save(force_insert=True)
    except IntegrityError:  # somebody put the same one at this moment
        return QueueItem.objects.get(queue=queue, dedupe_id=dedupe_id), False
    return item, True


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
    is_abandoned = Q(state=State.TAKEN, lease_until__lt=moment)
    while True:
        free = items.filter(is_ready | is_abandoned).order_by("created_at", "id")
        item = free.select_for_update(skip_locked=True, of=("self",)).first()
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
    ends = {"state": State.FAILED if trouble else State.DONE, "trouble": trouble[:500], "result": result}
    item = QueueItem.objects.select_for_update().filter(pk=item_id, queue=queue).first()
    if item is None:
        raise UnknownItem(item_id)
    if item.receipt == receipt and item.state in {State.DONE, State.FAILED}:
        return item  # it was said already
    if item.receipt != receipt or item.state != State.TAKEN:
        raise StaleItem(item_id)
    QueueItem.objects.filter(pk=item.pk).update(**ends, ended_at=now(), lease_until=None)
    item.refresh_from_db()
    return item


@transaction.atomic
def give_back(*, queue: Queue, item_id: uuid.UUID, receipt: uuid.UUID, trouble: str) -> QueueItem:
    """Say that this attempt failed: it is ready again after a while that grows, or parked after the last attempt."""
    item = QueueItem.objects.select_for_update().filter(pk=item_id, queue=queue).first()
    if item is None:
        raise UnknownItem(item_id)
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
    item.save(update_fields=["state", "trouble", "lease_until", "ended_at"])


@transaction.atomic
def park(*, actor: Actor, item: QueueItem, trouble: str = "") -> QueueItem:
    """Set an item aside that waits or is taken, so that nobody takes it. Whoever holds it can say nothing any more."""
    said = trouble or f"{actor.name} set it aside."
    held = QueueItem.objects.filter(pk=item.pk, state__in=[State.READY, State.TAKEN])
    if not held.update(
        state=State.PARKED, trouble=said[:500], lease_until=None, receipt=None, fence=F("fence") + 1, ended_at=now()
    ):
        raise Conflict("The item is not waiting any more.")
    record(actions.ITEM_PARKED, actor=actor, target=item, target_name=_name(item), team=item.queue.team)
    item.refresh_from_db()
    return item


@transaction.atomic
def requeue(*, actor: Actor, item: QueueItem) -> QueueItem:
    """Let a parked or failed item be taken again, with all its attempts."""
    over = QueueItem.objects.filter(pk=item.pk, state__in=[State.PARKED, State.FAILED])
    if not over.update(
        state=State.READY, attempts=0, receipt=None, lease_until=None, not_before=None, ended_at=None, result=None
    ):
        raise Conflict("Only parked and failed items can be put back.")
    record(actions.ITEM_REQUEUED, actor=actor, target=item, target_name=_name(item), team=item.queue.team)
    item.refresh_from_db()
    return item


def _name(item: QueueItem) -> str:
    return f"{item.queue.slug}/{item.pk}"


def sweep(*, most: int = 5_000) -> int:
    """Park what was abandoned for the last time, forget what is past its days; return how many items that were."""
    moment, count = now(), 0
    for queue in Queue.objects.all():
        abandoned = queue.items.filter(state=State.TAKEN, lease_until__lt=moment, attempts__gte=queue.most_attempts)
        count += abandoned.update(
            state=State.PARKED,
            trouble=f"It was taken {queue.most_attempts} times without a result.",
            lease_until=None,
            ended_at=moment,
        )
        old = queue.items.filter(state__in=OVER, ended_at__lt=moment - dt.timedelta(days=queue.keep_days))
        gone, _ = QueueItem.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:most])).delete()
        count += gone
    return count
