"""Heartbeats of lanes: beat sends a task to every lane, and the worker that runs it records the time."""

import datetime as dt

from django.conf import settings
from django.core.cache import cache

from console.core.clock import now

_KEPT_SECONDS = 24 * 3600


def _key(lane: str) -> str:
    return f"canary.{lane}"  # the name under which processes of earlier versions write and read it


def record(lane: str) -> None:
    """Record that a worker of this lane runs tasks now."""
    cache.set(_key(lane), now().isoformat(), _KEPT_SECONDS)


def last_seen() -> dict[str, dt.datetime]:
    """Return the time of each lane's last heartbeat; lanes without one in the last day are missing."""
    seen = cache.get_many({_key(lane): lane for lane in settings.LANES})
    return {lane: dt.datetime.fromisoformat(seen[_key(lane)]) for lane in settings.LANES if _key(lane) in seen}
