"""Tell an example as its reader does: a process of its own, the live server, a real worker and what beat sends."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

from celery import Celery
from django.core.management import call_command
from django.test import override_settings

from tests.live import ROOT, WorkerProcess, environment_of_processes, free_port
from tests.valkey import Valkey

_KNOWN = """
import runpy, sys
from types import SimpleNamespace
from examples import console
console.subprocess = SimpleNamespace(run=lambda *_, **__: SimpleNamespace(returncode=0, stdout=sys.argv[2]))
runpy.run_module(sys.argv[1], run_name="__main__", alter_sys=False)
"""


def _quick_start(site: str) -> str:
    out = StringIO()
    with override_settings(BASE_URL=site):
        call_command("quickstart", "--json", stdout=out)
    return out.getvalue()


class Story:
    """One telling. `said` is everything it printed so far.

    It asks `manage.py quickstart` what there is, which starts Django once more. With `is_known` that was asked before,
    in this process.
    """

    def __init__(self, name: str, site: str, valkey: Valkey, *, is_known: bool = False) -> None:
        self.port = free_port()
        more = {"BASE_URL": site, "EXAMPLE_PORT": str(self.port), "VALKEY_URL": valkey.url}
        command = [sys.executable, "-m", f"examples.{name}"]
        if is_known:
            command[1:] = ["-c", _KNOWN, f"examples.{name}", _quick_start(site)]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment_of_processes(more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)

    @property
    def said(self) -> str:
        return "".join(self._lines)

    def until(self, words: str, seconds: float = 180) -> str:
        """Wait until it has said this, and return everything it said."""
        deadline = time.monotonic() + seconds
        while words not in self.said:
            assert self._process.poll() is None and time.monotonic() < deadline, (
                f"It never said {words!r}:\n{self.said}"
            )
            time.sleep(0.05)
        return self.said

    def stop(self) -> int:
        """Press Ctrl-C, and return how it ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        code = self._process.wait(60)
        self._reader.join(60)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code


@contextmanager
def told(name: str, site: str, valkey: Valkey, *, is_known: bool = False) -> Iterator[Story]:
    story = Story(name, site, valkey, is_known=is_known)
    try:
        yield story
    finally:
        code = story.stop()
    assert code == 0, story.said


@contextmanager
def working(valkey: Valkey) -> Iterator[None]:
    """Have a worker, and send what beat sends, more often than it does: one message too many is harmless."""
    worker = WorkerProcess("standard", VALKEY_URL=valkey.url)
    broker = Celery("test", broker=valkey.url.replace("unix://", "redis+socket://"), set_as_current=False)
    over = threading.Event()

    def beat() -> None:
        while not over.wait(0.5):
            for task in ("agents.tick", "agents.drive"):
                broker.send_task(task, queue="standard", expires=5)

    beating = threading.Thread(target=beat)
    beating.start()
    try:
        yield
    finally:
        over.set()
        beating.join(60)
        worker.stop()
        broker.close()
