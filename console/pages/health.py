"""Health: does this process run, can it serve, and do the workers really work.

Probes come often, from anybody, and most of all when something is broken. So they are answered before sessions, host
names and callers are looked at, and all probes of one second share one look.
"""

import functools
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import resolve
from django.views.decorators.http import require_safe

from console.core import heartbeats
from console.core.clock import now
from console.embedded import ports
from console.embedded.defaults import socket_folder
from console.gateway import ledger, snapshot
from console.pages import sql
from console.teams.access import PUBLIC, needs
from console.telemetry import valkey

Check = dict[str, Any]

PREFIX = "/health/"
# Beat sends a heartbeat to every lane each 15 seconds; three missed ones are no accident.
HEARTBEAT_LATE_SECONDS = 60
_SHARED_SECONDS = 1.0
_SNAPSHOT_SECONDS = 15.0
_RETRY_AFTER_SECONDS = 2


class HealthMiddleware:
    """Answer probes first: they carry no session, and name the host as they please."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info in {f"{PREFIX}live", f"{PREFIX}ready"}:
            response: HttpResponse = resolve(request.path_info).func.__wrapped__(request)  # type: ignore[attr-defined]
            response["Cache-Control"] = "no-store"
            response._has_been_logged = True  # type: ignore[attr-defined]  # a 503 here is an answer, not an error
            response["X-Content-Type-Options"] = "nosniff"
            return response
        return self.get_response(request)


@needs(PUBLIC)
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Say that the process runs and answers; nothing else is asked."""
    return JsonResponse({"status": "alive"})


@needs(PUBLIC)
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Return whether this process can serve: 200 when it can, 503 when it cannot."""
    checks = _look.get()
    is_ready = all(checks[name]["state"] == "ok" for name in ("database", "migrations", "snapshot"))
    is_whole = is_ready and checks["valkey"]["state"] == "ok" and "calls" not in checks
    status = "ready" if is_whole else "degraded" if is_ready else "unavailable"
    response = JsonResponse({"status": status, "checks": checks}, status=200 if is_ready else 503)
    if not is_ready:
        response["Retry-After"] = str(_RETRY_AFTER_SECONDS)
    return response


class _Shared:
    """The last result of `look`, for as long as it is fresh. Probes that come meanwhile wait for the one that looks."""

    def __init__(self, look: Callable[[], dict[str, Check]], seconds: float) -> None:
        self._look, self._seconds = look, seconds
        self._lock = threading.Lock()
        self._until = 0.0
        self._result: dict[str, Check] = {}

    def get(self) -> dict[str, Check]:
        with self._lock:
            if time.monotonic() >= self._until:
                self._result = self._look()
                self._until = time.monotonic() + self._seconds
            return self._result

    def forget(self) -> None:
        self._until = 0.0


def look() -> dict[str, Check]:
    """Look at everything a call needs."""
    started = time.monotonic()
    checks: dict[str, Check] = {"valkey": _valkey()}
    try:
        applied = sql.applied_migrations()
    except psycopg.errors.UndefinedTable:
        applied = set()
    except psycopg.Error:
        away = {"state": "away", "says": "PostgreSQL does not answer."}
        unknown = {"state": "unknown"}
        return {"database": away, "migrations": unknown, "snapshot": unknown, **checks, "workers": unknown}
    checks["database"] = {"state": "ok", "ms": round((time.monotonic() - started) * 1000, 1)}
    missing = len(_wanted_migrations() - applied)
    checks["migrations"] = {"state": "ok"} if not missing else {"state": "missing", "branches": missing}
    if missing:
        return {**checks, "snapshot": {"state": "unknown"}, "workers": {"state": "unknown"}}
    return {**checks, "snapshot": _snapshot(), **_calls(), **_builtin_models(), "workers": workers()}


def _calls() -> dict[str, Check]:
    """Say that PostgreSQL answers and cannot record calls, as where its disk is full."""
    if not ledger.are_calls_refused():
        return {}
    return {"calls": {"state": "refused", "says": "PostgreSQL cannot record calls; the log says why."}}


def _builtin_models() -> dict[str, Check]:
    """Return whether the built-in models take calls; they start after the site, and take a moment to load."""
    if not settings.BUILTIN_MODEL:
        return {}
    run = socket_folder(settings.DATA_DIR)
    waiting = [name for name in ("model", "embeddings") if not ports.answers(run, name)]
    if waiting:
        return {"builtin_models": {"state": "starting", "says": f"Not there yet: {', '.join(waiting)}."}}
    return {"builtin_models": {"state": "ok"}}


@functools.cache
def _wanted_migrations() -> set[tuple[str, str]]:
    """Return the last migration of every app; when they are applied, so are those before."""
    return set(MigrationLoader(None).graph.leaf_nodes())


_snapshot_good_until = 0.0


def _snapshot() -> Check:
    """Load what calls are planned from. A good load is believed for a while: it reads a lot."""
    global _snapshot_good_until
    if time.monotonic() < _snapshot_good_until:
        return {"state": "ok"}
    try:
        snapshot.load()
    except Exception as error:  # whatever it is, calls would meet it too
        return {"state": "failed", "says": type(error).__name__}
    _snapshot_good_until = time.monotonic() + _SNAPSHOT_SECONDS
    return {"state": "ok"}


def _valkey() -> Check:
    """Ask the broker. Without it calls and pages work; background work waits for its sweepers."""
    try:
        valkey.client().ping()
    except (redis.RedisError, OSError):
        return {"state": "away", "says": "Background work waits; calls and pages go on."}
    return {"state": "ok"}


def workers() -> dict[str, Check]:
    """Return the state of each lane by its last heartbeat: ok, late, or never seen."""
    try:
        seen = heartbeats.last_seen()
    except DatabaseError:
        return {lane: {"state": "unknown"} for lane in settings.LANES}
    found: dict[str, Check] = {}
    for lane in settings.LANES:
        if lane not in seen:
            found[lane] = {"state": "never"}
            continue
        seconds = int((now() - seen[lane]).total_seconds())
        # A heartbeat from the future counts as late: the clock was set back since.
        found[lane] = {
            "state": "ok" if abs(seconds) <= HEARTBEAT_LATE_SECONDS else "late",
            "seconds_ago": max(seconds, 0),
        }
    return found


_look = _Shared(look, _SHARED_SECONDS)
