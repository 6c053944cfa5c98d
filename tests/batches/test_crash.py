"""A worker that is killed in the middle of a batch: nothing is lost, and nothing finished is sent again."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from celery import Celery

from console.audit.models import AuditEvent
from console.batches.models import Batch, Line
from tests.batches.conftest import content, line
from tests.gateway.conftest import World
from tests.live import WorkerProcess
from tests.upstream import completion, head
from tests.valkey import Valkey, valkey_server  # noqa: F401

LINES = 40
QUICK = {"BATCH_LEASE_SECONDS": "3", "GATEWAY_LEASE_SECONDS": "4", "BATCH_CONCURRENCY": "4"}


async def slow(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.15)
    raw = json.dumps(completion()).encode()
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


def until(condition: Callable[[], bool], send: Callable[[], None], seconds: float = 60) -> None:
    """Wait, and send the same message again every second: one too many is harmless."""
    deadline, sent = time.monotonic() + seconds, 0.0
    while not condition():
        assert time.monotonic() < deadline, "the batch does not go on"
        if time.monotonic() - sent > 1:
            sent = time.monotonic()
            send()
        time.sleep(0.05)


def test_a_killed_worker_loses_nothing_and_sends_nothing_finished_again(
    world: World,
    make_batch: Callable[..., Batch],
    valkey_server: Valkey,  # noqa: F811
    start_worker: Callable[[], WorkerProcess],
) -> None:
    world.upstream.script.extend([slow] * 3 * LINES)
    batch = make_batch(*(line(number) for number in range(LINES)))
    broker = Celery("test", broker=valkey_server.url.replace("unix://", "redis+socket://"), set_as_current=False)

    def advance() -> None:
        broker.send_task("batches.advance", args=[str(batch.pk)], queue="batch")

    doomed = start_worker()
    until(lambda: Line.objects.filter(batch=batch, state="done").count() >= 10, advance)
    doomed.kill()
    finished = {one.custom_id for one in Line.objects.filter(batch=batch, state="done")}
    assert 10 <= len(finished) < LINES
    start_worker()
    until(lambda: Batch.objects.get(pk=batch.pk).is_over, advance)
    broker.close()
    batch.refresh_from_db()
    assert (batch.state, batch.total, batch.completed, batch.failed) == ("completed", LINES, LINES, 0)
    answers = Counter(answer["custom_id"] for answer in content(batch.output_file))
    assert len(answers) == LINES and set(answers.values()) == {1}

    events = AuditEvent.objects.filter(surface="batch", type="chat")
    ok = Counter(event.client_request_id for event in events if event.status == "ok")
    assert set(ok.values()) == {1} and len(ok) == LINES, "each line has one answer on record"
    assert {event.status for event in events} <= {"ok", "interrupted"}
    sent = Counter(seen.body["messages"][0]["content"].replace("Ticket ", "ticket-") for seen in world.upstream.seen)
    tried = Counter(event.client_request_id for event in events)
    assert all(sent[name] <= tried[name] for name in sent), "the provider was called without a line in the log"
    assert all(sent[name] == 1 for name in finished), "what was finished is not sent again"
    assert batch.cost_micros == sum(event.cost_micros for event in events if event.status == "ok")
