"""Canaries: beat sends one to every lane all the time, and whoever consumes it says so."""

import datetime as dt

from django.conf import settings
from django.core.cache import cache

from console.core.clock import now

_KEPT_SECONDS = 24 * 3600


def _key(lane: str) -> str:
    return f"canary.{lane}"


def note(lane: str) -> None:
    """Write down that a worker of this lane consumed a canary just now."""
    cache.set(_key(lane), now().isoformat(), _KEPT_SECONDS)


def last_seen() -> dict[str, dt.datetime]:
    """Return when each lane's last canary was consumed; a lane without one in the last day is not there."""
    seen = cache.get_many({_key(lane): lane for lane in settings.LANES})
    return {lane: dt.datetime.fromisoformat(seen[_key(lane)]) for lane in settings.LANES if _key(lane) in seen}
