"""Beat's work for triggers: run schedules, take queue items, and write results back."""

import datetime as dt
import logging
import uuid

from django.db import transaction
from django.db.models import Q, QuerySet

from agents_app.models import Firing, Queue, QueueItem, Run, Trigger
from agents_app.services import queues
from agents_app.tools.queue.wake import readers, readers_of
from agents_app.triggers.firings import fire, input_for
from agents_app.triggers.payloads import PLAIN
from console.core.clock import now
from console.core.errors import Refusal
from console.core.schedules import GRACE, ONCE, newest_tick, next_tick

log = logging.getLogger(__name__)
# At most so many items of one queue begin in one round, so that no queue starves another.
_MOST_ITEMS = 20
_MOST_OPEN = 50
_AT_HAND = ("agent__team", "agent__live", "owner")  # what firing a trigger needs of it


def tick() -> None:
    """Do all there is to do now. Two at once, late or never: each tick and item still counts once."""
    for trigger_id in _due():
        _guarded(_tick, trigger_id)
    _guarded(settle)  # first: what has ended while the console was off is not taken once more
    for trigger in readers().select_related(*_AT_HAND):
        _guarded(_take, trigger)


def serve_queue(queue_id: uuid.UUID) -> None:
    """Write back what has ended of one queue, and begin what waits: something was put, or a run of it is over."""
    queue = Queue.objects.filter(pk=queue_id).first()
    if queue is None:
        return
    _guarded(_settle_all, _taken_items().filter(queue=queue, run__state__in=Run.OVER))
    for trigger in readers_of(queue).select_related(*_AT_HAND):
        _guarded(_take, trigger)


def _guarded(work: object, *given: object) -> None:
    """One broken trigger must not hold up the others."""
    try:
        work(*given)  # type: ignore[operator]
    except Exception:
        log.exception("A trigger could not be served.")


def _due() -> list[uuid.UUID]:
    """Return the schedules to see to: those that are due, and those whose last tick is still to come."""
    moment = now()
    is_due = Q(next_at__lte=moment) | Q(next_at__isnull=False, last_at__gt=moment + GRACE)
    rows = Trigger.objects.filter(is_due, kind=Trigger.Kind.SCHEDULE, is_enabled=True)
    return list(rows.order_by("next_at").values_list("pk", flat=True)[:500])


@transaction.atomic
def _tick(trigger_id: uuid.UUID) -> None:
    """Start the run of the tick that is due, and work the next one out."""
    rows = Trigger.objects.select_for_update(no_key=True, of=("self",), skip_locked=True)
    trigger = rows.select_related(*_AT_HAND).filter(pk=trigger_id).first()
    if trigger is None or trigger.next_at is None or not trigger.is_enabled:
        return
    cron, zone, moment = trigger.config["cron"], trigger.config["time_zone"], now()
    if trigger.next_at > moment:
        _set_back(trigger, moment)
        return
    due = newest_tick(cron, zone, trigger.next_at, moment)
    is_missed = moment - due > GRACE and trigger.config.get("catch_up") != ONCE
    if is_missed or trigger.agent.archived_at is not None:
        _skip(trigger, due)
    else:
        fire(trigger, due.isoformat(), {} if trigger.config.get("input") else _schedule_input(trigger, due))
    Trigger.objects.filter(pk=trigger.pk).update(next_at=next_tick(cron, zone, max(due, moment)))


def _set_back(trigger: Trigger, moment: dt.datetime) -> None:
    """Go on from now where the clock ran ahead and was put right: the next tick is as far away as it was wrong."""
    if trigger.last_at is not None and trigger.last_at > moment + GRACE:
        following = next_tick(trigger.config["cron"], trigger.config["time_zone"], moment)
        Trigger.objects.filter(pk=trigger.pk).update(next_at=following, last_at=moment)


def _schedule_input(trigger: Trigger, due: dt.datetime) -> dict[str, str]:
    """Return what a run is told when its schedule says nothing: which tick it is."""
    return {"message": f"Scheduled run {trigger.name!r} of {due:%Y-%m-%d %H:%M} UTC."}


def _skip(trigger: Trigger, due: dt.datetime) -> None:
    Firing.objects.get_or_create(
        trigger=trigger,
        key=due.isoformat(),
        defaults={"state": Firing.State.SKIPPED, "trouble": "Nobody was there to start it in time."},
    )
    Trigger.objects.filter(pk=trigger.pk).update(last_at=now())


# Built-in queues ------------------------------------------------------------------------------------------------------


def _take(trigger: Trigger) -> None:
    """Begin a run for each item that is ready."""
    queue = Queue.objects.filter(team=trigger.agent.team_id, slug=trigger.config.get("queue"), archived_at=None).first()
    if queue is None:
        Trigger.objects.filter(pk=trigger.pk).update(trouble=f"There is no queue {trigger.config.get('queue')!r}.")
        return
    is_open = Run.objects.exclude(state__in=Run.OVER).filter(queue_items__queue=queue)
    for _ in range(_MOST_ITEMS):
        if is_open.count() >= _MOST_OPEN or not _begin(trigger, queue):
            return


@transaction.atomic
def _begin(trigger: Trigger, queue: Queue) -> bool:
    item = queues.take(queue=queue)
    if item is None:
        return False
    assert item.receipt is not None
    try:
        values = input_for(trigger, PLAIN, item.body)
    except Refusal as refusal:
        queues.finish(queue=queue, item_id=item.pk, receipt=item.receipt, trouble=refusal.message)
        return True
    # Attempts are counted again when somebody puts an item back; each time it is taken has a fence of its own.
    firing, _ = fire(trigger, f"{item.pk.hex}:{item.fence}", values, body=item.body, called_by=item.put_by_run)
    if firing.run_id is None:
        queues.give_back(queue=queue, item_id=item.pk, receipt=item.receipt, trouble=firing.trouble)
    else:
        QueueItem.objects.filter(pk=item.pk).update(run=firing.run_id)
    return True


def settle() -> None:
    """Write the results of ended runs back to their items, and keep the items of those that continue."""
    _settle_all(_taken_items())


def _taken_items() -> QuerySet[QueueItem]:
    return QueueItem.objects.filter(state=QueueItem.State.TAKEN, run__isnull=False).select_related("run", "queue")


def _settle_all(items: QuerySet[QueueItem]) -> None:
    for item in items.order_by("lease_until")[:1_000]:
        assert item.run is not None and item.receipt is not None
        try:
            _settle(item, item.run)
        except Refusal:
            continue  # somebody else has it by now


def _settle(item: QueueItem, run: Run) -> None:
    assert item.receipt is not None
    if run.state == Run.State.SUCCEEDED:
        queues.finish(queue=item.queue, item_id=item.pk, receipt=item.receipt, result=run.output)
    elif run.is_over:
        trouble = run.trouble or f"Its run was {run.state}."
        queues.finish(queue=item.queue, item_id=item.pk, receipt=item.receipt, trouble=trouble[:500])
    else:
        queues.renew(item_id=item.pk, receipt=item.receipt, lease_seconds=item.queue.lease_seconds)
