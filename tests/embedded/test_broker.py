"""A broker that is away or frozen does not hold up a page; workers wait for theirs with more patience."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from celery import current_app
from kombu.exceptions import OperationalError

from console.celery import be_patient
from console.embedded import valkey
from tests.waiting import until


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[str]:
    """A broker that takes connections and never says a word."""
    path = tmp_path / "valkey.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield f"redis+socket://{path}"


def seconds_to_fail(url: str) -> float:
    started = time.monotonic()
    with current_app.connection_for_write(url) as connection, pytest.raises(OperationalError):
        current_app.send_task("pages.canary", args=["standard"], queue="standard", retry=False, connection=connection)
    return time.monotonic() - started


def test_it_waits_half_a_second_for_a_frozen_broker(frozen: str) -> None:
    assert 0.4 < seconds_to_fail(frozen) < 14, "a worker would be more patient"


def test_it_does_not_wait_for_a_broker_that_is_away(tmp_path: Path) -> None:
    assert seconds_to_fail(f"redis+socket://{tmp_path}/nothing.sock") < 10


def test_it_gives_workers_time() -> None:
    class Configuration:
        broker_transport_options = current_app.conf.broker_transport_options

    be_patient(conf=Configuration)
    assert Configuration.broker_transport_options["socket_timeout"] > 10
    assert current_app.conf.broker_transport_options["socket_timeout"] == 0.5


def test_it_takes_messages_where_no_snapshot_can_be_written() -> None:
    """A disk that is full, or read-only, for its files alone: PostgreSQL has room in what it set aside."""
    with tempfile.TemporaryDirectory(prefix="facet-") as folder:
        data = Path(folder)
        (data / "run").mkdir()
        (data / "valkey").mkdir()
        with (
            subprocess.Popen(valkey.command(data), stdout=subprocess.DEVNULL) as server,
            redis.Redis(unix_socket_path=str(data / "run" / "valkey.sock")) as client,
        ):
            try:
                until((data / "run" / "valkey.sock").exists, "it listens")
                shutil.rmtree(data / "valkey")
                client.bgsave()
                until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "the snapshot failed")
                assert client.rpush("standard", "a message") == 1
            finally:
                server.kill()
