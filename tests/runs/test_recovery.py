"""What the next worker makes of what another left: states a crash can leave behind, one by one."""

import datetime as dt
import json
import threading
from concurrent.futures import wait
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from agents_app.engine import lease, limits, runner, sweep, turns, worker
from agents_app.models import Approval, Run, Step, Trigger
from agents_app.services.triggers import create_trigger
from agents_app.triggers import beat
from console.core.clock import now
from console.core.ids import uuid7, uuid7_at
from tests import make
from tests.make import client_of
from tests.runs.conftest import Shop
from tests.runs.counting import counted, keys
from tests.runs.scripts import wants, words
from tests.waiting import until


def left_behind(run: Run) -> None:
    """As if the worker of a run had died a while ago."""
    Run.objects.filter(pk=run.pk).update(state="running", lease_until=now() - dt.timedelta(seconds=1))


def begun(run: Run, **fields) -> Step:
    return make.make_step(run, state="intended", tool_name="pay", request_id=uuid7(), attempts=1, **fields)


def test_calls_that_were_planned_are_made_and_those_that_were_begun_are_seen_to(shop: Shop) -> None:
    make.publish_agent(shop.agent, grants=[{"tool": "pay", "mode": "allow"}, {"tool": "count"}])
    said = {"role": "assistant", "content": None, "tool_calls": []}
    run = shop.start()
    make.make_step(run, kind="model", state="done", output={"message": said}, tool_name="")
    make.make_step(run, state="planned", tool_name="count", call_id="a", arguments={"what": "planned"})
    reads = begun(run, call_id="b", arguments={"what": "reads"})
    Step.objects.filter(pk=reads.pk).update(tool_name="count")
    pays = begun(run, call_id="c", arguments={"what": "pays"})
    left_behind(run)
    shop.says(words())
    run = shop.go(run)
    assert run.state == "waiting" and counted(shop.file) == {"planned": 1, "reads": 1}
    assert keys(shop.file, "reads") == {reads.idempotency_key.hex}, "the same key goes along"
    pays.refresh_from_db()
    assert pays.state == "unknown" and Approval.objects.get().kind == "outcome"
    run = shop.decide(run, answer={"outcome": "not_done"})
    assert run.state == "succeeded" and "pays" not in counted(shop.file)


def test_a_question_to_the_model_that_left_no_trace_is_put_again_and_a_recent_one_waits(shop: Shop) -> None:
    run = shop.start()
    fields = {"kind": "model", "state": "intended", "tool_name": "", "attempts": 0}
    old = make.make_step(run, **fields, request_id=uuid7_at(now() - dt.timedelta(minutes=5)))
    Run.objects.filter(pk=run.pk).update(model_calls=1)
    left_behind(run)
    shop.says(words("Here."))
    run = shop.go(run)
    assert run.state == "succeeded" and [step.state for step in run.steps.all()] == ["failed", "done"]
    old.refresh_from_db()
    assert old.note == "not_sent" and run.model_calls == 1, "a call that was not made is not counted"

    run = shop.start()
    make.make_step(run, **fields, request_id=uuid7())
    left_behind(run)
    run = shop.go(run)
    assert run.state == "running" and run.wake_at > now(), "its worker may still be about to send it"
    assert len(shop.world.upstream.seen) == 1


def test_a_worker_that_lost_its_run_writes_nothing(shop: Shop) -> None:
    is_lost = shop.file.with_name("is lost")
    shop.says(wants(("count", {"what": "slow", "until": str(is_lost)})))
    run = shop.start()

    def work() -> None:
        shop.go(run)
        connections.close_all()

    first = threading.Thread(target=work)
    first.start()
    until(lambda: counted(shop.file, "begun"), "its tool has begun")
    Run.objects.filter(pk=run.pk).update(lease_until=None)
    taken = lease.take(run.pk)
    assert taken is not None
    is_lost.touch()
    first.join()
    step = run.steps.get(kind="tool")
    assert (step.state, step.output) == ("intended", None), "its outcome is another's to find out"
    for fields in ({"state": "failed"}, {}):
        with pytest.raises(lease.LeaseLost):
            taken.fence -= 1
            lease.change(taken, **fields)
        taken.fence += 1
    lease.put_down(taken)
    shop.says(words())
    assert shop.go(run).state == "succeeded"


