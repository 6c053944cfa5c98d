"""What becomes of lines: answers, errors, waits, and an end whatever happens."""

import datetime as dt
import threading
from collections.abc import Callable

from django.db import connection
from django.utils import timezone

from console.audit.models import AuditEvent
from console.batches.models import Batch, Line, LineState
from console.batches.services.batches import cancel_batch, rerun_batch
from console.batches.services.creator import Creator
from console.batches.services.sweep import drive
from console.catalog.services.providers import change_provider
from console.knowledge.services.collections import create_collection
from console.teams.actors import SYSTEM
from console.teams.models import ApiKey
from console.teams.services.keys import change_key, revoke_key, rotate_key
from tests.batches.conftest import content, line
from tests.between import After
from tests.gateway.conftest import World
from tests.waiting import until
from usage_app.services.quotas import remove_quota, set_quota

Make, Run = Callable[..., Batch], Callable[[Batch], Batch]


def test_it_answers_every_line_and_charges_each_once(world: World, make_batch: Make, run: Run) -> None:
    lines = [line(number, user=f"customer-{number % 2}", metadata={"n": str(number % 2)}) for number in range(1, 31)]
    batch = make_batch(*lines)
    Batch.objects.filter(pk=batch.pk).update(metadata={"project": "books", "n": "all"})
    batch = run(batch)
    assert (batch.state, batch.total, batch.completed, batch.failed) == ("completed", 30, 30, 0)
    answers = content(batch.output_file)
    assert sorted(a["custom_id"] for a in answers) == sorted(f"ticket-{n}" for n in range(1, 31))
    assert {a["response"]["status_code"] for a in answers} == {200} and batch.error_file_id is None
    assert answers[0]["response"]["body"]["choices"][0]["message"]["content"] == "Hello there."
    calls = world.calls()
    assert len(world.upstream.seen) == len(calls) == 30
    assert {(c.surface, c.lane, c.key_id, c.status) for c in calls} == {("batch", "batch", world.key.pk, "ok")}
    assert sorted({c.end_user for c in calls}) == ["customer-0", "customer-1"]
    assert sorted({c.metadata["n"] for c in calls}) == ["0", "1"]
    assert {c.metadata["project"] for c in calls} == {"books"}, "the batch says it for all its lines"
    assert {f"req_{c.pk.hex}" for c in calls} == {a["response"]["request_id"] for a in answers}
    assert batch.prompt_tokens == sum(c.prompt_tokens for c in calls)
    assert batch.cost_micros == sum(c.cost_micros for c in calls) > 0
    assert not Line.objects.exclude(result="").exists(), "answers are kept once, in the file"
    assert AuditEvent.objects.filter(action="batch.ended", target_id=str(batch.pk)).count() == 1


def test_it_puts_refused_lines_into_the_error_file_and_runs_them_again(
    world: World, make_batch: Make, run: Run, creator: Creator
) -> None:
    world.upstream.enqueue({"error": {"message": "No such tool."}}, status=400)
    batch = run(make_batch(line(1), line(2, model="nobody"), line(3)))
    assert (batch.state, batch.completed, batch.failed) == ("completed", 1, 2)
    errors = {e["custom_id"]: e["response"] for e in content(batch.error_file)}
    assert errors["ticket-2"]["status_code"] == 404
    assert errors["ticket-2"]["body"]["error"]["code"] == "model_not_found"
    assert 400 in {e["status_code"] for e in errors.values()}
    again = run(rerun_batch(creator=creator, batch=batch))
    assert (again.total, again.completed, again.failed, again.rerun_of) == (2, 1, 1, batch)


def test_it_tries_again_what_the_provider_broke_and_gives_up_in_the_end(
    world: World, make_batch: Make, run: Run, monkeypatch
) -> None:
    monkeypatch.setattr("console.batches.engine.line_calls._PAUSE", 0.01)
    world.upstream.enqueue({}, status=500)
    assert run(make_batch(line(1))).completed == 1
    for _ in range(3):
        world.upstream.enqueue({}, status=500)
    batch = run(make_batch(line(2)))
    assert (batch.completed, batch.failed) == (0, 1)
    assert content(batch.error_file)[0]["response"]["body"]["error"]["code"] == "upstream_error"
    world.forgive()


