"""The PostgreSQL the tests share: one embedded server, started once and left running for the next run.

It lives in .cache/test, not in DATA_DIR, and forgets durability (fsync off) for speed. Tests that kill processes do not
kill this server, so nothing they prove depends on fsync. A machine that stops at once may leave it a cluster nobody can
start; as tests keep nothing in it, it is made anew then.
"""

import fcntl
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

from console.embedded import defaults, postgres

FOLDER = Path(__file__).resolve().parent.parent / ".cache" / "test"


def address() -> str:
    """Return the DATABASE_URL of the server, whether it runs or not (database `facet`, role postgres)."""
    return f"postgresql://postgres@/facet?host={quote(str(defaults.socket_folder(FOLDER)), safe='')}"


def start() -> str:
    """Start the server unless it runs, and return its address."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    data, sockets = FOLDER / "postgres", defaults.socket_folder(FOLDER)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        postgres.prepare(data, sockets)
        if not postgres.is_ready(sockets) and not _begin(data, sockets):
            sys.stderr.write(f"PostgreSQL cannot start from {data} ({FOLDER}/postgres.log says why); making it anew.\n")
            shutil.rmtree(data)
            postgres.prepare(data, sockets)
            if not _begin(data, sockets):
                raise RuntimeError(f"PostgreSQL does not start; {FOLDER}/postgres.log says why.")
        if not postgres.psql(sockets, "SELECT 1 FROM pg_database WHERE datname = 'facet'"):
            postgres.psql(sockets, "CREATE DATABASE facet")
    return address()


def _begin(data: Path, sockets: Path, seconds: float = 60) -> bool:
    """Start the server, wait until it answers, and return False if it ended instead."""
    postgres.end_leftover(data)
    with (FOLDER / "postgres.log").open("ab") as log:
        # Through a shell that ends at once: the server belongs to no run, and outlives this one.
        shell = subprocess.run(
            ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh"]
            + postgres.command(data, sockets, max_connections=300, durable=False),
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            cwd="/",
            **postgres.as_system_user(),
        )
    deadline = time.monotonic() + seconds
    while not postgres.is_ready(sockets):
        if not _lives(int(shell.stdout)):
            return False
        if time.monotonic() > deadline:
            raise TimeoutError(f"PostgreSQL did not start within {seconds:g} s; {FOLDER}/postgres.log says why.")
        time.sleep(0.05)
    return True


def _lives(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], check=False, capture_output=True, text=True).stdout
    return bool(state) and not state.startswith("Z")


def stop() -> None:
    """Stop the server if it runs. Not needed between runs; it also ends by itself when its folder is deleted."""
    data = FOLDER / "postgres"
    if (data / "postmaster.pid").exists():
        postgres.end_leftover(data)


if __name__ == "__main__":
    if sys.argv[1:] == ["stop"]:
        stop()
    else:
        sys.stdout.write(start() + "\n")