def test_time_without_a_worker_does_not_count(shop: Shop) -> None:
    """The console was off for a day: its worker died, or put the run down before."""
    off = now() - dt.timedelta(days=1)
    for is_put_down in (False, True):
        run = shop.start("17")
        taken = lease.take(run.pk)
        assert taken is not None
        lease.change(taken, **limits.starts(taken))
        if is_put_down:
            lease.put_down(taken)
        since = "waiting_since" if is_put_down else "lease_until"
        assert getattr(Run.objects.get(pk=run.pk), since) is not None
        Run.objects.filter(pk=run.pk).update(ends_by=off + dt.timedelta(minutes=1), **{since: off})
        shop.says(words())
        assert shop.go(run).state == "succeeded"


def test_a_run_that_ends_its_workers_is_given_up_and_others_go_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    poison = shop.start("poison")
    whole = runner._step

    def break_on_poison(turn, steps):
        if turn.run.pk == poison.pk:
            raise RuntimeError("a bug")
        return whole(turn, steps)

    monkeypatch.setattr(runner, "_step", break_on_poison)
    for _ in range(runner.MOST_ATTEMPTS + 1):
        assert not Run.objects.get(pk=poison.pk).is_over
        shop.go(poison)
    poison.refresh_from_db()
    assert (poison.state, poison.code) == ("failed", "gave_up") and "5 workers" in poison.trouble
    assert shop.run(words()).state == "succeeded"


def test_the_sweeper_wakes_what_has_no_worker_and_nothing_that_waits(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(
        "console.core.tasks.current_app.send_task", lambda name, args, **options: sent.append((name, args[0]))
    )
    queued, lost, waits, late, held, over = (shop.start() for _ in range(6))
    sent.clear()
    left_behind(lost)
    make.make_approval(waits)
    make.make_approval(late, expires_at=now() - dt.timedelta(seconds=1))
    lease.take(held.pk)
    Run.objects.filter(pk=over.pk).update(state="failed")
    sweep.drive()
    woken = {run for name, run in sent if name == "agents.advance"}
    assert woken == {str(queued.pk), str(lost.pk), str(late.pk)}


def test_one_process_carries_many_runs_and_takes_the_next_by_itself(shop: Shop, settings) -> None:
    settings.AGENT_CONCURRENCY = 2
    runs = [shop.start(f"number {n}") for n in range(6)]
    shop.says(*[words(f"{n}") for n in range(6)])
    assert worker.offer(runs[0].pk) and worker.offer(runs[1].pk)
    worker.wait_until_idle(20)
    assert {Run.objects.get(pk=run.pk).state for run in runs} == {"succeeded"}
    runner.stopping.set()
    try:
        assert not worker.offer(runs[0].pk)
    finally:
        runner.stopping.clear()


def test_a_team_with_thousands_of_runs_does_not_keep_anothers_waiting(shop: Shop) -> None:
    first = shop.start("crowd")
    copies(first, [{}] * 10_000)
    small, smaller = make.make_team("Small"), make.make_team("Smaller")
    shop.agent.audience = "organisation"
    shop.agent.save(update_fields=["audience"])
    pays = {team: make.make_member(team) for team in (small, smaller)}
    late = [shop.start(f"late {n}", user=pays[team]) for n, team in enumerate([small, small, smaller])]
    taken = [lease.take_any() for _ in range(6)]
    assert all(taken), "there is enough for everybody"
    # The oldest first, then the teams that have nothing at work; after that in turn, by how much each has.
    assert [run.team_id for run in taken] == [
        shop.world.team.pk, small.pk, smaller.pk, shop.world.team.pk, small.pk, shop.world.team.pk,
    ]  # fmt: skip
    assert {run.pk for run in taken} > {run.pk for run in late}
    # What somebody else is about to take is passed over, and a team all of whose runs are does not stop the others.
    last = shop.start("last", user=pays[smaller])
    Run.objects.filter(team=smaller).exclude(pk=last.pk).update(lease_until=None, state="failed")
    with transaction.atomic():
        Run.objects.select_for_update().get(pk=last.pk)
        other = threading.Thread(target=lambda: (taken.append(lease.take_any()), connections.close_all()))
        other.start()
        other.join()
    assert taken[-1].team_id == shop.world.team.pk
    assert lease.take_any().pk == last.pk


def test_messages_are_acknowledged_late_and_carry_nothing_but_ids(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from console.celery import app

    assert app.conf.task_acks_late and app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1 and app.conf.task_serializer == "json"
    app.loader.import_default_modules()
    own = {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}
    assert all(task.acks_late and task.reject_on_worker_lost for task in own.values()) and "agents.advance" in own
    sent: list[tuple[str, list[str], dict]] = []
    monkeypatch.setattr(
        "console.core.tasks.current_app.send_task", lambda name, args, **more: sent.append((name, args, more))
    )
    run = shop.run(wants(("pay", {"what": "rent"})), words())
    assert run.state == "waiting"
    shop.start()
    sweep.drive()
    assert {name for name, _, _ in sent} >= {"agents.advance", "agents.tell_of_approval"}
    for name, args, more in sent:
        assert len(args) == 1 and len(args[0]) == 36, (name, args)
        assert not more.keys() & {"countdown", "eta"}, "the broker delays nothing: rows say when"


def test_schedulers_and_takers_at_once_start_each_tick_and_item_once(shop: Shop) -> None:
    fields = {"actor": make.actor_for(shop.ada), "agent": shop.agent, "owner": shop.ada, "environment": "production"}
    message = {"type": "string", "maxLength": 100}
    schema = {"type": "object", "properties": {"message": message}, "required": ["message"]}
    make.publish_agent(shop.agent, input_schema=schema)
    shop.agent.refresh_from_db()
    every = {"cron": "0 0 1 1 *", "time_zone": "Europe/Berlin"}
    tick, _ = create_trigger(kind="schedule", name="Every", config=every, **fields)
    queue = make.make_queue(shop.world.team, "work", most_attempts=1)
    create_trigger(kind="queue", name="Work", config={"queue": "work"}, **fields)
    for number in range(12):
        make.make_item(queue, {"message": f"item {number % 6}"}, dedupe_id=f"{number % 6}")
    poison = make.make_item(queue, {"message": "x" * 200})
    Trigger.objects.filter(pk=tick.pk).update(next_at=now().replace(second=0, microsecond=0))
    begin = threading.Barrier(4)

    def at_once() -> None:
        begin.wait(60)
        beat.tick()
        connections.close_all()

    schedulers = [threading.Thread(target=at_once) for _ in range(4)]
    for one in schedulers:
        one.start()
    for one in schedulers:
        one.join()
    beat.tick()
    assert Run.objects.filter(trigger="schedule").count() == 1
    said = sorted(run.input["message"] for run in Run.objects.filter(trigger="queue"))
    assert said == [f"item {number}" for number in range(6)]
    poison.refresh_from_db()
    client = client_of(shop.ada)
    shown = client.get(f"/tools/queues/{queue.pk}/").content.decode()
    assert poison.state == "parked" and "input does not fit" in poison.trouble and escape(poison.trouble[:40]) in shown


def asked(run: Run, shop: Shop) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        shop.go(run)
    return [query["sql"] for query in queries if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))]


