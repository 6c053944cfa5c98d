"""Workers and brokers that die at each phase of a step: every run ends right, and every effect is there once."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx2 as httpx
import pytest
import redis
from celery import Celery
from django.db import connection, connections, transaction

from agents_app.models import Approval, Run
from agents_app.services.approvals import decide_approval
from console.audit.models import AuditEvent
from console.teams.models import Role
from tests import make
from tests.gateway.conftest import World
from tests.gateway.invariants import check_invariants
from tests.live import WebProcess, WorkerProcess, is_running
from tests.runs.workshop import PARAMETERS, Brain, Till
from tests.valkey import Valkey, valkey_server  # noqa: F401

QUICK = {"AGENT_LEASE_SECONDS": "3", "GATEWAY_LEASE_SECONDS": "4"}


class Works:
    """Agents that pay at a till, workers on a real broker, and what beat would send."""

    def __init__(self, valkey: Valkey) -> None:
        self.brain, self.till, self.valkey = Brain(), Till(), valkey
        self.brain.start()
        self.till.start()
        self.world = World(self.brain)
        self.ada = make.make_member(self.world.team, make.make_user("ada@example.com"))
        self.anna = make.make_member(self.world.team, make.make_user("anna@example.com"), Role.APPROVER)
        config = {"method": "POST", "url": f"http://127.0.0.1:{self.till.port}/pay", "body": "rest", "pick": "/taken"}
        self.tool = make.make_tool(
            self.world.team, "pay", kind="http", effect="write", config=config, parameters=PARAMETERS
        )
        self.agent = make.make_agent(self.world.team, "payer", grants=[{"tool": "pay", "mode": "allow"}])
        asking = {"tool": "pay"}
        self.careful = make.make_agent(self.world.team, "careful", grants=[asking])
        safe = {"tool": "pay", "mode": "allow"}
        self.other = make.make_team("Safe")
        make.make_member(self.other, self.ada)
        make.make_tool(
            self.other, "pay", kind="http", effect="write", config=config, parameters=PARAMETERS, is_idempotent=True
        )
        self.safe = make.make_agent(self.other, "safe", grants=[safe])
        self.broker = Celery("test", broker=valkey.url.replace("unix://", "redis+socket://"), set_as_current=False)
        self.workers: list[WorkerProcess] = []
        self.tasks = ["agents.drive", "gateway.sweep"]

    def worker(self, **more: str) -> WorkerProcess:
        self.workers.append(WorkerProcess("standard", VALKEY_URL=self.valkey.url, **QUICK, **more))
        return self.workers[-1]

    def beat(self) -> None:
        for task in self.tasks:
            self.broker.send_task(task, queue="standard")

    def until(self, condition: Callable[[], Any], seconds: float = 60) -> None:
        """Wait, and send what beat sends, more often than it does: one message too many is harmless."""
        deadline, sent = time.monotonic() + seconds, 0.0
        while not condition():
            assert time.monotonic() < deadline, "It does not come to that."
            if time.monotonic() - sent > 0.7:
                sent = time.monotonic()
                self.beat()
            time.sleep(0.05)

    def decide(self, run: Run, **answer: Any) -> None:
        approval = Approval.objects.get(run=run, state="waiting")
        decide_approval(
            actor=make.actor_for(self.anna), approval=approval, is_approved=True, seen_sha256=approval.sha256, **answer
        )

    def close(self) -> None:
        for worker in self.workers:
            worker.stop()
        self.brain.shut.clear()
        self.till.before.clear()
        self.till.after.clear()
        self.broker.close()
        self.brain.stop()
        self.till.stop()


@pytest.fixture
def works(committed_db: None, valkey_server: Valkey) -> Iterator[Works]:  # noqa: F811
    works = Works(valkey_server)
    yield works
    works.close()


def waits_for_a_lock() -> int:
    """Return how many sessions of the database wait for one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


def until_waiting(number: int) -> None:
    """Wait until so many sessions wait for a lock; no message is sent meanwhile, as each would be one more."""
    deadline = time.monotonic() + 60
    while waits_for_a_lock() < number:
        assert time.monotonic() < deadline, "Nobody waits for the lock."
        time.sleep(0.02)


class Held:
    """A row lock on a run, so that its worker can write nothing: whatever dies meanwhile dies before its commit."""

    def __init__(self, run: Run, *, is_next: bool = False) -> None:
        """Hold the row from now on; `is_next`: as soon as those let go who hold it and wait for it."""
        self._run, self._go, self._has = run, threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold)
        self._thread.start()
        if not is_next:
            assert self._has.wait(10)

    def let_one_write(self) -> "Held":
        """Let the worker write once, and hold the row again before its next write: it stands between two commits."""
        before = waits_for_a_lock()
        after = Held(self._run, is_next=True)
        until_waiting(before + 1)
        self.release()
        assert after._has.wait(10)
        return after

    def _hold(self) -> None:
        with transaction.atomic():
            Run.objects.select_for_update().get(pk=self._run.pk)
            self._has.set()
            self._go.wait(60)
        connections.close_all()

    def release(self) -> None:
        self._go.set()
        self._thread.join(10)


