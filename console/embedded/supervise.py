"""The supervisor behind `make run`: supervisord in this process, with a terminal that shows what matters.

It restarts what dies and stops everything on Ctrl-C, SIGTERM or a closed terminal.
"""

import contextlib
import ctypes
import fcntl
import os
import re
import signal
import socket
import sys
import time
from pathlib import Path
from typing import IO, Any, ClassVar

import supervisor.events as events
import supervisor.loggers as loggers
from django.core.exceptions import ImproperlyConfigured
from supervisor.medusa import asyncore_25 as asyncore
from supervisor.options import ServerOptions
from supervisor.states import ProcessStates, SupervisorStates
from supervisor.supervisord import Supervisor

from console.embedded import copies

# supervisord looks around once a second; stopping in time and quick restarts need a shorter look.
_LOOK_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 5
# Everything is gone within five seconds of Ctrl-C. A PostgreSQL that still writes its checkpoint is told by SIGQUIT to
# leave that to its log, which it reads at the next start: nothing is lost. Then comes SIGKILL, for everything.
_GRACE_SECONDS = 1  # what is open may continue for; copies of this process and programs of their own are told alike
_QUIT_AFTER_SECONDS = 3.8
_KILL_AFTER_SECONDS = 4.4
_IMPORTANT = re.compile(r"^\S+ (warning|error|critical) ")
_PR_SET_PDEATHSIG = 1
_SAY_AGAIN_SECONDS = 60


def say(text: str, end: str = "\n") -> None:
    """Write to the terminal. One that went away is no reason to stop."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write(text + end)
        sys.stdout.flush()


def go_on_without_logs() -> None:
    """Have supervisord continue while a log cannot be written, as on a full disk; lines are lost until there is room.

    Of its own accord it writes a traceback for each line, or reads no more of what a program says, which then stands
    still; where the terminal is a file on the same disk, it ends, and everything with it.
    """
    turn_over, complain = loggers.RotatingFileHandler.doRollover, loggers.Handler.handleError
    told_at = float("-inf")

    def go_on(handler: Any) -> None:
        nonlocal told_at
        error = sys.exception()
        if not isinstance(error, (OSError, ValueError)):
            complain(handler)
            return
        if isinstance(handler, loggers.FileHandler) and handler.stream.closed:  # to be turned over, which failed
            with contextlib.suppress(OSError):
                handler.stream = Path(handler.baseFilename).open(handler.mode)  # noqa: SIM115  (its stream)
        if isinstance(error, OSError) and time.monotonic() >= told_at + _SAY_AGAIN_SECONDS:
            told_at = time.monotonic()
            say(f"Logs cannot be written ({error.strerror}); what runs goes on without.")

    def turn_over_if_possible(handler: Any) -> None:
        try:
            turn_over(handler)
        except (OSError, ValueError):
            go_on(handler)

    loggers.Handler.handleError = go_on
    loggers.RotatingFileHandler.doRollover = turn_over_if_possible


def _die_with_parent() -> None:
    """Have Linux end this child when the supervisor is killed, so that nothing is left behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Options(ServerOptions):  # type: ignore[misc]
    """supervisord's options, with a quicker look, and children that do not outlive us."""

    def __init__(self) -> None:
        super().__init__()
        poll = self.poller.poll
        self.poller.poll = lambda timeout: poll(min(timeout, _LOOK_SECONDS))

    def cleanup_fds(self) -> None:
        """Keep what is open: among it the lock on DATA_DIR."""

    def get_signal(self) -> int | None:
        number: int | None = super().get_signal()
        return signal.SIGTERM if number == signal.SIGHUP else number

    def execve(self, filename: str, argv: list[str], env: dict[str, str]) -> None:
        if env.get("SUPERVISOR_GROUP_NAME") == "app" and copies.can_begin(argv):
            copies.begin(argv, env)
        super().execve(filename, argv, env)

    def setpgrp(self) -> None:
        super().setpgrp()
        _die_with_parent()

    def drop_privileges(self, user: str) -> Any:
        problem = super().drop_privileges(user)
        _die_with_parent()  # the kernel forgets it with the change of user
        return problem


