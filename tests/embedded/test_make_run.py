"""What `make run` starts, started for real: it comes up, mends itself, and stops."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from console.embedded import supervise
from tests.live import ROOT, free_port, is_running, listens
from tests.runs.workshop import Brain, Till
from tests.waiting import until

# It promises five seconds and kills what is left before; a busy machine has its own.
STOPS_WITHIN = 20


class Console:
    """One console in a folder of its own, with embedded PostgreSQL and Valkey and without a model."""

    def __init__(self, data_dir: Path) -> None:
        self.port, self.data_dir = free_port(), data_dir
        # Nothing of the tests' own settings reaches it.
        foreign = {"DATABASE_URL", "DATABASE_POOL", "STATEMENT_TIMEOUT_MS"}
        foreign |= {"DJANGO_SETTINGS_MODULE", "FACET_TEST_DATABASE_URL"}
        self.environment = {name: value for name, value in os.environ.items() if name not in foreign} | {
            "PORT": str(self.port),
            "DATA_DIR": str(data_dir),
            "BUILTIN_MODEL": "0",
            # What a killed worker had is free soon.
            "AGENT_LEASE_SECONDS": "3",
            "GATEWAY_LEASE_SECONDS": "4",
        }
        self.output = data_dir.with_suffix(".out")

    def start(self) -> None:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "console.embedded.supervise"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.output.read_text()

    def ask(self, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, ValueError):
            return 0, {}
        finally:
            connection.close()

    def is_ready(self) -> bool:
        return self.ask("/health/ready")[0] == 200

    def wait(self, condition: Callable[[], bool]) -> None:
        def holds() -> bool:
            assert self.process.poll() is None, self.said()
            return condition()

        until(holds, self.said, 120)

    def pids(self, *programs: str) -> list[int]:
        """Ask supervisord, as a person would with supervisorctl."""
        command = [sys.executable, "-m", "supervisor.supervisorctl", "-c", self.data_dir / "run/supervisord.conf"]
        shown = subprocess.run(
            [*command, "pid", *programs], check=False, capture_output=True, text=True, env=self.environment
        )
        return [int(pid) for pid in shown.stdout.split()]

    def stop(self, number: int = signal.SIGTERM) -> float:
        started = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=60)
        return time.monotonic() - started


@pytest.fixture
def console() -> Iterator[Console]:
    # Not in pytest's own folder: every pytest that begins on this machine closes that to the user PostgreSQL runs as.
    with TemporaryDirectory(prefix="facet-") as folder:
        console = Console(Path(folder) / "data")
        console.start()
        yield console
        if console.process.poll() is None:
            console.stop()


@pytest.fixture
def agents() -> Iterator[tuple[Brain, Till]]:
    """A model that asks for one payment and then for no more, and the till."""
    brain, till = Brain(), Till()
    brain.start()
    till.start()
    yield brain, till
    brain.stop()
    till.stop()


@pytest.mark.e2e
def test_it_starts_mends_itself_and_stops_in_time(console: Console, agents: tuple[Brain, Till]) -> None:
    brain, till = agents
    console.wait(console.is_ready)
    status, body = console.ask("/health/ready", Host="probe.internal:1")
    assert (status, body["status"]) == (200, "ready"), body
    console.wait(lambda: "Sign in" in console.said())
    assert f"http://localhost:{console.port}/sign-in/" in console.said()

    # A second start at the same place says so at once, and leaves the first alone.
    again = [sys.executable, "-m", "console.embedded.supervise"]
    refused = subprocess.run(again, cwd=ROOT, env=console.environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "runs already" in refused.stderr
    elsewhere = console.environment | {"DATA_DIR": str(console.data_dir.with_name("other"))}
    refused = subprocess.run(again, cwd=ROOT, env=elsewhere, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert f"Port {console.port} is in use" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1

    (killed,) = console.pids("app:web")
    os.kill(killed, signal.SIGKILL)
    console.wait(lambda: not is_running(killed))
    console.wait(console.is_ready)
    assert "web ended and is started again" in console.said()

    # In another shell, DATA_DIR and PORT are enough: a run is started there, and is under way once its payment is made.
    # The role of every day cannot change the log's past.
    till.after.add("pay")
    code = (
        "from bench import seed_runs as s;"
        f"s.set_up({brain.url!r}, 'http://127.0.0.1:{till.port}/pay', is_idempotent=True); s.start('payer', 1);"
        "from django.db import connection as c; k = c.cursor(); k.execute('SELECT count(*) FROM audit_event');"
        "print(k.fetchone()[0] > 0);"
        "k.execute('SELECT current_user'); print(k.fetchone()[0]);"
        "k.execute('DELETE FROM audit_event')"
    )
    shell = [sys.executable, "manage.py", "shell", "--no-imports", "-c", code]
    by_hand = subprocess.run(shell, cwd=ROOT, env=console.environment, capture_output=True, text=True, check=False)
    assert by_hand.stdout.split()[-2:] == ["True", "facet"], by_hand.stderr
    assert "permission denied for table audit_event" in by_hand.stderr
    console.wait(lambda: till.taken["pay"] == 1)

    # Killed with its data stores, as by a power cut, it leaves locks and sockets behind; the next start does not mind.
    # What it had started ends with it, and the run that was under way goes on, its payment made once.
    *stores, web, worker, beat = console.pids(
        *("data:postgres", "data:valkey", "app:web", "app:worker-standard", "app:beat")
    )
    assert web != killed
    for pid in (console.process.pid, *stores):
        os.kill(pid, signal.SIGKILL)
    console.process.wait()
    assert (console.data_dir / "postgres/postmaster.pid").exists()
    # Its web process hears that the supervisor is gone; until it closes the port, another start would find it in use.
    until(lambda: not listens(console.port), "nobody listens any more")

    # What keeps PostgreSQL from starting is said on the terminal. Once it is mended, the same start goes on.
    needed = console.data_dir / "postgres/postgresql.conf"
    away = needed.rename(needed.with_suffix(".away"))
    console.start()
    console.wait(lambda: "does not start (try 1)" in console.said() and needed.name in console.said())
    away.rename(needed)
    console.wait(console.is_ready)
    console.wait(lambda: not any(is_running(pid) for pid in (web, worker, beat)))
    # Only now is the till free to answer: a worker that is still ending could write down what it heard.
    till.after.clear()
    console.wait(lambda: brain.asked["pay 1"] == 1)
    assert (brain.asked["pay 0"], till.taken["pay"], len(till.seen)) == (1, 1, 2)
    assert supervise._KILL_AFTER_SECONDS < 5 and console.stop(signal.SIGINT) < STOPS_WITHIN
    assert console.process.returncode == 0
    assert console.said().endswith("Stopped.\n")
