"""URLs of static files that change with their content, so that no browser keeps an old script after an update."""

import hashlib
from functools import lru_cache
from pathlib import Path

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage


class AddressedByContent(StaticFilesStorage):
    """Adds `?v=` and a digest, as files are served from where they lie and none is copied to a name with one."""

    def url(self, name: str | None) -> str:
        address = super().url(name)
        version = _version(name) if name else ""
        return f"{address}?v={version}" if version else address


def _version(name: str) -> str:
    path = _find(name)
    try:
        return "" if path is None else _digest(path, path.stat().st_mtime_ns)
    except OSError:  # gone since, while a newer release is put in its place
        return ""


@lru_cache(maxsize=1024)
def _find(name: str) -> Path | None:
    found = finders.find(name)
    return Path(found) if isinstance(found, str) else None


@lru_cache(maxsize=1024)
def _digest(path: Path, changed_at: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]
