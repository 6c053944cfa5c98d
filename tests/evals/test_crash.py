"""A worker that is killed in the middle of a run: another goes on, and no case is asked twice."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from celery import Celery

from console.audit.models import AuditEvent
from console.evals.models import TestResult, TestRun
from console.evals.services import runs
from tests.evals.conftest import World
from tests.live import WorkerProcess
from tests.upstream import Script, Upstream, completion, head
from tests.valkey import Valkey, valkey_server  # noqa: F401
from tests.waiting import until

CASES = 12
QUICK = {"BATCH_LEASE_SECONDS": "3", "GATEWAY_LEASE_SECONDS": "4"}


def answering(is_time: Callable[[], object]) -> Script:
    async def play(writer: asyncio.StreamWriter) -> None:
        while not is_time():
            await asyncio.sleep(0.02)
        raw = json.dumps(completion("Open Settings.")).encode()
        writer.write(head(200, "application/json", len(raw)) + raw)

    return play


@pytest.fixture
def start_worker(valkey_server: Valkey) -> Iterator[Callable[[], WorkerProcess]]:  # noqa: F811
    made: list[WorkerProcess] = []

    def start() -> WorkerProcess:
        made.append(WorkerProcess("batch", VALKEY_URL=valkey_server.url, **QUICK))
        return made[-1]

    yield start
    for worker in made:
        worker.stop()


def test_a_killed_worker_is_replaced_and_no_case_is_asked_twice(
    live: World,
    upstream: Upstream,
    valkey_server: Valkey,  # noqa: F811
    start_worker: Callable[[], WorkerProcess],
) -> None:
    is_killed = threading.Event()
    # When it dies some are finished, some are under way, and some have not begun.
    upstream.script.extend(answering(is_killed.is_set if n >= 5 else lambda: True) for n in range(2 * CASES))
    for number in range(CASES):
        live.case(f"case-{number:02d}")
    run = runs.start_run(actor=live.alice, prompt=live.prompt, version=live.v1, model="support-chat@sandbox")
    broker = Celery("test", broker=valkey_server.url.replace("unix://", "redis+socket://"), set_as_current=False)

    def advance() -> None:
        broker.send_task("evals.advance", args=[str(run.pk)], queue="batch")

    results = TestResult.objects.filter(run=run)
    doomed = start_worker()
    passed = results.filter(status="passed")
    until(lambda: passed.count() >= 3 and len(upstream.seen) > 5, "it is in the middle", meanwhile=advance)
    doomed.kill()
    is_killed.set()
    finished = dict(passed.values_list("name", "request_id"))
    assert 3 <= len(finished) < CASES
    start_worker()
    until(lambda: TestRun.objects.get(pk=run.pk).is_over, "the run is over", 120, meanwhile=advance)
    broker.close()

    run.refresh_from_db()
    states = Counter(results.values_list("status", flat=True))
    assert run.status == "done" and set(states) <= {"passed", "error"} and sum(states.values()) == CASES
    lost = list(results.filter(status="error"))
    assert len(lost) <= 4, "only what was under way is lost"
    assert all("not made twice" in one.error or "the log does not have it" in one.error for one in lost)
    asked = Counter(seen.body["messages"][0]["content"] for seen in upstream.seen)
    assert set(asked.values()) == {1}, "a case was asked, and paid, twice"
    assert {name: one for name, one in results.values_list("name", "request_id") if name in finished} == finished
    lines = AuditEvent.objects.filter(type="evaluation")
    assert lines.filter(status="ok").count() >= states["passed"]
    assert set(lines.values_list("status", flat=True)) <= {"ok", "interrupted", "error"}
