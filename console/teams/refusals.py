"""Refused credentials in the log: one record each for known keys; noise is counted per minute and network.

Noise is what strangers make: keys that are malformed or unknown, and attempts to sign in beyond the limits. To refuse a
malformed key must not cost a query, and a flood of guesses must not fill the log. So these are counted in the process
and written, one line per minute, network and reason, when a later request finds the minute over.
"""

import atexit
import datetime as dt
import ipaddress
import logging
import threading
import time
from collections import Counter

from django.db import Error, transaction

from console.audit import actions
from console.audit.actions import Action
from console.audit.models import Status
from console.audit.services import record
from console.core.client_address import parse_address
from console.core.clock import now, period_start
from console.teams.actors import Actor
from console.teams.models import ApiKey

log = logging.getLogger(__name__)

_lock = threading.Lock()
_counts: Counter[tuple[dt.datetime, Action, str, str]] = Counter()
# More networks than this in one minute are counted as one, so that a flood cannot grow the process.
_MOST = 1000
_REST_SECONDS = 60
# Of the monotonic clock. After a failure nothing is tried before: every request would wait for a database in trouble.
_resting_until = 0.0


def network_of(client_address: str) -> str:
    """Return the network a stranger is counted by: an IPv4 address, or the /64 an IPv6 one is in."""
    address = parse_address(client_address)
    if address is None:
        return "unknown"
    if address.version == 6:
        return str(ipaddress.ip_network(f"{address}/64", strict=False))
    return str(address)


def note(reason: str, *, client_address: str, key: ApiKey | None = None) -> None:
    """Remember that a key was refused, and why. The caller is not told."""
    if key is None:
        _count(actions.KEY_REFUSED, reason, client_address)
        return
    actor = Actor(kind="key", id=key.pk, name=f"{key.name} {key.shown}", client_address=client_address)
    with transaction.atomic():
        record(actions.KEY_REFUSED, actor=actor, target=key, status=Status.REFUSED, reason=reason, surface="api")


def count_sign_in(reason: str, client_address: str) -> None:
    _count(actions.SIGN_IN_FAILED, reason, client_address)


def _count(action: Action, reason: str, client_address: str) -> None:
    with _lock:
        _add(period_start("minute", now()), action, network_of(client_address), reason, 1)


def _add(minute: dt.datetime, action: Action, network: str, reason: str, times: int) -> None:
    _counts[minute, action, network if len(_counts) < _MOST else "many", reason] += times


def is_due() -> bool:
    """Return whether a finished minute waits to be written. Asked on every request, so it asks nobody."""
    if not _counts or time.monotonic() < _resting_until:
        return False
    with _lock:
        return any(minute < period_start("minute", now()) for minute, *_ in _counts)


def flush(*, everything: bool = False) -> int:
    """Write the finished minutes and return how many lines that took. What cannot be written comes with the next."""
    global _resting_until
    present = period_start("minute", now())
    with _lock:
        finished = {entry: n for entry, n in _counts.items() if everything or entry[0] < present}
        for entry in finished:
            del _counts[entry]
    left = Counter(finished)
    try:
        for entry, times in finished.items():
            with transaction.atomic():
                _write(*entry, times)
            del left[entry]
    finally:
        with _lock:
            _resting_until = time.monotonic() + (_REST_SECONDS if left else 0)
            for entry, times in left.items():
                _add(*entry, times)
    return len(finished)


def _write(minute: dt.datetime, action: Action, network: str, reason: str, times: int) -> None:
    record(
        action,
        actor=Actor(kind="anonymous", id=None, name="Nobody", client_address=network.partition("/")[0]),
        status=Status.REFUSED,
        reason=reason,
        detail={"network": network, "minute": minute, "times": times},
        surface="api" if action is actions.KEY_REFUSED else "console",
    )


@atexit.register
def _flush_at_exit() -> None:
    if not _counts:
        return
    try:
        flush(everything=True)
    except Error:
        log.warning("Refused keys of the last minute could not be written to the log.")