def test_a_rate_limit_makes_it_wait_and_a_spent_budget_fails_the_line(
    world: World, make_batch: Make, run: Run, settings
) -> None:
    settings.BATCH_CONCURRENCY = 1
    quota = set_quota(actor=SYSTEM, team=world.team, metric="requests", window="hour", limit=2, mode="hard")
    batch = run(make_batch(*(line(n) for n in range(4))))
    assert (batch.state, batch.completed, batch.failed) == ("in_progress", 2, 0)
    assert batch.not_before is not None and "requests an hour" in batch.waits_for
    assert [c.code for c in world.calls()].count("rate_limit_exceeded") == 1, "one refusal, not one for every line"
    quota.delete()
    set_quota(actor=SYSTEM, team=world.team, metric="requests", window="day", limit=3, mode="hard")
    Batch.objects.update(not_before=None)
    batch = run(batch)
    assert (batch.state, batch.completed, batch.failed) == ("completed", 3, 1)
    assert content(batch.error_file)[0]["response"]["body"]["error"]["code"] == "insufficient_quota"
    # A line that is larger than all of a limit would wait for ever, and all behind it.
    set_quota(actor=SYSTEM, team=world.team, metric="tokens", window="minute", limit=1, mode="hard")
    batch = run(make_batch(line(9)))
    assert (batch.state, batch.failed) == ("completed", 1)


def test_a_line_that_would_look_something_up_waits_for_a_rate_limit_as_well(
    world: World, make_batch: Make, run: Run
) -> None:
    collection = create_collection(actor=SYSTEM, team=world.team, slug="prices", name="Prices")
    world.model.capabilities = ["chat", "embedding"]
    world.model.save()
    collection.model, collection.payer = world.model, world.team
    collection.save()
    set_quota(actor=SYSTEM, team=world.team, metric="requests", window="hour", limit=1)
    assert run(make_batch(line(1))).completed == 1
    batch = run(make_batch(line(2, knowledge=["prices"])))
    assert (batch.state, batch.failed) == ("in_progress", 0) and "1 request an hour" in batch.waits_for


def test_an_end_user_at_its_limit_holds_up_its_own_lines_only(
    world: World, make_batch: Make, run: Run, settings
) -> None:
    settings.BATCH_CONCURRENCY = 1
    limit = {"metric": "requests", "window": "hour", "limit": 1, "each_end_user": True}
    quota = set_quota(actor=SYSTEM, team=world.team, **limit)
    batch = run(make_batch(*(line(n, user="ann") for n in range(3)), line(3, user="ben"), line(4)))
    assert (batch.state, batch.completed, batch.failed) == ("in_progress", 3, 0)
    assert batch.not_before is not None and "for this end user" in batch.waits_for
    refused = [c for c in world.calls() if c.status == "refused"]
    assert [(c.end_user, c.code) for c in refused] == [("ann", "rate_limit_exceeded")] * 2
    waiting = Line.objects.filter(batch=batch, state=LineState.PENDING)
    assert [(one.attempts, one.not_before is not None) for one in waiting] == [(0, True)] * 2
    remove_quota(actor=SYSTEM, quota=quota)
    Batch.objects.update(not_before=None)
    waiting.update(not_before=None)
    assert run(batch).completed == 5


def test_a_revoked_key_stops_it_with_the_reason(world: World, make_batch: Make, run: Run) -> None:
    batch = make_batch(line(1), line(2))
    revoke_key(actor=SYSTEM, key=world.key)
    batch = run(batch)
    assert (batch.state, batch.completed, len(world.upstream.seen)) == ("failed", 0, 0)
    assert batch.errors[0]["code"] == "key_refused" and "revoked" in batch.errors[0]["message"]
    assert [e["error"]["code"] for e in content(batch.error_file)] == ["batch_failed"] * 2
    assert {c.status for c in world.calls()} == {"refused"}


def test_a_key_that_replaced_its_own_goes_on_with_it(world: World, make_batch: Make, run: Run) -> None:
    batch, other, last = make_batch(line(1), line(2)), make_batch(line(3)), make_batch(line(4))
    between, _ = rotate_key(actor=SYSTEM, key=world.key, overlap=dt.timedelta(hours=1))
    heir, _ = rotate_key(actor=SYSTEM, key=between, overlap=dt.timedelta(hours=1))
    assert run(batch).completed == 2 and {call.key_id for call in world.calls()} == {world.key.pk}
    over = timezone.now() - dt.timedelta(seconds=1)
    ApiKey.objects.exclude(pk=heir.pk).update(expires_at=over)
    change_key(actor=SYSTEM, key=heir, name="Nightly", scopes=heir.scopes, aliases=["sales-chat"])
    other = run(other)
    assert (other.state, other.failed) == ("completed", 1), "with its limits, not those of the key that made it"
    change_key(actor=SYSTEM, key=heir, name="Nightly", scopes=heir.scopes)
    rotate_key(actor=SYSTEM, key=heir)
    last = run(last)
    assert (last.state, last.errors[0]["code"]) == ("failed", "key_refused"), "a rotation without overlap is an end"
    assert {call.key_id for call in world.calls()} == {world.key.pk, heir.pk}


