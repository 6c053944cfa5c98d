"""Workers and brokers that die at each phase of a step: every run ends right, and every effect is there once."""

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
from tests.live import WebProcess, WorkerProcess
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

    def worker(self) -> WorkerProcess:
        self.workers.append(WorkerProcess("standard", VALKEY_URL=self.valkey.url, **QUICK))
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


class Held:
    """A row lock on a run, so that its worker can write nothing: whatever dies meanwhile dies before its commit."""

    def __init__(self, run: Run) -> None:
        self._run, self._go, self._has = run, threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold)
        self._thread.start()
        assert self._has.wait(10)

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
    # `asking`: while the model answers. `answered`: after the answer is on record, before the step is.
    # `before`, `after`: during the call, before and after it took effect. `repeat`: the same, of an idempotent tool.
    # `waiting`: while a person is asked.
    brain.shut |= {"asking", "answered"}
    till.before |= {"before"}
    till.after |= {"after", "repeat"}
    starts = {"waiting": works.careful, "repeat": works.safe}
    words = ("asking", "answered", "before", "after", "repeat", "waiting")
    runs = {word: make.make_run(starts.get(word, works.agent), works.ada, word) for word in words}
    doomed = works.worker()
    works.until(lambda: brain.asked["asking 0"] and brain.asked["answered 0"])
    works.until(lambda: till.hangs("before") and till.taken["after"] and till.taken["repeat"])
    works.until(lambda: Run.objects.get(pk=runs["waiting"].pk).state == "waiting")
    held = Held(runs["answered"])
    brain.shut.remove("answered")
    request = runs["answered"].steps.get().request_id
    works.until(lambda: AuditEvent.objects.filter(pk=request, status="ok").exists())
    assert runs["answered"].steps.get().state == "intended"
    doomed.kill()
    held.release()
    brain.shut.clear()
    till.before.clear()
    till.after.clear()
    works.decide(runs["waiting"])
    assert not any(Run.objects.get(pk=run.pk).is_over for run in runs.values())

    works.worker()
    ended = {word: runs[word] for word in ("asking", "answered", "repeat", "waiting")}
    works.until(lambda: all(Run.objects.get(pk=run.pk).is_over for run in ended.values()))
    for word in ("before", "after"):
        works.until(lambda word=word: Approval.objects.filter(run=runs[word], kind="outcome", state="waiting").exists())
        assert runs[word].steps.get(kind="tool").state == "unknown"
    assert till.taken["after"] == 1, "nobody but a person says what became of it"
    works.decide(runs["before"], answer={"outcome": "not_done"})
    works.decide(runs["after"], answer={"outcome": "done", "result": "It is in the till."})
    works.until(lambda: all(Run.objects.get(pk=run.pk).is_over for run in runs.values()))

    for word, run in runs.items():
        run.refresh_from_db()
        assert (run.state, run.lease_until) == ("succeeded", None), (word, run.state, run.code, run.trouble)
    assert till.taken == {"asking": 1, "answered": 1, "after": 1, "repeat": 1, "waiting": 1}
    assert len(till.keys["repeat"]) == 1 and sum(s.body["what"] == "repeat" for s in till.seen) == 2
    assert "It is in the till." in runs["after"].output["text"] and "did not happen" in runs["before"].output["text"]
    asked = brain.asked
    assert asked["answered 0"] == 1, "what is on record is not asked or paid for again"
    assert asked["asking 0"] == 2 and asked["before 0"] == asked["after 0"] == asked["waiting 0"] == 1
    steps = [(step.kind, step.state) for step in runs["asking"].steps.all()]
    assert steps == [("model", "failed"), ("model", "done"), ("tool", "done"), ("model", "done")]
    for run in runs.values():
        lines = AuditEvent.objects.filter(client_request_id=run.public_id)
        assert lines.filter(type="tool", status="interrupted").count() == (run.title in {"before", "after", "repeat"})
        assert sum(line.cost_micros for line in lines.filter(type="agent", status="ok")) == run.cost_micros
    check_invariants(works.world.calls(), len(brain.seen))


def asks_over_the_web(works: Works) -> Run:
    """Start a run by a chat completion whose web process is killed while it waits; return the run, which goes on."""
    _, key = make.make_key(works.world.team, "web")
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
    web.kill()
    asking.join(10)
    web.stop()
    works.brain.shut.clear()
    return Run.objects.get(trigger="chat")


def test_a_broker_that_loses_everything_and_a_web_process_that_dies_lose_no_run_and_no_approval(works: Works) -> None:
    works.brain.rounds["loses"] = 2
    runs = [make.make_run(works.careful, works.ada, "loses") for _ in range(3)]
    works.worker()
    works.until(lambda: Approval.objects.filter(state="waiting").count() == 3)
    client = redis.from_url(works.valkey.url)
    for run in runs:
        works.decide(run)
    late = make.make_run(works.agent, works.ada, "late")
    client.flushall()
    client.close()
    web = asks_over_the_web(works)
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
    assert works.till.taken == {"loses 0": 3, "loses 1": 3, "late": 1, "over the web": 1}
    works.until(lambda: Run.objects.get(pk=web.pk).is_over)
    assert Run.objects.get(pk=web.pk).output == {"text": "Result: over the web"}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        )
        assert cursor.fetchone()[0] == 0
