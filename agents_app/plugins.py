"""Installed packages that bring tools and hooks: found by entry point, loaded only when the deployment allows them.

Their code runs in threads of its own, with a time limit. Whatever it does, the step fails and the worker continues: a
thread that does not come back in time is left behind, and holds one of the few places its package has.
"""

import asyncio
import inspect
import logging
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from django.conf import settings

log = logging.getLogger(__name__)
TOOLS, HOOKS = "facet.tools", "facet.hooks"
_MOST_AT_ONCE = 8
_LOOK_SECONDS = 0.01


class Busy(Exception):
    """As many calls of a package are in progress as may be."""


@dataclass(frozen=True, slots=True)
class LoadedPlugin:
    """One thing a package brings. `trouble` says why it could not be loaded; then there is no `thing`."""

    name: str
    package: str
    version: str
    object: Any
    trouble: str = ""


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def allowed(group: str) -> dict[str, LoadedPlugin]:
    """Return what the allowed packages bring, by name. Nothing of any other package is imported."""
    return _load(group, tuple(sorted(_plain(name) for name in settings.PLUGINS_ALLOWED)))


@cache
def _load(group: str, packages: tuple[str, ...]) -> dict[str, LoadedPlugin]:
    if not packages:
        return {}
    found: dict[str, LoadedPlugin] = {}
    for entry in sorted(entry_points(group=group), key=lambda one: one.name):
        package = _plain(entry.dist.name) if entry.dist else ""
        if package not in packages:
            continue
        loaded = _loaded(entry, package, entry.dist.version if entry.dist else "")
        if entry.name in found:
            log.error("Two packages bring %s %r; the one of %s counts.", group, entry.name, found[entry.name].package)
            continue
        found[entry.name] = loaded
    return found


def _loaded(entry: EntryPoint, package: str, version: str) -> LoadedPlugin:
    try:
        thing = entry.load()
        return LoadedPlugin(entry.name, package, version, thing() if inspect.isclass(thing) else thing)
    except (Exception, SystemExit) as broken:  # a package that fails to load does not keep us from starting
        log.exception("%s of %s cannot be loaded.", entry.name, package)
        return LoadedPlugin(entry.name, package, version, None, f"It cannot be loaded: {type(broken).__name__}.")


_places: dict[str, threading.Semaphore] = {}
_places_lock = threading.Lock()


def _place(package: str) -> threading.Semaphore:
    with _places_lock:
        return _places.setdefault(package, threading.Semaphore(_MOST_AT_ONCE))


async def run(
    package: str, function: Callable[..., Any], *arguments: Any, seconds: float, patience: float = 0.0
) -> Any:
    """Call a package's function, async or not, in a thread of its own. Raises TimeoutError, Busy, or what it raises.

    `patience` is for how long it waits for one of the package's places.
    """
    place, latest = _place(package), time.monotonic() + patience
    while not place.acquire(blocking=False):
        if time.monotonic() > latest:
            raise Busy
        await asyncio.sleep(_LOOK_SECONDS)
    done: Future[Any] = Future()

    def work() -> None:
        answer: Any = None
        trouble: Exception | None = None
        try:
            if inspect.iscoroutinefunction(function):
                answer = asyncio.run(asyncio.wait_for(function(*arguments), seconds))
            else:
                answer = function(*arguments)
        except Exception as broken:
            trouble = broken
        except BaseException:  # SystemExit ends this thread, not the worker
            trouble = _Ended()
        finally:
            place.release()
        with suppress(InvalidStateError):  # nobody waits for it any more
            if trouble is None:
                done.set_result(answer)
            else:
                done.set_exception(trouble)

    threading.Thread(target=work, name=f"plug-in {package}", daemon=True).start()
    async with asyncio.timeout(seconds):
        return await asyncio.wrap_future(done)


class _Ended(Exception):
    """The code asked to end the process."""
