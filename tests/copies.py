"""Processes of their own that begin as copies of one that has imported what they work with, as under `make run`.

Tests start and kill dozens. Each would spend two seconds of processor time on the same imports. In a run of the whole
suite the process they are copies of is one, too: of the first process, see tests/workers.py.
"""

import gc
import multiprocessing
import os
import signal
import socket
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from importlib import reload
from multiprocessing import connection, forkserver
from pathlib import Path
from typing import NoReturn

from console.embedded import copies

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.preloaded"])


class Copy:
    """A process that runs a command line of Python's, with what of `subprocess.Popen` tests ask for.

    `of_all` is the environment that all of a test process's copies share: they begin with the settings it gives.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], *, of_all: Mapping[str, str], errors: Path
    ) -> None:
        assert copies.module_of(command), f"{command} is no program of Python's"
        _see_to_server(of_all)
        arguments = (list(command), dict(environment), str(errors))
        self._process = _context.Process(target=_begin, args=arguments, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float) -> int | None:
        """Wait until it has ended; None when it has not after so many seconds."""
        self._process.join(timeout)
        return self._process.exitcode

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.join(60)


def _see_to_server(environment: Mapping[str, str]) -> None:
    """Start, the first time, the process that imports and is copied; it keeps the environment it was started with."""
    before = dict(os.environ)
    try:
        os.environ.update(environment)
        forkserver.ensure_running()
    finally:  # one by one: threads of the live server may be reading
        for name in environment:
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]


def fork_server(ends: Iterable[int]) -> None:
    """Have the server for this process's copies be a copy of it, as it is now: with everything imported, and idle.

    `ends` are those of pipes that end when this process does.
    """
    listener = socket.socket(socket.AF_UNIX)
    address = connection.arbitrary_address("AF_UNIX")
    listener.bind(address)
    listener.listen()
    alive, ours = os.pipe()
    pid = os.fork()
    if not pid:
        for end in (ours, *ends):
            os.close(end)
        _serve(listener.detach(), alive)
    os.close(alive)
    listener.close()
    server = forkserver._forkserver
    server._forkserver_address, server._forkserver_alive_fd, server._forkserver_pid = address, ours, pid


def _serve(listener: int, alive: int) -> NoReturn:
    try:
        gc.enable()
        forkserver.main(listener, alive, [])
    finally:
        os._exit(0)


def _begin(command: list[str], environment: dict[str, str], errors: str) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    log = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number, target in enumerate((nowhere, nowhere, log)):
        os.dup2(target, number)
    sys.stdout, sys.stderr = (open(number, "w", buffering=1) for number in (1, 2))  # noqa: SIM115
    os.setpgrp()  # Ctrl-C in a terminal is for the tests
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = environment.get("PYTHONPATH", "").split(os.pathsep)
    _read_settings_again()
    copies.begin(command, environment)


def _read_settings_again() -> None:
    """Have the settings say what the environment says now, as Django's `override_settings` does it."""
    from django.conf import settings as django_settings
    from django.db import connections
    from django.test.utils import override_settings
    from django.utils.log import configure_logging

    from console import settings

    before = {name: value for name, value in vars(settings).items() if name.isupper()}
    reload(settings)
    now = {name: value for name, value in vars(settings).items() if name.isupper()}
    if changed := {name: value for name, value in now.items() if before.get(name) != value}:
        with warnings.catch_warnings(action="ignore"):  # of the database, which nothing has asked so far
            override_settings(**changed).enable()
        connections.__init__()  # type: ignore[misc]
        vars(connections).pop("settings", None)
    configure_logging(django_settings.LOGGING_CONFIG, settings.LOGGING)  # to what is standard error now
