"""Read a configuration from outside: each function returns the checked value or refuses the field by name."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from console.core import strict_json
from console.core.errors import BadInput
from console.core.formatting import first_few

LONGEST_CONFIG = 100_000


def only(config: Mapping[str, Any], known: Sequence[str]) -> None:
    """Refuse fields a kind does not have, and configurations without end."""
    if not isinstance(config, Mapping):
        raise BadInput("config must be an object.", param="config")
    unknown = sorted(str(name) for name in set(config) - set(known))
    if unknown:
        allowed = f"; it has {', '.join(known)}" if known else ""
        raise BadInput(f"{unknown[0][:60]!r} is not part of this kind of tool{allowed}.", param=unknown[0][:60])
    written = json.dumps(config)
    if len(written) > LONGEST_CONFIG:
        raise BadInput(f"The configuration is longer than {LONGEST_CONFIG:,} characters.", param="config")
    if strict_json.has_nul(config):
        raise BadInput("The configuration holds a character that is not text (U+0000).", param="config")


def not_there(noun: str, there: Iterable[str], *, param: str) -> BadInput:
    """Return the refusal of a name of what is not there, with what is."""
    names = list(there)
    return BadInput(
        f"There is no {noun}. There {f'are: {first_few(names, 20)}' if names else 'is none yet'}.", param=param
    )


def text(config: Mapping[str, Any], name: str, *, most: int, default: str = "", is_required: bool = False) -> str:
    value = config.get(name, default)
    if value is None:
        value = ""
    if not isinstance(value, str) or any(ord(c) < 32 and c not in "\n\t" for c in value):
        raise BadInput(f"{name} must be a text.", param=name)
    value = value.strip()
    if len(value) > most:
        raise BadInput(f"{name} has {len(value):,} characters; {most:,} is the most.", param=name)
    if is_required and not value:
        raise BadInput(f"{name} is missing.", param=name)
    return value


def number(config: Mapping[str, Any], name: str, *, least: int, most: int, default: int) -> int:
    value = config.get(name, default)
    if value is None:
        value = default
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadInput(f"{name} must be a whole number from {least:,} to {most:,}.", param=name)
    return value


def texts(config: Mapping[str, Any], name: str, *, most: int, longest: int) -> list[str]:
    value = config.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadInput(f"{name} must be a list of texts.", param=name)
    kept = list(dict.fromkeys(one.strip() for one in value if one.strip()))
    if len(kept) > most:
        raise BadInput(f"{name} has {len(kept)} entries; {most} is the most.", param=name)
    if any(len(one) > longest for one in kept):
        raise BadInput(f"An entry of {name} is longer than {longest} characters.", param=name)
    return kept