def test_a_step_asks_the_database_no_more_than_it_must(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    # A call that takes a second has its lease renewed meanwhile, which is one more.
    monkeypatch.setattr(turns, "wait", lambda calls, timeout, return_when: wait(calls, return_when=return_when))
    counts = []
    for steps in (1, 2):
        shop.says(*[wants(("count", {"what": f"{steps} {number}"})) for number in range(steps)], words())
        counts.append(len(asked(shop.start(), shop)))
    first, second = counts
    # What a question and its call come to, then the rest: taking the run up, its last word and its end.
    assert (second - first, 2 * first - second) == (35, 36), counts


def copies(row: Any, changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write copies of a row, as many as there are changes, and return what is another in each."""
    changes = [{"id": str(uuid7())} | change for change in changes]
    table = row._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} SELECT copy.* FROM {table} one, jsonb_array_elements(%s) change,"
            " jsonb_populate_record(one, change) copy WHERE one.id = %s",
            [json.dumps(changes), row.pk],
        )
    return changes


def test_what_waits_costs_the_sweeper_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr("console.core.tasks.current_app.send_task", lambda name, *args, **more: sent.append(name))

    def beat() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert sweep.drive() == sweep.tell() == 0
            assert lease.take_any() is None
        return len(queries)

    none = beat()
    run = shop.run(wants(("pay", {"what": "rent"})))
    assert run.state == "waiting"
    Approval.objects.update(told_at=now())
    runs = copies(run, [{}] * 1_000)
    steps = copies(run.steps.get(kind="tool"), [{"run_id": one["id"]} for one in runs])
    copies(Approval.objects.get(), [{"run_id": one["run_id"], "step_id": one["id"]} for one in steps])
    sent.clear()
    assert beat() == none and not sent
    assert Run.objects.filter(state="waiting", lease_until=None, worker="").count() == 1_001
