"""kombu's transport for Redis and Valkey, with workers that survive the loss of their broker.

When a connection is lost, Celery first takes it apart and then closes it. Closing gives back the messages of tasks that
are in progress; for that kombu connects again, by what was taken away, and breaks with an AttributeError that nobody
takes for a lost connection: the worker ends, and every run in it with it. Tasks that end later break as much, when
their messages are settled on the old connection. Said as a lost connection, both are what Celery is prepared for.
"""

from typing import Any

from kombu.transport import redis
from redis.exceptions import ConnectionError as ConnectionLost


class Channel(redis.Channel):  # type: ignore[misc]
    def _connparams(self, asynchronous: bool = False) -> Any:
        if getattr(self.connection, "client", None) is None:
            raise ConnectionLost("The connection of this channel was given up.")
        return super()._connparams(asynchronous=asynchronous)


class Transport(redis.Transport):  # type: ignore[misc]
    Channel = Channel
