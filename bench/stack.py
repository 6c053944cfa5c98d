"""Everything a benchmark needs, on this machine and in a temporary folder: PostgreSQL, the mock, Facet, peers."""

# ruff: noqa: E501  (command lines and configuration read better whole)

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.parse import quote

from bench.measure import Target, tool
from console.embedded import postgres, valkey
from console.embedded.defaults import socket_folder

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".cache" / "peers"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"Nothing answers on port {port} after {seconds:g} s.")
        time.sleep(0.1)


class Stack:
    """Starts processes and ends exactly those. PostgreSQL is durable here: fsync costs what it costs."""

    def __init__(self, **environment: str) -> None:
        """`environment` is for Facet's processes."""
        self._more = environment
        self.folder = Path(tempfile.mkdtemp(prefix="facet-bench-"))
        self.folder.chmod(0o711)
        self._processes: list[subprocess.Popen[bytes]] = []
        self.upstream_port = free_port()
        self._start_mock(self.upstream_port)
        self._start_postgres()

    def _start(self, command: list[object], **more: object) -> subprocess.Popen[bytes]:
        log = (self.folder / f"log-{len(self._processes)}").open("wb")
        process = subprocess.Popen(
            [str(part) for part in command], cwd=more.pop("cwd", ROOT), stdout=log, stderr=log, **more
        )  # type: ignore[call-overload]
        self._processes.append(process)
        return process

    def stop(self) -> None:
        for process in reversed(self._processes):
            if process.poll() is None:
                process.send_signal(signal.SIGINT if process is self._postgres else signal.SIGTERM)
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start_mock(self, port: int) -> None:
        self._start([tool("mockllm"), str(port)])
        wait_for(port)

    # The mock upstream ---------------------------------------------------------------------------------------------

    def second_mock(self) -> int:
        """Start one more mock, of another shape; returns its port."""
        port = free_port()
        self._start_mock(port)
        return port

    def _control(self, path: str, port: int = 0) -> dict[str, int]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port or self.upstream_port}{path}", timeout=5) as reply:
            raw = reply.read()
        return json.loads(raw) if raw.startswith(b"{") else {}

    def shape(self, *, chunks: int = 20, delay_us: int = 0, latency_us: int = 0, port: int = 0) -> None:
        """Set how many chunks the mock streams, the pause between them, and how long it thinks first."""
        self._control(f"/_ctl?chunks={chunks}&delay_us={delay_us}&latency_us={latency_us}", port)

    def served(self) -> int:
        return self._control("/_stats")["requests"]

    # PostgreSQL ----------------------------------------------------------------------------------------------------

    def _start_postgres(self) -> None:
        data, self.sockets = self.folder / "postgres", self.folder / "run"
        postgres.prepare(data, self.sockets)
        self._postgres = self._start(
            postgres.command(data, self.sockets), user=postgres.system_user(), cwd="/", stdin=subprocess.DEVNULL
        )
        postgres.wait_until_ready(self.sockets)
        postgres.psql(self.sockets, "CREATE DATABASE facet")

    @property
    def environment(self) -> dict[str, str]:
        url = f"postgresql://postgres@/facet?host={quote(str(self.sockets), safe='')}"
        return {
            **os.environ,
            "DATABASE_URL": url,
            "DATA_DIR": str(self.folder / "data"),
            "BUILTIN_MODEL": "0",
            "DJANGO_SETTINGS_MODULE": "console.settings",
            "PYTHONPATH": str(ROOT),
            **self._more,
        }

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout

    def sql(self, statement: str) -> str:
        return postgres.psql(self.sockets, statement, database="facet")

    # Targets -------------------------------------------------------------------------------------------------------

    def facet(self, name: str = "facet", *, workers: int = 1) -> Target:
        port = free_port()
        process = self._start(
            [sys.executable, "-m", "uvicorn", "console.asgi:application", "--port", port, "--loop", "uvloop", "--http", "console.api.v1.server:Http",
             "--no-access-log", "--no-proxy-headers", "--log-level", "warning", "--workers", workers],
            env=self.environment,
        )  # fmt: skip
        wait_for(port)
        time.sleep(2.0 * workers)
        return Target(name, f"http://127.0.0.1:{port}/v1", pids=[process.pid], store_pids=[self._postgres.pid])

    def start_valkey(self) -> None:
        folder = self.folder / "data"
        (folder / "valkey").mkdir(parents=True, exist_ok=True)
        run = socket_folder(folder)
        run.mkdir(exist_ok=True)
        self._start(valkey.command(folder))
        self._more["VALKEY_URL"] = f"unix://{run}/valkey.sock"
        time.sleep(1)

    def worker(self, lane: str) -> subprocess.Popen[bytes]:
        """Start a worker of one lane, which is woken by a beat of its own."""
        queues, schedule = f"{lane},standard", str(self.folder / "beat")
        process = self._start(
            [sys.executable, "-m", "celery", "--app", "console.celery", "worker", "--queues", queues, "--pool", "threads",
             "--concurrency", "4", "--without-gossip", "--without-mingle", "--loglevel", "INFO"],
            env=self.environment,
        )  # fmt: skip
        self._start(
            [sys.executable, "-m", "celery", "--app", "console.celery", "beat", "--pidfile=", "--schedule", schedule],
            env=self.environment,
        )
        return process

    def passthrough(self) -> Target:
        port = free_port()
        process = self._start(
            [sys.executable, "-m", "uvicorn", "bench.passthrough:app", "--port", port, "--loop", "uvloop", "--http", "httptools",
             "--no-access-log", "--log-level", "warning", "--lifespan", "off"],
            env={**os.environ, "UPSTREAM": f"http://127.0.0.1:{self.upstream_port}"},
        )  # fmt: skip
        wait_for(port)
        return Target("passthrough", f"http://127.0.0.1:{port}/v1", pids=[process.pid])

    def nginx(self) -> Target | None:
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if program is None:
            return None
        port, folder = free_port(), self.folder
        paths = " ".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            f"worker_processes 1; daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log warn;"
            " events { worker_connections 2048; }"
            f" http {{ access_log off; {paths} keepalive_requests 1000000000;"
            f" upstream u {{ server 127.0.0.1:{self.upstream_port}; keepalive 256; keepalive_requests 1000000000; }}"
            f" server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://u; proxy_http_version 1.1;"
            ' proxy_set_header Connection ""; proxy_buffering off; } } }'
        )
        process = self._start([program, "-c", folder / "nginx.conf"])
        wait_for(port)
        return Target("nginx", f"http://127.0.0.1:{port}/v1", pids=[process.pid])

    def litellm(self) -> Target | None:
        """LiteLLM's proxy with a master key and no database, where `bench/peers` installed it."""
        program = PEERS / "litellm" / "bin" / "litellm"
        if not program.exists():
            return None
        port = free_port()
        (self.folder / "litellm.yaml").write_text(
            "model_list:\n- model_name: support-chat\n  litellm_params:\n    model: openai/mock-model\n"
            f"    api_base: http://127.0.0.1:{self.upstream_port}/v1\n    api_key: upstream\n"
            "general_settings:\n  master_key: sk-master\n"
        )
        quiet = {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOG": "ERROR",
            "NO_DOCS": "True",
        }
        process = self._start(
            [program, "--config", self.folder / "litellm.yaml", "--port", port, "--num_workers", 1],
            env={**os.environ, **quiet},
        )
        wait_for(port, 120)
        return Target("litellm", f"http://127.0.0.1:{port}/v1", keys=["sk-master"], pids=[process.pid])

    def portkey(self) -> Target | None:
        """Portkey's gateway, which checks no key and keeps no record, where `bench/peers` installed it."""
        folder = PEERS / "portkey" / "node_modules" / "@portkey-ai" / "gateway"
        node = shutil.which("node")
        if node is None or not folder.exists():
            return None
        port = free_port()
        process = self._start(
            [node, "build/start-server.js", f"--port={port}", "--headless"],
            cwd=folder,
            env={**os.environ, "NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1"},
        )
        wait_for(port)
        headers = ["x-portkey-provider: openai", f"x-portkey-custom-host: http://127.0.0.1:{self.upstream_port}/v1"]
        return Target("portkey", f"http://127.0.0.1:{port}/v1", keys=["x"], headers=headers, pids=[process.pid])
