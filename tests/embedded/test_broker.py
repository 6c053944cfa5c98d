"""A broker that is away or frozen does not hold up a page; workers wait for theirs with more patience."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import current_app
from kombu.exceptions import OperationalError

from console.celery import be_patient


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