def test_a_worker_killed_at_each_phase_of_a_step_does_nothing_twice(works: Works) -> None:
    brain, till = works.brain, works.till
    # `unasked`: before the model is asked. `asking`: while it answers. `answered`: after the answer is on record, and
    # before the step is. `uncalled`: before the call. `before`, `after`: during it, before and after it took effect.
    # `unwritten`: after the call, before its outcome is committed. `repeat`: the same, of an idempotent tool.
    # `waiting`: while a person is asked.
    brain.shut |= {"asking", "answered", "uncalled"}
    till.before |= {"before"}
    till.after |= {"after", "repeat", "unwritten"}
    starts = {"waiting": works.careful, "repeat": works.safe}
    words = ("unasked", "asking", "answered", "uncalled", "before", "after", "unwritten", "repeat", "waiting")
    runs = {word: make.make_run(starts.get(word, works.agent), works.ada, word) for word in words}
    unasked = Held(runs["unasked"])
    doomed = works.worker()
    works.beat()
    until_waiting(1)
    unasked = unasked.let_one_write()
    taken = Run.objects.get(pk=runs["unasked"].pk)
    assert taken.lease_until is not None and not taken.steps.exists()
    works.until(lambda: all(brain.asked[f"{word} 0"] for word in brain.shut))
    works.until(lambda: till.hangs("before") and all(till.taken[word] for word in till.after))
    works.until(lambda: Run.objects.get(pk=runs["waiting"].pk).state == "waiting")
    blocked = waits_for_a_lock()
    helds = [Held(runs[word]) for word in ("answered", "uncalled", "unwritten")]
    brain.shut -= {"answered", "uncalled"}
    till.after.remove("unwritten")
    request = runs["answered"].steps.get().request_id
    works.until(lambda: AuditEvent.objects.filter(pk=request, status="ok").exists())
    until_waiting(blocked + 3)
    helds[1] = helds[1].let_one_write()
    assert runs["answered"].steps.get().state == "intended"
    assert [step.state for step in runs["uncalled"].steps.all()] == ["done", "planned"]
    assert runs["unwritten"].steps.get(kind="tool").state == "intended"
    doomed.kill()
    for held in (unasked, *helds):
        held.release()
    brain.shut.clear()
    till.before.clear()
    till.after.clear()
    works.decide(runs["waiting"])
    assert not any(Run.objects.get(pk=run.pk).is_over for run in runs.values())

    works.worker()
    unclear = {"before", "after", "unwritten"}
    ended = {word: runs[word] for word in words if word not in unclear}
    works.until(lambda: all(Run.objects.get(pk=run.pk).is_over for run in ended.values()))
    for word in unclear:
        works.until(lambda word=word: Approval.objects.filter(run=runs[word], kind="outcome", state="waiting").exists())
        assert runs[word].steps.get(kind="tool").state == "unknown"
    assert till.taken["after"] == till.taken["unwritten"] == 1, "nobody but a person says what became of it"
    works.decide(runs["before"], answer={"outcome": "not_done"})
    for word in ("after", "unwritten"):
        works.decide(runs[word], answer={"outcome": "done", "result": "It is in the till."})
    works.until(lambda: all(Run.objects.get(pk=run.pk).is_over for run in runs.values()))

    for word, run in runs.items():
        run.refresh_from_db()
        assert (run.state, run.lease_until) == ("succeeded", None), (word, run.state, run.code, run.trouble)
    assert till.taken == dict.fromkeys(set(words) - {"before"}, 1)
    assert len(till.keys["repeat"]) == 1 and sum(s.body["what"] == "repeat" for s in till.seen) == 2
    assert "It is in the till." in runs["after"].output["text"] and "did not happen" in runs["before"].output["text"]
    asked = brain.asked
    assert asked["answered 0"] == 1, "what is on record is not asked or paid for again"
    assert {word for word in words if asked[f"{word} 0"] != 1} == {"asking"} and asked["asking 0"] == 2
    steps = [(step.kind, step.state) for step in runs["asking"].steps.all()]
    assert steps == [("model", "failed"), ("model", "done"), ("tool", "done"), ("model", "done")]
    for run in runs.values():
        lines = AuditEvent.objects.filter(client_request_id=run.public_id)
        assert lines.filter(type="tool", status="interrupted").count() == (run.title in unclear | {"repeat"})
        assert sum(line.cost_micros for line in lines.filter(type="agent", status="ok")) == run.cost_micros
    check_invariants(works.world.calls(), len(brain.seen))