def test_it_is_cancelled_and_expires_keeping_what_is_finished(
    world: World, make_batch: Make, run: Run, settings
) -> None:
    settings.BATCH_CONCURRENCY = 1
    set_quota(actor=SYSTEM, team=world.team, metric="requests", window="hour", limit=1, mode="hard")
    batch = run(make_batch(line(1), line(2)))
    assert batch.state == "in_progress"
    cancel_batch(actor=SYSTEM, batch=batch)
    assert batch.state == "cancelling"
    batch = run(batch)
    assert (batch.state, batch.completed, len(content(batch.output_file))) == ("cancelled", 1, 1)
    assert batch.cancelled_at and content(batch.error_file)[0]["error"]["code"] == "batch_cancelled"

    late = run(make_batch(line(1), line(2)))
    over = timezone.now() - dt.timedelta(days=2)
    Batch.objects.filter(pk=late.pk).update(expires_at=over, not_before=over)
    drive()  # the console was off meanwhile
    late = run(late)
    assert (late.state, late.output_file) == ("expired", None)
    assert {e["error"]["code"] for e in content(late.error_file)} == {"batch_expired"}

    broken = make_batch(line(1))
    Batch.objects.filter(pk=broken.pk).update(expires_at=over, lease_until=over + dt.timedelta(hours=7))
    drive()
    broken.refresh_from_db()
    assert (broken.state, broken.errors[0]["code"]) == ("failed", "internal_error"), "its workers died all the time"


def test_cancelling_does_not_wait_for_lines_that_wait_for_their_turn(world: World, make_batch: Make, run: Run) -> None:
    change_provider(actor=SYSTEM, provider=world.provider, max_concurrency=1)
    are_given_up = threading.Event()
    world.upstream.enqueue_when(are_given_up.is_set)
    batch = make_batch(*(line(n) for n in range(4)))

    def turn() -> None:
        run(batch)
        connection.close()

    worker = threading.Thread(target=turn)
    worker.start()
    sent = Line.objects.filter(batch=batch, state=LineState.SENT)
    until(lambda: sent.count() == 4 and world.upstream.seen, "all lines wait, and one is under way")
    cancel_batch(actor=SYSTEM, batch=Batch.objects.get(pk=batch.pk))
    until(lambda: len(world.calls()) == 3, "those that wait are given up, while the one is still under way")
    are_given_up.set()
    worker.join(60)
    batch.refresh_from_db()
    assert (batch.state, batch.completed, len(world.upstream.seen)) == ("cancelled", 1, 1), "what was under way went on"
    assert [e["error"]["code"] for e in content(batch.error_file)] == ["batch_cancelled"] * 3
    assert sorted(call.code for call in world.calls()) == ["", *["given_up"] * 3]


def test_a_line_whose_worker_died_takes_its_answer_from_the_log(world: World, make_batch: Make, run: Run) -> None:
    """As if the worker had died after the call was closed and before its outcome was written down."""
    batch = run(make_batch(line(1), line(2)))
    first, second = Line.objects.filter(batch=batch).order_by("number")
    Line.objects.filter(batch=batch).update(state=LineState.SENT, fence=0, result="")
    old = "01800000-0000-7000-8000-000000000001"  # a request that left no trace
    Line.objects.filter(pk=second.pk).update(request_id=old)
    Batch.objects.filter(pk=batch.pk).update(state="in_progress", completed=0, output_file=None)
    batch = run(batch)
    assert (batch.state, batch.completed, len(world.upstream.seen)) == ("completed", 2, 3)
    answers = {a["custom_id"]: a["response"] for a in content(batch.output_file)}
    assert answers["ticket-1"]["request_id"] == f"req_{first.request_id.hex}", "it was not sent again"
    assert answers["ticket-1"]["body"]["choices"][0]["message"]["content"] == "Hello there."


def test_a_worker_that_lost_its_lease_writes_nothing(make_batch: Make, run: Run) -> None:
    from console.batches.engine import lease

    batch = make_batch(line(1))
    held = lease.take(batch.pk)
    assert held is not None and lease.take(batch.pk) is None

    others = []

    def another_comes() -> None:
        Batch.objects.filter(pk=batch.pk).update(lease_until=None)
        others.append(lease.take(batch.pk))

    Batch.objects.filter(pk=batch.pk).update(lease_until=None)
    with connection.execute_wrapper(After(another_comes)):
        mine = lease.take(batch.pk)
    assert mine is None or mine.fence != others[0].fence, "who is away while it takes a batch gets no other's fence"
    Batch.objects.filter(pk=batch.pk).update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    assert run(batch).state == "completed"
    try:
        lease.change(held, state="in_progress")
    except lease.LeaseLost:
        pass
    else:
        raise AssertionError("an old worker could write")
    assert Batch.objects.get(pk=batch.pk).state == "completed"
