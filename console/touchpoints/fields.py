"""Validate a place that is not on Facet, for the form, a list and the JSON API."""

import re
from collections.abc import Mapping
from typing import Any

from console.core.errors import BadInput
from console.touchpoints.models import Expected, Kind, Status
from usage_app import amounts
from usage_app.models import Metric

LONGEST = {"name": 120, "place": 300, "model": 200, "owner": 120, "notes": 2000, "purpose": 300}
_CHOICES: dict[str, type[Kind] | type[Expected] | type[Status]] = {
    "kind": Kind,
    "expected": Expected,
    "status": Status,
}
_MOST_MICROS = 10**15


def choice(name: str, text: str) -> str:
    """Return the value of one of the lists that a person wrote in their way: `Real-time` is `real_time`."""
    kinds = _CHOICES[name]
    wanted = re.sub(r"[\s_-]", "", text).casefold()
    for value in kinds.values:
        if value.replace("_", "") == wanted:
            return str(value)
    known = ", ".join(str(label).lower() for label in kinds.labels)
    raise BadInput(f"{text[:40]!r} is not one of {known}.", param=name)


def spend(text: str) -> int | None:
    """Return what is spent a month in micro-units; None where nobody said."""
    if not text.strip():
        return None
    try:
        micros = amounts.parse(Metric.COST, text)
    except ValueError as said:
        raise BadInput(f"{text[:40]!r} is no amount. {said}", param="spend") from None
    return _checked_spend(micros)


def _checked_spend(micros: int) -> int:
    if not 0 <= micros <= _MOST_MICROS:
        raise BadInput("Spend a month is nothing or more, and a billion at most.", param="spend")
    return micros


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields as they are kept, refusing by its name what cannot be."""
    kept: dict[str, Any] = {}
    for name, value in fields.items():
        if name in LONGEST:
            text = str(value).replace("\r\n", "\n").strip()
            if "\0" in text:
                raise BadInput(f"{name} holds a character that cannot be stored.", param=name)
            if len(text) > LONGEST[name]:
                raise BadInput(f"{name} is {len(text):,} characters long; {LONGEST[name]:,} at most.", param=name)
            kept[name] = text
        elif name in _CHOICES:
            text = str(value).strip()
            kept[name] = choice(name, text) if text or name != "expected" else ""
        elif name == "spend_micros":
            kept[name] = None if value is None else _checked_spend(value)
        else:
            raise BadInput(f"{name!r} is no field of a touchpoint.", param=name)
    if kept.get("name") == "":
        raise BadInput("Give it a name.", param="name")
    return kept
