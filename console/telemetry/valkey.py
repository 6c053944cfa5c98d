"""The number of messages waiting at the broker."""

import functools

import redis
from django.conf import settings


@functools.cache
def client() -> redis.Redis:
    return redis.Redis.from_url(settings.VALKEY_URL, socket_timeout=0.5, socket_connect_timeout=0.5, retry=None)


def queue_lengths() -> dict[str, int]:
    """Return the length of each lane's queue; raises redis.RedisError or OSError where the broker does not answer."""
    with client().pipeline(transaction=False) as pipe:
        for lane in settings.LANES:
            pipe.llen(lane)
        return dict(zip(settings.LANES, pipe.execute(), strict=True))
