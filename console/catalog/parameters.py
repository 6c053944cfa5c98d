"""The call parameters that a pin may set or limit, and their allowed values."""

import math
from dataclasses import dataclass
from typing import Any

from console.core.errors import BadInput


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number from `low` to `high`, or one of `choices`. `is_bounded`: a pin may say the most a call may ask for."""

    low: float = 0
    high: float = 0
    is_whole: bool = False
    is_bounded: bool = True
    choices: tuple[str, ...] = ()


_TOKENS = 100_000_000
KNOWN: dict[str, Parameter] = {
    "temperature": Parameter(0, 2),
    "top_p": Parameter(0, 1),
    "max_tokens": Parameter(1, _TOKENS, is_whole=True),
    "max_completion_tokens": Parameter(1, _TOKENS, is_whole=True),
    "n": Parameter(1, 128, is_whole=True),
    "frequency_penalty": Parameter(-2, 2),
    "presence_penalty": Parameter(-2, 2),
    "seed": Parameter(-(2**63), 2**63 - 1, is_whole=True, is_bounded=False),
    "dimensions": Parameter(1, 100_000, is_whole=True, is_bounded=False),
    "reasoning_effort": Parameter(is_bounded=False, choices=("none", "minimal", "low", "medium", "high", "xhigh")),
}


def check_parameters(default: dict[str, Any], most: dict[str, Any]) -> None:
    """Refuse names we do not know, values out of their range, and defaults above what a call may ask for."""
    for name, value in default.items():
        _check(name, value, field="default_parameters")
    for name, value in most.items():
        _check(name, value, field="max_parameters")
        if not KNOWN[name].is_bounded:
            raise BadInput(f"{name} has no most; set it as a default instead.", param="max_parameters")
        if name in default and default[name] > value:
            raise BadInput(f"The default of {name} ({default[name]}) is above its most ({value}).", param=name)


def _check(name: str, value: Any, *, field: str) -> None:
    known = KNOWN.get(name)
    if known is None:
        raise BadInput(f"{name!r} is not a parameter a pin can set; choose from {', '.join(KNOWN)}.", param=field)
    if known.choices:
        if value not in known.choices:
            raise BadInput(f"{name} is one of {', '.join(known.choices)}, not {value!r}.", param=name)
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or (known.is_whole and value != int(value)):
        raise BadInput(f"{name} is a {'whole ' if known.is_whole else ''}number, not {value!r}.", param=name)
    if not known.low <= value <= known.high:
        raise BadInput(f"{name} goes from {known.low:,} to {known.high:,}; {value} does not.", param=name)
