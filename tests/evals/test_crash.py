"""A worker that is killed in the middle of a run: another goes on, and no case is asked twice."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from celery import Celery

from console.audit.models import AuditEvent
from console.evals.models import TestResult, TestRun
from console.evals.services import runs
from tests.batches.test_crash import until
from tests.evals.conftest import World
from tests.live import WorkerProcess
from tests.upstream import Upstream, completion, head
from tests.valkey import Valkey, valkey_server  # noqa: F401

CASES = 12
QUICK = {"BATCH_LEASE_SECONDS": "3", "GATEWAY_LEASE_SECONDS": "4"}


async def slow(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.4)
    raw = json.dumps(completion("Open Settings.")).encode()
    writer.write(head(200, "application/json", len(raw)) + raw)


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
    upstream.script.extend([slow] * 2 * CASES)
    for number in range(CASES):
        live.case(f"case-{number:02d}")
    run = runs.start_run(actor=live.alice, prompt=live.prompt, version=live.v1, model="support-chat@sandbox")
    broker = Celery("test", broker=valkey_server.url.replace("unix://", "redis+socket://"), set_as_current=False)

    def advance() -> None:
        broker.send_task("evals.advance", args=[str(run.pk)], queue="batch")

    results = TestResult.objects.filter(run=run)
    doomed = start_worker()
    until(lambda: results.filter(status="passed").count() >= 3, advance)
    doomed.kill()
    finished = dict(results.filter(status="passed").values_list("name", "request_id"))
    assert 3 <= len(finished) < CASES
    start_worker()
    until(lambda: TestRun.objects.get(pk=run.pk).is_over, advance)
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
