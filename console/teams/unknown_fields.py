"""The handling of unknown request fields: the installation's setting, and how far a key's own may differ.

A key may be stricter by itself. Laxer it is only where an operator said so: whoever set the installation's word relies
on it, and who makes a team's keys is somebody else.
"""

from typing import Protocol

from console.core.cached_settings import settings

_STRICTNESS = {"pass": 0, "drop": 1, "refuse": 2}


class HasWord(Protocol):
    """A key, in the database or as a call sees it."""

    @property
    def unknown_fields(self) -> str: ...

    @property
    def unknown_fields_by_operator(self) -> bool: ...


def is_laxer(word: str) -> bool:
    """Return whether a key's own word lets more pass than the installation's."""
    return bool(word) and _STRICTNESS[word] < _STRICTNESS[settings.GATEWAY_UNKNOWN_FIELDS]


def word_of(key: HasWord | None) -> str:
    """Return what holds for a key now, or for whoever calls without one: pass, drop or refuse."""
    if key is None or not key.unknown_fields or (is_laxer(key.unknown_fields) and not key.unknown_fields_by_operator):
        return str(settings.GATEWAY_UNKNOWN_FIELDS)
    return key.unknown_fields