class Watch(Supervisor):  # type: ignore[misc]
    """supervisord that tells the terminal what happens, and stops when the boot step fails."""

    failed = False
    shares = copies.IS_SAFE
    is_overtaken = False
    last_words: ClassVar[dict[str, str]] = {}  # of each program, its newest line
    quit_at = kill_at = float("inf")

    def runforever(self) -> None:
        events.subscribe(events.ProcessLogStdoutEvent, self._heard)
        events.subscribe(events.ProcessStateStartingEvent, self._starting)
        events.subscribe(events.ProcessStateExitedEvent, self._exited)
        events.subscribe(events.ProcessStateBackoffEvent, self._stumbled)
        events.subscribe(events.SupervisorStoppingEvent, self._stopping)
        super().runforever()

    def ordered_stop_groups_phase_1(self) -> None:
        """Stop the group whose turn it is, and see to it that time is kept. Called at every look while stopping."""
        super().ordered_stop_groups_phase_1()
        at = time.monotonic()
        left = [process for group in self.process_groups.values() for process in group.processes.values()]
        for process in (process for process in left if process.state == ProcessStates.STOPPING):
            if at >= self.kill_at:
                process.delay = 0
            elif at >= self.quit_at and process.config.name == "postgres":
                process.signal(signal.SIGQUIT)

    def _stopping(self, event: Any) -> None:
        say("\nStopping.")
        self.quit_at = time.monotonic() + _QUIT_AFTER_SECONDS
        self.kill_at = time.monotonic() + _KILL_AFTER_SECONDS

    def _starting(self, event: Any) -> None:
        # The data stores, which are started first, get ready meanwhile.
        if self.shares and event.process.group.config.name == "app":
            copies.load()
            if not self.is_overtaken and copies.is_overtaken():
                self.is_overtaken = True
                say("The code has changed since this start, and what begins now runs the code of then. Stop and start.")

    def _heard(self, event: Any) -> None:
        name, text = event.process.config.name, event.data
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        if name == "boot":
            say(text, end="")
            return
        for line in text.splitlines():
            if line.strip():
                self.last_words[name] = line.strip()[:400]
            if _IMPORTANT.match(line):
                say(f"{name}: {line[:400]}")

    def _exited(self, event: Any) -> None:
        name = event.process.config.name
        if name == "boot":
            if not event.expected:
                self.failed = True
                self.options.mood = SupervisorStates.SHUTDOWN
        elif self.options.mood > SupervisorStates.RESTARTING:
            say(f"{name} ended and is started again; logs/{name}.log says why.")

    def _stumbled(self, event: Any) -> None:
        process = event.process
        name = process.config.name
        process.delay = min(process.delay, time.time() + _LONGEST_WAIT_SECONDS)
        if process.backoff in {1, 10}:
            say(f"{name} does not start (try {process.backoff}); logs/{name}.log says why.")
            if words := self.last_words.get(name) or _last_line(process.config.stdout_logfile):
                say(f"  {words}")


def _last_line(log: str) -> str:
    """Return the newest line of the log of a program that is not listened to, or nothing where there is none."""
    try:
        lines = Path(log).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:400] for line in reversed(lines) if line.strip()), "")


def _lock(data_dir: Path) -> IO[str]:
    """Return the open lock of DATA_DIR; a second start in the same folder ends here with a sentence."""
    lock = (data_dir / "run.lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        where = lock.read().strip() or "another port"
        raise SystemExit(f"This console runs already, at {where}. Stop it, or start with another DATA_DIR.") from None
    return lock


def _check_port(address: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise SystemExit(
                f"Port {port} is in use ({error.strerror}). Start with another: make run PORT={port + 1}"
            ) from None


def _make_room(settings: Any) -> None:
    """Make the folders of DATA_DIR, and forget what a killed start left behind."""
    from console.embedded import postgres
    from console.embedded.defaults import socket_folder

    data_dir, run = settings.DATA_DIR, socket_folder(settings.DATA_DIR)
    for folder in (run, data_dir / "run", data_dir / "logs", data_dir / "static", data_dir / "valkey"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if run.parent != data_dir:
        postgres.check_sockets(run)
    for stale in (run / "prepared", run / "valkey.sock", run / "supervisor.sock"):
        stale.unlink(missing_ok=True)
    if settings.HAS_EMBEDDED_POSTGRES:
        data = data_dir / "postgres"
        if not (data / "PG_VERSION").exists():
            say("Making a database in " + str(data))
        postgres.prepare(data, run)
        postgres.end_leftover(data)


def main() -> int:
    os.umask(0o077)  # mails, logs and dumps are nobody else's to read
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    os.environ["PYTHONUNBUFFERED"] = "1"
    if dev := "--dev" in sys.argv[1:]:
        os.environ.setdefault("DEBUG", "1")
    os.environ["STOP_SECONDS"] = str(_GRACE_SECONDS)
    from django.conf import settings

    from console.embedded.defaults import cannot_be_written

    try:
        data_dir: Path = settings.DATA_DIR
    except ImproperlyConfigured as error:
        raise SystemExit(str(error)) from None
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = _lock(data_dir)
        _check_port(settings.BIND_ADDRESS, settings.PORT)
        lock.truncate(0)
        lock.write(settings.BASE_URL)
        lock.flush()
        # A program started by hand with DATA_DIR finds the same place, wherever it is started from.
        os.environ["DATA_DIR"], os.environ["PORT"] = str(data_dir), str(settings.PORT)
        _make_room(settings)
        from console.embedded.programs import configuration, programs

        path = data_dir / "run" / "supervisord.conf"
        path.write_text(configuration(programs(dev=dev)), encoding="utf-8")
    except ImproperlyConfigured as error:
        raise SystemExit(str(error)) from None
    except OSError as error:
        raise SystemExit(cannot_be_written(data_dir, error)) from None

    go_on_without_logs()
    options = Options()
    options.realize(["--configuration", str(path)])
    options.first, options.test = True, False
    watch = Watch(options)
    watch.shares = copies.IS_SAFE and not dev  # what is reloaded begins again
    with contextlib.suppress(asyncore.ExitNow):
        watch.main()
    options.close_httpservers()
    with contextlib.suppress(OSError):
        options.close_logger()
    say("Stopped." if not watch.failed else "Facet did not start.")
    return int(watch.failed)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # nothing runs yet
        sys.exit("Stopped.")
