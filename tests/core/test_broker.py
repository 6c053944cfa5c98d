"""A worker whose broker is gone hears of a lost connection, whatever it does with what it had from it."""

from pathlib import Path

import pytest

from console.celery import app
from tests.valkey import Valkey


def test_what_was_under_way_when_the_broker_went_is_settled_as_a_lost_connection(tmp_path: Path) -> None:
    server = Valkey(tmp_path).start()
    with app.connection_for_read(server.url.replace("unix://", "redis+socket://")) as connection:
        queue = connection.SimpleQueue("work")
        queue.put("a task")
        message = queue.get(timeout=60)
        server.stop()
        # What kombu and Celery do before they connect again; it used to end the worker with an AttributeError.
        message.channel._disconnect_pools()
        message.channel.connection.client = None
        for settle in (message.ack, message.requeue, message.channel.qos.restore_unacked):
            with pytest.raises(connection.connection_errors, match="given up"):
                settle()
        message.channel.qos._delivered.clear()
        message.channel.connection.client = connection
