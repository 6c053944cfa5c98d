"""Validate names and texts that people write, and bring them into the form that is stored."""

import unicodedata
from typing import Any

from console.core.errors import BadInput


def line(value: Any, name: str, *, most: int, is_required: bool = False) -> str:
    """Return one line of up to `most` characters that can be seen, single blanks between words; BadInput names it."""
    kept = " ".join(_text(value, name).split())
    if not kept.isprintable():
        raise _unseen(name)
    return _bounded(kept, name, most, is_required)


def text(value: Any, name: str, *, most: int, is_required: bool = False) -> str:
    """Return lines of up to `most` characters in all, without blanks around them; BadInput names it."""
    kept = _text(value, name).replace("\r\n", "\n").strip()
    if any(unicodedata.category(one) == "Cc" and one not in "\n\t" for one in kept):
        raise _unseen(name)
    return _bounded(kept, name, most, is_required)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise BadInput(f"{name} must be a text.", param=name)
    return value


def _unseen(name: str) -> BadInput:
    return BadInput(f"{name} holds a character nobody could see.", param=name)


def _bounded(value: str, name: str, most: int, is_required: bool) -> str:
    if is_required and not value:
        raise BadInput(f"{name} is missing.", param=name)
    if len(value) > most:
        raise BadInput(f"{name} has {len(value):,} characters; {most:,} is the most.", param=name)
    return value
