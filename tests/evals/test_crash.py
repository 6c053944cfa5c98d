"""Workers that are killed, and told to stop, in the middle of a run: others go on, and no case is asked twice."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable

from celery import Celery

from console.audit.models import AuditEvent
from console.evals.models import TestResult, TestRun
from console.evals.services import runs
from tests.evals.conftest import World
from tests.live import WorkerProcess, start_worker  # noqa: F401
from tests.upstream import Script, Upstream, completion, head
from tests.valkey import Valkey, valkey_server  # noqa: F401
from tests.waiting import until

CASES = 20
QUICK = {"BATCH_LEASE_SECONDS": "3", "GATEWAY_LEASE_SECONDS": "4"}


def answering(is_time: Callable[[], object]) -> Script:
    async def play(writer: asyncio.StreamWriter) -> None:
        while not is_time():
            await asyncio.sleep(0.02)
        raw = json.dumps(completion("Open Settings.")).encode()
        writer.write(head(200, "application/json", len(raw)) + raw)

    return play


def test_workers_that_end_are_replaced_and_no_case_is_asked_twice(
    live: World,
    upstream: Upstream,
    valkey_server: Valkey,  # noqa: F811
    start_worker: Callable[..., WorkerProcess],  # noqa: F811
) -> None:
    is_killed, is_told, is_replaced = threading.Event(), threading.Event(), threading.Event()
    # The first worker dies, the second is told to stop: then some are finished, some under way, some have not begun.
    told = [lambda: True] * 5 + [is_killed.is_set] * 4 + [lambda: True] * 3 + [is_told.is_set] * 4
    upstream.script.extend(answering(when) for when in told + [is_replaced.is_set] * CASES)
    for number in range(CASES):
        live.case(f"case-{number:02d}")
    run = runs.start_run(actor=live.alice, prompt=live.prompt, version=live.v1, model="support-chat@sandbox")
    broker = Celery("test", broker=valkey_server.url.replace("unix://", "redis+socket://"), set_as_current=False)

    def advance() -> None:
        broker.send_task("evals.advance", args=[str(run.pk)], queue="batch")

    results = TestResult.objects.filter(run=run)
    doomed = start_worker("batch", **QUICK)
    passed = results.filter(status="passed")
    until(lambda: passed.count() == 5 and len(upstream.seen) == 9, "it is in the middle", meanwhile=advance)
    doomed.kill()
    is_killed.set()
    finished = dict(passed.values_list("name", "request_id"))
    stopped = start_worker("batch", **QUICK)
    until(
        lambda: len(upstream.seen) == 16 and passed.count() >= 8, "the second is in the middle", 120, meanwhile=advance
    )
    stopped.process.terminate()
    until(lambda: "What is under way ends" in stopped.complaints(), "it was told to stop")
    is_told.set()
    assert stopped.process.wait(60) == 0, "it begins no further case, and goes when those under way have ended"
    assert len(upstream.seen) == 16 and TestRun.objects.get(pk=run.pk).lease_until is None, "it was handed back"
    assert passed.count() == 12 and not results.filter(status="error").exclude(error__contains="worker stopped")
    is_replaced.set()
    start_worker("batch", **QUICK)
    until(lambda: TestRun.objects.get(pk=run.pk).is_over, "the run is over", 120, meanwhile=advance)
    broker.close()

    run.refresh_from_db()
    states = Counter(results.values_list("status", flat=True))
    assert run.status == "done" and set(states) <= {"passed", "error"} and sum(states.values()) == CASES
    lost = list(results.filter(status="error"))
    assert len(lost) == 4, "only what was under way when a worker was killed is lost"
    assert all("not made twice" in one.error or "the log does not have it" in one.error for one in lost)
    asked = Counter(seen.body["messages"][0]["content"] for seen in upstream.seen)
    assert set(asked.values()) == {1}, "a case was asked, and paid, twice"
    assert {name: one for name, one in results.values_list("name", "request_id") if name in finished} == finished
    lines = AuditEvent.objects.filter(type="evaluation")
    assert lines.filter(status="ok").count() >= states["passed"]
    assert set(lines.values_list("status", flat=True)) <= {"ok", "interrupted", "error"}
