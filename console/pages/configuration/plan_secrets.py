"""Secrets of a configuration file: read when it is applied, compared with stored ones, never shown."""

from collections.abc import Mapping
from pathlib import Path

from console.core.crypto import SecretUnreadable, decrypt
from console.pages.configuration.document import Problem
from console.pages.configuration.forms import Entry
from console.pages.configuration.steps import FieldChange


def read_secret(
    entry: Entry, field: str, *, folder: Path, environ: Mapping[str, str]
) -> tuple[str | None, Problem | None]:
    """Return the secret to store, None when the file says nothing of it (or what it says cannot be read)."""
    secret: Entry | None = entry.get(field)
    if secret is None or not secret.values:
        return None, None
    if secret.has("value"):
        return str(secret["value"]), None
    if secret.has("env"):
        text = environ.get(secret["env"], "").strip()
        message = f"The environment variable {secret['env']} is not set; set it and try again."
        return (text, None) if text else (None, Problem(secret.at("env"), message))
    path = folder / secret["file"]
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        return None, Problem(secret.at("file"), f"The file {path} cannot be read: {why}.")
    return (text, None) if text else (None, Problem(secret.at("file"), f"The file {path} is empty."))


def secret_change(name: str, kept: str, wanted: str | None) -> list[FieldChange]:
    """Return what the difference says of a secret: that it is set, or set again. `kept` is encrypted."""
    if wanted is None or _decrypted(kept) == wanted:
        return []
    return [FieldChange(name, "set" if kept else "not set", "set anew" if kept else "set")]


def _decrypted(kept: str) -> str:
    try:
        return decrypt(kept) if kept else ""
    except SecretUnreadable:
        return ""
