"""Start Django processes as forks of the supervisor, which imports once what they all need.

Web, workers, beat and the boot step would each spend one to two seconds of processor time on importing the same
modules. A copy of a process that has them begins at once, and shares their memory until it writes to it.
"""

import atexit
import os
import runpy
import shlex
import signal
import sys
import sysconfig
import threading
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn, cast

from setproctitle import getproctitle, setproctitle

from console.core.preload import loading

# Elsewhere a copy of a process that used the system's libraries is not sure to work.
IS_SAFE = sys.platform == "linux"
# What each of the programs would import; importing them starts no thread and opens nothing.
_SHARED = ("console.asgi", "console.urls", "console.celery", "celery.apps.worker", "celery.apps.beat")
_HOUSE = f"{Path(__file__).parents[2]}{os.sep}"
# What the supervisor listens to, or ignores, in its own way.
_SIGNALS = (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2)

_is_loaded = False
_read: dict[str, int] = {}  # Facet's files whose code is loaded, and when each was changed by then
getproctitle()  # finds the room for titles, which it could not once the environment was changed


def load() -> None:
    """Import what the programs share. It takes a second or two, the first time."""
    global _is_loaded
    if _is_loaded:
        return
    import django

    with loading():
        django.setup()
        for name in _SHARED:
            __import__(name)
        from django.urls import get_resolver

        get_resolver().url_patterns  # noqa: B018
    _read.update(_changes(_own_files()))
    _is_loaded = True


def _own_files() -> list[str]:
    """Return the files of the loaded modules that are Facet's own, and not of a library."""
    libraries = sysconfig.get_paths()["purelib"]
    files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
    return [file for file in files if file.startswith(_HOUSE) and not file.startswith(libraries)]


def _changes(files: Iterable[str]) -> dict[str, int]:
    """Return when each file was changed; 0 for one that is not there any more."""
    found = dict.fromkeys(files, 0)
    for file in found:
        with suppress(OSError):
            found[file] = os.stat(file).st_mtime_ns
    return found


def is_overtaken() -> bool:
    """Return whether the code that was loaded has changed since, as in an upgrade: a copy would run what was there."""
    return _changes(_read) != _read


def module_of(command: Sequence[str]) -> str:
    """Return the module a command line runs in this Python; empty for any other program."""
    return command[2] if len(command) > 2 and command[0] == sys.executable and command[1] == "-m" else ""


def can_begin(command: Sequence[str]) -> bool:
    """Return whether what the command line asks for can begin in a copy of this process."""
    # A thread would be missing in the copy, and a lock it held would stay locked.
    return bool(module_of(command)) and _is_loaded and threading.active_count() == 1


def begin(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Be, in a fresh child of this process, what the command line asks for, and end as it would."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    atexit._clear()
    os.environ.clear()
    os.environ.update(environment)
    for stream in (sys.stdout, sys.stderr):
        cast(TextIOWrapper, stream).reconfigure(line_buffering=True)  # a log is read while it grows
    setproctitle(shlex.join(command))  # or all would look like the supervisor to `ps`
    sys.argv = list(command[2:])
    status = _run(module_of(command))
    with suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
    os._exit(status)


def _run(module: str) -> int:
    """Run a module as the program, and return the status Python would end with."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        sys.stderr.write(f"{end.code}\n")
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
