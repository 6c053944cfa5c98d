"""Create and change built-in queues, park and requeue items. Items are processed in tools/queue/items.py."""

import datetime as dt
import secrets
from typing import Any

from django.db import transaction
from django.db.models import Case, F, Q, Value, When

from agents_app.models import Queue, QueueItem
from agents_app.services.names import check_short_name
from agents_app.tools.queue import wake
from agents_app.tools.queue.callbacks import check_callback_addresses
from agents_app.tools.queue.items import abandoned, finish, give_back, put, renew, take
from agents_app.tools.queue.wake import is_served_in
from console.audit import actions
from console.audit.services import changes, record
from console.core import texts
from console.core.clock import now
from console.core.crypto import encrypt
from console.core.errors import BadInput, Conflict, check_revision
from console.core.races import hold, insert
from console.core.signing import SHORTEST_SECRET
from console.teams.actors import Actor
from console.teams.models import Team

__all__ = [
    "archive_queue", "change_queue", "create_queue", "finish", "give_back", "is_served_in", "park", "put", "renew",
    "renew_queue_secret", "requeue", "sweep", "take",
]  # fmt: skip

_NUMBERS = {"lease_seconds": (10, 86_400), "most_attempts": (1, 100), "keep_days": (1, 365)}
_FIELDS = ("name", "description", *_NUMBERS, "callback_addresses")
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
        fields["name"] = texts.line(fields["name"], "name", most=80, is_required=True)
    if "description" in fields:
        fields["description"] = texts.line(fields["description"], "description", most=300)
    if "callback_addresses" in fields:
        fields["callback_addresses"] = check_callback_addresses(fields["callback_addresses"])
    return fields


def _logged(queue: Queue) -> dict[str, Any]:
    return {name: getattr(queue, name) for name in _FIELDS}


@transaction.atomic
def create_queue(*, actor: Actor, team: Team, slug: str, name: str, **fields: Any) -> Queue:
    """Make a queue of a team. Programs and agents name it by its slug."""
    queue = Queue(team=team, slug=check_short_name(slug, 60), **_checked({"name": name, **fields}))
    insert(queue, Conflict(f"{team} has a queue {slug!r} already.", param="slug"))
    record(actions.QUEUE_CREATED, actor=actor, target=queue, detail={"after": {"slug": slug} | _logged(queue)})
    return queue


@transaction.atomic
def change_queue(*, actor: Actor, queue: Queue, seen_revision: int | None = None, **fields: Any) -> Queue:
    """Change the fields given; Overtaken when somebody changed the queue since it was seen."""
    queue = hold(queue, "team")
    check_revision("this queue", queue.revision, seen_revision)
    before = _logged(queue)
    for name, value in _checked(fields).items():
        setattr(queue, name, value)
    if before != _logged(queue):
        queue.revision += 1
        queue.save(update_fields=[*_FIELDS, "revision"])
        record(actions.QUEUE_CHANGED, actor=actor, target=queue, detail=changes(before, _logged(queue)))
    return queue


@transaction.atomic
def archive_queue(*, actor: Actor, queue: Queue) -> None:
    """Take a queue out of use: nothing is put or taken any more. Its items stay for as long as it keeps them."""
    if not Queue.objects.filter(pk=queue.pk, archived_at=None).update(archived_at=now()):
        raise Conflict(f"The queue {queue.slug} is archived already.")
    waiting = queue.items.filter(state__in=[State.READY, State.TAKEN]).count()
    record(actions.QUEUE_ARCHIVED, actor=actor, target=queue, detail={"before": _logged(queue) | {"waiting": waiting}})


@transaction.atomic
def renew_queue_secret(*, actor: Actor, queue: Queue, secret: str | None = None) -> str:
    """Give a queue a secret, or another one, and return it: shown this once. Results are signed with it.

    `secret` is one whoever gets the results has already.
    """
    if secret is not None and len(secret) < SHORTEST_SECRET:
        raise BadInput(f"A queue's secret has {SHORTEST_SECRET} characters or more.", param="secret")
    secret = secret or secrets.token_urlsafe(32)
    Queue.objects.filter(pk=queue.pk).update(secret=encrypt(secret))
    record(actions.QUEUE_SECRET_RENEWED, actor=actor, target=queue)
    return secret


# Items, as people move them ----------------------------------------------------------------------------------------


@transaction.atomic
def park(*, actor: Actor, item: QueueItem, trouble: str = "") -> QueueItem:
    """Set an item aside that waits or is taken, so that nobody takes it. Whoever holds it can say nothing any more."""
    reason = trouble or f"{actor.name} set it aside."
    rows = QueueItem.objects.filter(pk=item.pk, state__in=[State.READY, State.TAKEN])
    if not rows.update(
        state=State.PARKED,
        trouble=reason[:500],
        lease_until=None,
        receipt=None,
        fence=F("fence") + 1,
        ended_at=now(),
        call_back_at=now() if item.callback_url else None,
    ):
        raise Conflict("The item is not waiting any more.")
    record(actions.ITEM_PARKED, actor=actor, target=item, target_name=_name(item), team=item.queue.team)
    item.refresh_from_db()
    wake.call_back(item)
    return item


@transaction.atomic
def requeue(*, actor: Actor, item: QueueItem) -> QueueItem:
    """Let a parked or failed item be taken again, with all its attempts."""
    over = QueueItem.objects.filter(pk=item.pk, state__in=[State.PARKED, State.FAILED])
    if not over.update(
        state=State.READY,
        attempts=0,
        receipt=None,
        lease_until=None,
        not_before=None,
        ended_at=None,
        result=None,
        call_back_at=None,
        called_back_at=None,
        callbacks=0,
        callback_trouble="",
    ):
        raise Conflict("Only parked and failed items can be put back.")
    record(actions.ITEM_REQUEUED, actor=actor, target=item, target_name=_name(item), team=item.queue.team)
    item.refresh_from_db()
    wake.serve(item.queue)
    return item


def _name(item: QueueItem) -> str:
    return f"{item.queue.slug}/{item.pk}"


def sweep(*, most: int = 5_000) -> int:
    """Park what was abandoned for the last time, forget what is past its days; return how many items that were.

    What still waited when its queue was archived is taken by nobody: its days count from then.
    """
    moment, count = now(), 0
    for queue in Queue.objects.all():
        count += queue.items.filter(abandoned(moment), attempts__gte=queue.most_attempts).update(
            state=State.PARKED,
            trouble=f"It was taken {queue.most_attempts} times without a result.",
            lease_until=None,
            ended_at=moment,
            call_back_at=Case(When(~Q(callback_url=""), then=Value(moment))),
        )
        since = moment - dt.timedelta(days=queue.keep_days)
        is_past = Q(state__in=OVER, ended_at__lt=since)
        if queue.archived_at is not None and queue.archived_at < since:
            is_past |= Q(ended_at=None, created_at__lt=since)
        old = queue.items.filter(is_past)
        gone, _ = QueueItem.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:most])).delete()
        count += gone
    return count
