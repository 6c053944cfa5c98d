"""A worker killed between the start of a message's run and its settling: the message comes again, and no second run."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.db import connections, transaction

from agents_app.brokers.redis_transport import reading_key
from agents_app.models import Firing, Reader, Run, Trigger
from agents_app.services import brokers, triggers
from tests import make
from tests.live import WorkerProcess
from tests.runs.works import QUICK, Works
from tests.valkey import Valkey


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    server = Valkey(tmp_path_factory.mktemp("outside")).start()
    yield server
    server.stop()


class Held:
    """A lock on a trigger, so that no run of it can be committed until it is released."""

    def __init__(self, trigger: Trigger) -> None:
        self._trigger, self._go, self._has = trigger, threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold)
        self._thread.start()
        assert self._has.wait(60)

    def _hold(self) -> None:
        with transaction.atomic():
            Trigger.objects.select_for_update(no_key=True).get(pk=self._trigger.pk)
            self._has.set()
            self._go.wait(60)
        connections.close_all()

    def release(self) -> None:
        self._go.set()
        self._thread.join(60)


def test_a_reader_killed_before_it_settled_a_message_starts_no_second_run(
    works: Works,
    outside: Valkey,
    settings: object,
) -> None:
    socket = Path(outside.url.removeprefix("unix://"))
    settings.BROKER_HOSTS = [str(socket)]  # type: ignore[attr-defined]
    actor = make.actor_for(works.ada)
    brokers.create_broker(actor=actor, team=works.agent.team, slug="mq", url=f"redis+socket://{socket}")
    trigger, _ = triggers.create_trigger(
        actor=actor,
        agent=works.agent,
        owner=works.ada,
        kind="queue",
        name="Bills",
        config={"broker": "mq", "queue": "bills", "result_queue": "paid", "dedupe": "/message"},
        environment="production",
    )
    client = redis.from_url(outside.url)
    mine = reading_key("bills", trigger.pk.hex)

    def worker() -> WorkerProcess:
        more = {"VALKEY_URL": works.valkey.url, "BROKER_HOSTS": str(socket), **QUICK}
        works.workers.append(WorkerProcess("standard", **more))
        return works.workers[-1]

    works.tasks += ["agents.read_queues", "agents.send_results"]
    doomed = worker()
    works.until(lambda: Reader.objects.filter(trigger=trigger, state="reading").exists())
    held = Held(trigger)
    client.lpush("bills", json.dumps({"message": "after"}))
    works.until(lambda: client.llen(mine) == 1)
    client.execute_command("CLIENT", "PAUSE", "60000", "WRITE")
    held.release()
    works.until(lambda: Firing.objects.filter(trigger=trigger, state="started").exists())
    doomed.kill()
    works.until(lambda: len(client.client_list()) == 1)
    client.execute_command("CLIENT", "UNPAUSE")
    assert (client.llen("bills"), client.llen(mine)) == (0, 1), "its run is on record, and it is not settled"

    worker()
    works.until(lambda: client.llen(mine) == 0)
    works.until(lambda: client.llen("paid"))
    run = Run.objects.get()
    assert (Firing.objects.count(), run.state, works.till.taken["after"]) == (1, "succeeded", 1)
    assert json.loads(client.rpop("paid"))["run"] == run.public_id
    assert (client.llen("bills"), client.llen("paid")) == (0, 0)
    client.close()
