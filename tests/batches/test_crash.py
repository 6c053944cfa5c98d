"""A worker that is killed in the middle of a batch: nothing is lost, and nothing finished is sent again."""

import threading
from collections import Counter
from collections.abc import Callable

from celery import Celery

from console.audit.models import AuditEvent
from console.batches.models import Batch, Line
from tests.batches.conftest import content, line
from tests.gateway.conftest import World
from tests.gateway.invariants import wait_until_settled
from tests.live import WorkerProcess, start_worker  # noqa: F401
from tests.valkey import Valkey, valkey_server  # noqa: F401
from tests.waiting import until

LINES = 40
QUICK = {"BATCH_LEASE_SECONDS": "3", "GATEWAY_LEASE_SECONDS": "4", "BATCH_CONCURRENCY": "4"}


def test_a_killed_worker_loses_nothing_and_sends_nothing_finished_again(
    world: World,
    make_batch: Callable[..., Batch],
    valkey_server: Valkey,  # noqa: F811
    start_worker: Callable[..., WorkerProcess],  # noqa: F811
) -> None:
    is_killed = threading.Event()
    for number in range(3 * LINES):
        # When it dies some are finished, some are under way, and some have not begun.
        world.upstream.enqueue_when(is_killed.is_set if number >= 14 else lambda: True)
    batch = make_batch(*(line(number) for number in range(LINES)))
    broker = Celery("test", broker=valkey_server.url.replace("unix://", "redis+socket://"), set_as_current=False)

    def advance() -> None:
        broker.send_task("batches.advance", args=[str(batch.pk)], queue="batch")

    doomed = start_worker("batch", **QUICK)
    done = Line.objects.filter(batch=batch, state="done")
    until(lambda: done.count() >= 10 and len(world.upstream.seen) > 14, "it is in the middle", meanwhile=advance)
    doomed.kill()
    is_killed.set()
    finished = {one.custom_id for one in done}
    assert 10 <= len(finished) < LINES
    start_worker("batch", **QUICK)
    until(lambda: Batch.objects.get(pk=batch.pk).is_over, "the batch is over", 120, meanwhile=advance)
    broker.close()
    wait_until_settled()
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
