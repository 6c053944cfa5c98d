"""Tell an example as its reader does: a process of its own, the live server, a real worker and what beat sends."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from celery import Celery

from tests.live import ROOT, WorkerProcess, environment_of_processes, free_port
from tests.valkey import Valkey


class Story:
    """One telling. `said` is everything it printed so far."""

    def __init__(self, name: str, site: str, valkey: Valkey) -> None:
        self.port = free_port()
        more = {"BASE_URL": site, "EXAMPLE_PORT": str(self.port), "VALKEY_URL": valkey.url}
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"examples.{name}"],
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
def told(name: str, site: str, valkey: Valkey) -> Iterator[Story]:
    story = Story(name, site, valkey)
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
