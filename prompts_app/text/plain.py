"""Validate values stored beside a prompt's text."""

import re
from typing import Any

from console.core.errors import BadInput

_DEEPEST = 32
# Neither PostgreSQL nor JSON's readers agree on these.
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


def problem(value: Any, level: int = 0) -> str:
    """Return what keeps a value from being kept, empty when nothing does."""
    if isinstance(value, str):
        found = _NOT_TEXT.search(value)
        return f"holds a character that is not text (U+{ord(found[0]):04X})" if found else ""
    if not isinstance(value, dict | list):
        return ""
    if level == _DEEPEST:
        return f"is nested more than {_DEEPEST} deep"
    inside = [*value, *value.values()] if isinstance(value, dict) else value
    return next((said for one in inside if (said := problem(one, level + 1))), "")


def check_plain(value: Any, what: str, *, param: str) -> None:
    """Refuse what cannot be kept, by its name."""
    if said := problem(value):
        raise BadInput(f"{what} {said}.", param=param)
