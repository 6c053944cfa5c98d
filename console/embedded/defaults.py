"""Addresses and secrets of the embedded parts, derived from DATA_DIR.

Read by the settings, so nothing here may import Django's settings or start anything.
"""

import fcntl
import hashlib
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured

# A Unix socket's path may have 107 bytes; PostgreSQL adds `/.s.PGSQL.5432`.
_LONGEST_SOCKET_FOLDER = 85
DATABASE_NAME = "facet"
APP_ROLE = "facet"
OWNER_ROLE = "postgres"


def socket_folder(data_dir: Path) -> Path:
    """Return DATA_DIR/run, or a short folder under the temporary one that stands for it when that path is too long."""
    folder = data_dir / "run"
    if len(os.fsencode(folder)) <= _LONGEST_SOCKET_FOLDER:
        return folder
    return Path(tempfile.gettempdir()) / f"facet-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]}"


def database_url(data_dir: Path, role: str = APP_ROLE, *, allowed: bool = True) -> str:
    if not allowed:
        raise ImproperlyConfigured("DATABASE_URL is not set; production does not bring its own PostgreSQL.")
    return f"postgresql://{role}@/{DATABASE_NAME}?host={quote(str(socket_folder(data_dir)), safe='')}"


def valkey_url(data_dir: Path, *, allowed: bool = True) -> str:
    if not allowed:
        raise ImproperlyConfigured("VALKEY_URL is not set; production does not bring its own Valkey.")
    return f"unix://{socket_folder(data_dir)}/valkey.sock"


def cannot_be_written(data_dir: Path, error: OSError) -> str:
    """Return what to say where DATA_DIR is full, read-only or somebody else's."""
    what = error.filename or data_dir
    return f"{what} cannot be written or read ({error.strerror}). Mend that, or name another place by DATA_DIR."


def generated_secret(data_dir: Path, variable: str, name: str, *, allowed: bool) -> str:
    """Return the secret kept in DATA_DIR/secrets/NAME, made on first use; production brings its own in VARIABLE."""
    if not allowed:
        raise ImproperlyConfigured(f"{variable} is not set; production does not make its own secrets.")
    try:
        return _kept_secret(data_dir / "secrets" / name)
    except OSError as error:
        raise ImproperlyConfigured(cannot_be_written(data_dir, error)) from None


def _kept_secret(path: Path) -> str:
    with suppress(FileNotFoundError):
        if kept := path.read_text(encoding="ascii").strip():
            return kept
        # Once there is data, it was lost, and with a new one in its place nobody would notice until secrets are read.
        if (path.parent.parent / "postgres" / "PG_VERSION").exists():
            raise ImproperlyConfigured(
                f"{path} is empty, though data was stored with what it held. Put it back from a backup; or delete "
                "it to have a new one, with which stored credentials cannot be read."
            )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # another process may be about to write it, or have done so
        if not (kept := file.read().strip()):  # new, or left empty by a start that found the disk full
            file.write(kept := secrets.token_urlsafe(48))
            file.flush()
    return kept
