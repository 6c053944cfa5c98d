"""The PostgreSQL the tests share: one embedded server, started once and left running for the next run.

It lives in .cache/test, not in DATA_DIR, and forgets durability (fsync off) for speed. Tests that kill processes do not
kill this server, so nothing they prove depends on fsync.
"""

import fcntl
import subprocess
import sys
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
        ready = (
            subprocess.run(
                [postgres.binaries() / "pg_isready", "-q", "-h", sockets, "-U", "postgres", "-d", "postgres"],
                check=False,
            ).returncode
            == 0
        )
        if not ready:
            postgres.end_leftover(data)
            # Through a shell that ends at once: the server belongs to no run, and outlives this one.
            with (FOLDER / "postgres.log").open("ab") as log:
                subprocess.run(
                    ["/bin/sh", "-c", '"$@" &', "sh"]
                    + postgres.command(data, sockets, max_connections=300, durable=False),
                    check=True,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    cwd="/",
                    **postgres.as_system_user(),
                )
            postgres.wait_until_ready(sockets)
        if not postgres.psql(sockets, "SELECT 1 FROM pg_database WHERE datname = 'facet'"):
            postgres.psql(sockets, "CREATE DATABASE facet")
    return address()


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
