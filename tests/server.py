"""The PostgreSQL the tests share: one embedded server, started once and left running for the next run.

It lives in .cache/test, not in DATA_DIR, and forgets durability (fsync off) for speed. Tests that kill processes do not
kill this server, so nothing they prove depends on fsync.
"""

import fcntl
import subprocess
from pathlib import Path
from urllib.parse import quote

from console.embedded import defaults, postgres

FOLDER = Path(__file__).resolve().parent.parent / ".cache" / "test"


def start() -> str:
    """Start the server unless it runs, and return its DATABASE_URL (database `facet`, role postgres)."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    data, sockets = FOLDER / "postgres", defaults.socket_folder(FOLDER)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        postgres.prepare(data, sockets)
        ready = subprocess.run([postgres.binaries() / "pg_isready", "-q", "-h", sockets], check=False).returncode == 0
        if not ready:
            (data / "postmaster.pid").unlink(missing_ok=True)
            log = (FOLDER / "postgres.log").open("ab")
            subprocess.Popen(
                postgres.command(data, sockets, max_connections=300, durable=False),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=postgres.system_user(),
                start_new_session=True,
                cwd="/",
            )
            postgres.wait_until_ready(sockets)
        if not postgres.psql(sockets, "SELECT 1 FROM pg_database WHERE datname = 'facet'"):
            postgres.psql(sockets, "CREATE DATABASE facet")
    return f"postgresql://postgres@/facet?host={quote(str(sockets), safe='')}"