def test_a_pool_of_processes_may_lose_its_children_and_its_parent(works: Works) -> None:
    """With `--pool prefork` each child has threads for runs, as a worker has otherwise."""
    brain, till = works.brain, works.till

    def children(worker: WorkerProcess) -> None:
        for pid in worker.children():
            os.kill(pid, signal.SIGKILL)

    def parent(worker: WorkerProcess) -> None:
        pool = worker.children()
        worker.kill()
        works.until(lambda: not any(is_running(pid) for pid in pool), 10)

    worker = works.worker(pool="prefork")
    for end in (children, parent):
        asks, pays, repeats, waits = words = [f"{what} {end.__name__}" for what in ("asks", "pays", "repeats", "waits")]
        brain.shut.add(asks)
        till.after |= {pays, repeats}
        starts = {repeats: works.safe, waits: works.careful}
        runs = {word: make.make_run(starts.get(word, works.agent), works.ada, word) for word in words}
        works.until(lambda word=asks: brain.asked[f"{word} 0"])
        works.until(lambda names=(pays, repeats): all(till.taken[word] for word in names))
        works.until(lambda run=runs[waits]: Run.objects.get(pk=run.pk).state == "waiting")
        assert worker.children()
        end(worker)
        brain.shut.clear()
        till.after.clear()
        works.decide(runs[waits])
        if end is parent:
            works.worker()
        unclear = Approval.objects.filter(run=runs[pays], kind="outcome", state="waiting")
        works.until(unclear.exists)
        works.decide(runs[pays], answer={"outcome": "done", "result": "It is in the till."})
        works.until(lambda runs=runs: all(Run.objects.get(pk=run.pk).is_over for run in runs.values()))
        assert {Run.objects.get(pk=run.pk).state for run in runs.values()} == {"succeeded"}
        assert {word: till.taken[word] for word in words} == dict.fromkeys(words, 1)
        assert len(till.keys[repeats]) == 1
    check_invariants(works.world.calls(), len(brain.seen))


def follow(web: WebProcess, key: str, run: Run, lines: list[str]) -> None:
    """Write down the events of a run, as far as they come."""
    url = f"{web.url}/v1/agents/payer/runs/{run.public_id}/events"
    headers = {"Authorization": f"Bearer {key}"}
    with suppress(httpx.HTTPError), httpx.stream("GET", url, headers=headers, timeout=60) as events:
        for line in events.iter_lines():
            lines.append(line)


def asks_over_the_web(works: Works, key: str) -> Run:
    """Start a run by a chat completion whose web process is killed while it waits; return the run, which goes on."""
    works.brain.shut.add("over the web")
    web = WebProcess(VALKEY_URL=works.valkey.url).wait()
    body = {"model": "agent:payer", "messages": [{"role": "user", "content": "over the web"}]}
    headers = {"Authorization": f"Bearer {key}"}

    def ask() -> None:
        with suppress(httpx.HTTPError):
            httpx.post(f"{web.url}/v1/chat/completions", json=body, headers=headers, timeout=60)

    asking = threading.Thread(target=ask)
    asking.start()
    works.until(lambda: works.brain.asked["over the web 0"])
    run = Run.objects.get(trigger="chat")
    seen: list[str] = []
    following = threading.Thread(target=follow, args=(web, key, run, seen))
    following.start()
    works.until(lambda: "event: step" in seen)
    web.kill()
    for thread in (asking, following):
        thread.join(10)
    web.stop()
    assert not any('"succeeded"' in line for line in seen)
    works.brain.shut.clear()
    return run


def test_a_broker_that_loses_everything_and_a_web_process_that_dies_lose_no_run_and_no_approval(works: Works) -> None:
    works.brain.rounds["loses"] = 2
    runs = [make.make_run(works.careful, works.ada, "loses") for _ in range(3)]
    works.worker()
    works.until(lambda: Approval.objects.filter(state="waiting").count() == 3)
    works.till.after.add("paying")
    paying = make.make_run(works.agent, works.ada, "paying")
    works.until(lambda: works.till.taken["paying"])
    client = redis.from_url(works.valkey.url)
    for run in runs:
        works.decide(run)
    late = make.make_run(works.agent, works.ada, "late")
    client.flushall()
    client.close()
    works.valkey.lose_everything()
    works.till.after.clear()
    _, key = make.make_key(works.world.team, "web")
    web = asks_over_the_web(works, key)
    # Nothing is left but what the database says; the next beat finds it all. Out of order and twice is harmless.
    works.until(lambda: Run.objects.get(pk=late.pk).is_over)
    for _ in range(5):
        works.broker.send_task("agents.advance", args=[str(late.pk)], queue="standard")
        works.broker.send_task("agents.advance", args=[str(runs[0].pk)], queue="standard")
    works.until(lambda: Approval.objects.filter(state="waiting").count() == 3)
    for run in runs:
        works.decide(run)
    works.until(lambda: all(Run.objects.get(pk=run.pk).is_over for run in runs))
    assert {Run.objects.get(pk=run.pk).state for run in runs} == {"succeeded"}
    works.until(lambda: Run.objects.get(pk=paying.pk).is_over)
    assert works.till.taken == {"loses 0": 3, "loses 1": 3, "late": 1, "paying": 1, "over the web": 1}
    works.until(lambda: Run.objects.get(pk=web.pk).is_over)
    assert Run.objects.get(pk=web.pk).output == {"text": "Result: over the web"}
    again = WebProcess(VALKEY_URL=works.valkey.url).wait()
    lines: list[str] = []
    follow(again, key, web, lines)
    again.stop()
    assert lines.count("event: step") == 3 and any('"succeeded"' in line for line in lines[-3:]), (
        "what happened is read again from the rows"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        )
        assert cursor.fetchone()[0] == 0
