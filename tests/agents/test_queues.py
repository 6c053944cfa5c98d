"""Queues: who gets an item, for how long, and what becomes of one nobody finishes."""

import datetime as dt
import uuid
from functools import partial

import pytest

from agents_app.errors import StaleItem
from agents_app.models import Queue, QueueItem
from agents_app.services import queues
from console.audit.models import AuditEvent
from console.core.clock import now
from console.core.errors import BadInput, Conflict
from console.teams.actors import SYSTEM, Actor
from tests.at_once import at_once
from tests.conftest import Cast


def queue_of(cast, **fields):
    return queues.create_queue(actor=SYSTEM, team=cast.team_a, slug="mail", name="Mail", **fields)


def put(queue, body="work", **fields):
    return queues.put(queue=queue, body=body, put_by_name="Alice", **fields)


def expire(item):
    QueueItem.objects.filter(pk=item.pk).update(lease_until=now() - dt.timedelta(seconds=1), not_before=None)


def test_it_gives_the_oldest_item_to_one_taker(cast):
    queue = queue_of(cast)
    first, second = put(queue, 1)[0], put(queue, 2)[0]
    put(queue, 3, not_before=now() + dt.timedelta(hours=1))
    assert queues.take(queue=queue).pk == first.pk
    assert queues.take(queue=queue).pk == second.pk
    assert queues.take(queue=queue) is None
    same, is_new = put(queue, "a", dedupe_id="x")
    assert is_new and put(queue, "b", dedupe_id="x") == (same, False)
    with pytest.raises(BadInput, match="262,144 is the most"):
        put(queue, "x" * 300_000)


def test_a_lease_that_ran_out_lets_the_next_one_take_it_and_the_last_one_is_parked(cast):
    queue = queue_of(cast, most_attempts=2)
    item, _ = put(queue)
    old = queues.take(queue=queue)
    expire(item)
    new = queues.take(queue=queue)
    assert new.pk == old.pk and new.receipt != old.receipt and new.attempts == 2
    for act in (
        lambda: queues.finish(queue=queue, item_id=item.pk, receipt=old.receipt, result=1),
        lambda: queues.give_back(queue=queue, item_id=item.pk, receipt=old.receipt, trouble="x"),
        lambda: queues.renew(item_id=item.pk, receipt=old.receipt, lease_seconds=60),
    ):
        with pytest.raises(StaleItem):
            act()
    expire(item)
    assert queues.take(queue=queue) is None
    item.refresh_from_db()
    assert item.state == "parked" and "taken 2 times" in item.trouble
    alice = Actor("user", cast.alice.pk, "Alice")
    queues.requeue(actor=alice, item=item)
    taken = queues.take(queue=queue)
    assert taken.pk == item.pk and taken.attempts == 1
    queues.park(actor=alice, item=taken)
    with pytest.raises(StaleItem):
        queues.finish(queue=queue, item_id=item.pk, receipt=taken.receipt)
    with pytest.raises(Conflict):
        queues.park(actor=alice, item=item)
    lines = AuditEvent.objects.filter(action__startswith="queue_item.").values_list("action", "actor", "team")
    assert set(lines) == {("queue_item.requeued", "Alice", "Team A"), ("queue_item.parked", "Alice", "Team A")}


def test_an_attempt_that_failed_waits_longer_each_time(cast):
    queue = queue_of(cast, most_attempts=3)
    item, _ = put(queue)
    for attempt, wait in ((1, 10), (2, 20)):
        taken = queues.take(queue=queue)
        back = queues.give_back(queue=queue, item_id=item.pk, receipt=taken.receipt, trouble=f"no {attempt}")
        assert wait - 2 < (back.not_before - now()).total_seconds() <= wait
        assert queues.take(queue=queue) is None
        expire(item)
    taken = queues.take(queue=queue)
    parked = queues.give_back(queue=queue, item_id=item.pk, receipt=taken.receipt, trouble="no 3")
    assert (parked.state, parked.trouble) == ("parked", "no 3")


def test_it_sweeps_what_is_past_its_days(cast):
    queue = queue_of(cast, most_attempts=1, keep_days=1)
    old, abandoned, kept = (put(queue, n)[0] for n in range(3))
    QueueItem.objects.filter(pk=old.pk).update(state="done", ended_at=now() - dt.timedelta(days=2))
    queues.take(queue=queue)
    expire(abandoned)
    assert queues.sweep() == 2
    assert dict(queue.items.values_list("pk", "state")) == {abandoned.pk: "parked", kept.pk: "ready"}


def test_what_waits_in_an_archived_queue_is_forgotten_too(cast):
    queue = queue_of(cast, keep_days=1)
    put(queue, 1)
    queues.take(queue=queue)
    put(queue, 2)
    long_ago = now() - dt.timedelta(days=2)
    QueueItem.objects.update(created_at=long_ago, lease_until=long_ago)
    queues.archive_queue(actor=SYSTEM, queue=queue)
    assert queues.sweep() == 0, "its days count from the archiving"
    Queue.objects.update(archived_at=long_ago)
    assert queues.sweep() == 2 and not QueueItem.objects.exists()


def test_many_takers_never_hold_the_same_item(committed_db):
    queue = queue_of(Cast())
    for n in range(40):
        put(queue, n)

    def taker() -> list[uuid.UUID]:
        return [item.pk for item in iter(partial(queues.take, queue=queue), None)]

    got = [taken for one in at_once(*[taker] * 6) for taken in one]
    assert len(got) == len(set(got)) == 40
