"""The real application under the real server, in a thread of the test's process or as processes of its own."""

import os
import random
import socket
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from django.conf import settings

from console.embedded.programs import worker_command
from tests.copies import Copy
from tests.valkey import Valkey
from tests.waiting import until

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """Return a port nobody listens at, from below those that systems give to connections of their own accord.

    On Linux it is taken until this process ends: bound, without listening, by a socket that lets those bind beside it
    who may use an address again, as servers do. Tests in another process find another one meanwhile.
    """
    while True:
        port = random.randint(12_000, 30_000)
        probe = socket.socket()
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            probe.close()
            continue
        if sys.platform == "linux":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.detach()  # which leaves it open
        else:
            probe.close()
        return port


def listens(port: int) -> bool:
    """Say whether new connections are taken; a server that was told to stop takes none."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
    except ConnectionError:
        return False
    return True


class LiveServer:
    """uvicorn with console.asgi in a thread; shares settings and the test database with the test."""

    def __init__(self, application: str = "console.asgi:application") -> None:
        self.port = free_port()
        config = uvicorn.Config(
            application,
            host="127.0.0.1",
            port=self.port,
            loop="uvloop",
            http="console.api.v1.server:Http",
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "LiveServer":
        self._thread.start()
        until(lambda: self._server.started or not self._thread.is_alive(), "the live server started")
        assert self._server.started, "The live server ended."
        return self

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(30)


def environment_of_processes(more: dict[str, str]) -> dict[str, str]:
    """Return what a process needs to work on the test's database."""
    database = settings.DATABASES["default"]
    url = f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST'].replace('/', '%2F')}"
    of_its_own = {"DATABASE_URL": url, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "console.settings"}
    return {**os.environ, **of_its_own, **more}


class _Process:
    """A process of Facet's own on the test's database."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        handle, errors = tempfile.mkstemp(dir=os.environ["DATA_DIR"], prefix="said-")
        os.close(handle)
        self._errors, of_all = Path(errors), environment_of_processes({})
        self.process = Copy(command, environment_of_processes(environment), of_all=of_all, errors=self._errors)

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.process.kill()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            if self.process.wait(30) is None:
                self.kill()

    def complaints(self) -> str:
        """Return what it wrote to its standard error."""
        return self._errors.read_text()


class WorkerProcess(_Process):
    """One lane's worker of Celery on the test's database, run as production runs it, or with another pool."""

    def __init__(self, lane: str, *, pool: str = "threads", **environment: str) -> None:
        command = [pool if part == "threads" else part for part in worker_command(lane)]
        super().__init__(command, environment)

    def children(self) -> list[int]:
        """Return the processes of its pool; none with threads."""
        pid = self.process.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
def start_worker(valkey_server: Valkey) -> Iterator[Callable[..., WorkerProcess]]:
    """Start workers of a lane at this module's Valkey, as `WorkerProcess` does; all of them end with the test."""
    made: list[WorkerProcess] = []

    def start(lane: str, **environment: str) -> WorkerProcess:
        made.append(WorkerProcess(lane, VALKEY_URL=valkey_server.url, **environment))
        return made[-1]

    yield start
    for worker in made:
        worker.stop()


def is_running(pid: int) -> bool:
    """Say whether a process does anything; one that is dead and not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class WebProcess(_Process):
    """One web process of its own on the test's database, for races between processes and for SIGKILL."""

    def __init__(self, *, grace: int = 1, **environment: str) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "uvicorn", "console.asgi:application", "--port", str(self.port)]
        command += ["--loop", "uvloop", "--http", "console.api.v1.server:Http", "--no-access-log", "--no-proxy-headers"]
        command += ["--timeout-graceful-shutdown", str(grace)]
        super().__init__([*command, "--log-level", "warning"], environment)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait(self) -> "WebProcess":
        until(self._answers, "the web process started", 120)
        return self

    def _answers(self) -> bool:
        assert self.process.poll() is None, "The web process ended."
        try:
            urllib.request.urlopen(f"{self.url}/v1/nothing", timeout=10)
        except urllib.error.HTTPError as refused:
            refused.close()
            return True
        except OSError:
            pass
        return False
