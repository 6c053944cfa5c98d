"""Prepare an input or output for the log: without secrets, storable in PostgreSQL, and within its size limit.

On the gateway's hot path: ordinary text passes with a handful of substring searches and one digest.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver

from console.audit.pictures import put_back, taken_out
from console.core.scrub import REDACTED, may_hold_a_secret, scrub

# Characters beyond the cut that are still searched, so that a secret across the cut is found whole.
_MARGIN = 16 * 1024
MOST_OF_A_NAME = 256  # letters
_NUL = "\N{SYMBOL FOR NULL}"
Digest = bytes


class PreparedPayload(NamedTuple):
    """One body as the log stores it. `bytes` and `sha256` are of the original; the digest is kept when it was cut."""

    raw: bytes  # UTF-8
    bytes: int
    sha256: Digest | None
    is_cut: bool
    redactions: int
    stored_sha256: Digest

    @property
    def body(self) -> str:
        return self.raw.decode()


class _Rules(NamedTuple):
    limit: int
    pictures: int
    names: tuple[str, ...]
    ascii_names: tuple[str, ...]
    field: re.Pattern[str] | None


@lru_cache(maxsize=1)
def _rules() -> _Rules:
    """Return the settings, compiled. Reading a setting costs as much as searching a short body for a word.

    Fields are found in JSON and in JSON inside a JSON string, as tool arguments are: the group `q` is the
    backslash before the quotes there. Objects are left alone, because JSON schemas describe fields by their name.
    """
    names = tuple(name.lower() for name in settings.AUDIT_REDACT_FIELDS)
    field = re.compile(
        rf'(?<=")(?P<key>(?:{"|".join(re.escape(name) for name in names)})(?P<q>\\?)"\s*:\s*)'
        r"(?:"
        r'"(?:[^"\\]|\\.)++"'
        r'|\\"(?:[^"\\]|\\\\(?:\\.|[^"\\])|\\[^"\\])++\\"'
        r"|-?[0-9][0-9.eE+-]{0,40}"
        r"|\[[^\[\]{}]{1,4000}\]"
        r")",
        re.IGNORECASE | re.DOTALL,
    )
    ascii_names = tuple(filter(str.isascii, names))
    return _Rules(
        settings.AUDIT_CONTENT_BYTES, settings.AUDIT_PICTURE_BYTES, names, ascii_names, field if names else None
    )


@receiver(setting_changed)
def _forget_rules(setting: str, **_: Any) -> None:
    if setting.startswith("AUDIT_"):
        _rules.cache_clear()


def _without_value(match: re.Match[str]) -> str:
    quote = match["q"] + '"'
    return f"{match['key']}{quote}{REDACTED}{quote}"


def _may_hold_a_field(raw: bytes, rules: _Rules) -> bool:
    """Return whether an ASCII body names one of AUDIT_REDACT_FIELDS; bytes are made small four times as fast as text.

    But it is text that is searched: `in` of bytes first takes what is looked for as a number, and drops the error.
    """
    return any(map(raw.lower().decode("ascii").__contains__, rules.ascii_names))


def redact(body: str) -> tuple[str, int]:
    """Return the body without known secrets and without the values of AUDIT_REDACT_FIELDS, and how many went."""
    body, found = scrub(body)
    rules = _rules()
    if body.isascii() and not _may_hold_a_field(body.encode(), rules):
        return body, found
    lowered = body.lower()
    for name in rules.names:
        if name in lowered and (f'{name}"' in lowered or f'{name}\\"' in lowered) and rules.field:
            body, more = rules.field.subn(_without_value, body)
            return body, found + more
    return body, found


def _encode(body: str) -> bytes:
    try:
        return body.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which neither UTF-8 nor PostgreSQL can hold
        return body.encode("utf-8", "replace")


def storable(text: str) -> str:
    """Return a text with what PostgreSQL can hold in place of NUL and of half a surrogate pair."""
    return _encode(text.replace("\0", _NUL)).decode()


def kept_name(field: str, name: str) -> str:
    """Return what a line of the log keeps of a name its caller gave in a field, and what such lines are found by.

    That is nothing where AUDIT_REDACT_FIELDS names the field, and the SHA-256 of a long one, as hexadecimal.
    """
    name = name.strip()
    if field in _rules().names:
        return ""
    if len(name) > MOST_OF_A_NAME:
        return sha256(_encode(name)).hexdigest()
    return storable(scrub(name)[0])


def kept_metadata(pairs: Mapping[str, str]) -> dict[str, str] | None:
    """Return what a line of the log keeps of what its caller labelled a call with; None where that is nothing.

    Names that AUDIT_REDACT_FIELDS has are left out with their values, and all where it has `metadata`.
    """
    redacted = _rules().names
    if "metadata" in redacted:
        return None
    kept = {scrub(name)[0]: scrub(value)[0] for name, value in pairs.items() if name.strip().lower() not in redacted}
    return plain_metadata(kept) or None


def plain_metadata(pairs: Mapping[str, str]) -> dict[str, str]:
    """Return labels as the log writes them: without space around, and none without a name."""
    written = {storable(name.strip()): storable(value.strip()) for name, value in pairs.items()}
    return {name: value for name, value in written.items() if name}


def prepare_payload(body: str) -> PreparedPayload:
    """Redact a body, cut it on a character boundary, and take the digests the seal covers.

    Words may have AUDIT_CONTENT_BYTES. The pictures of a body that is longer are no part of that: the last of them are
    kept, up to AUDIT_PICTURE_BYTES, so that each is whole or not there.
    """
    rules = _rules()
    limit = rules.limit
    if len(body) <= limit and body.isascii() and "\0" not in body and not may_hold_a_secret(body):  # nearly all
        raw = body.encode()
        if not _may_hold_a_field(raw, rules):
            return PreparedPayload(raw, len(raw), None, False, 0, sha256(raw).digest())
    original = body
    if "\0" in body:
        body = body.replace("\0", _NUL)
    pictures: list[str] = []
    if len(body) > limit:
        body, pictures = taken_out(body)
    is_whole = len(body) <= limit + _MARGIN
    body, found = redact(body if is_whole else body[: limit + _MARGIN])
    raw = _encode(body)
    if len(raw) > limit:
        is_whole = False
        raw = raw[:limit].decode("utf-8", "ignore").encode()
    if pictures:
        raw, has_all = put_back(raw, pictures, rules.pictures)
        is_whole = is_whole and has_all
    if is_whole:
        size = len(raw) if body is original else len(_encode(original))
        return PreparedPayload(raw, size, None, False, found, sha256(raw).digest())
    whole = _encode(original)
    return PreparedPayload(raw, len(whole), sha256(whole).digest(), True, found, sha256(raw).digest())
