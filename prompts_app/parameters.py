"""The default parameters of a version, which the pin's and the caller's override."""

import json
from typing import Any

from console.core.errors import BadInput
from prompts_app.text import plain

_NUMBERS = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "presence_penalty": (-2.0, 2.0),
    "frequency_penalty": (-2.0, 2.0),
}
_WHOLE = {
    "max_tokens": (1, 10_000_000),
    "max_completion_tokens": (1, 10_000_000),
    "top_k": (0, 100_000),
    "seed": (-(2**63), 2**63 - 1),
}
_TEXTS = ("reasoning_effort", "verbosity")
KNOWN = (*_NUMBERS, *_WHOLE, *_TEXTS, "stop", "response_format")
_LONGEST = 20_000


def _problem(name: str, value: Any) -> str:
    """Return what is wrong with a parameter, empty when nothing is."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in _NUMBERS:
        least, most = _NUMBERS[name]
        return "" if is_number and least <= value <= most else f"must be a number from {least:g} to {most:g}"
    if name in _WHOLE:
        low, high = _WHOLE[name]
        is_fine = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return "" if is_fine else f"must be a whole number from {low:,} to {high:,}"
    if name in _TEXTS:
        return "" if isinstance(value, str) and 0 < len(value) <= 40 else "must be a word"
    if name == "stop":
        stops = [value] if isinstance(value, str) else value
        is_fine = isinstance(stops, list) and 1 <= len(stops) <= 4 and all(isinstance(s, str) and s for s in stops)
        return "" if is_fine else "must be a text or a list of up to four"
    is_fine = isinstance(value, dict) and isinstance(value.get("type"), str)
    return "" if is_fine else "must be an object with a type"


def check_parameters(parameters: Any) -> dict[str, Any]:
    """Return the parameters; BadInput names the first that cannot be one."""
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise BadInput("parameters is an object.", param="parameters")
    for name, value in parameters.items():
        if name not in KNOWN:
            raise BadInput(
                f"{str(name)[:60]!r} is not a parameter of a prompt; known are {', '.join(KNOWN)}.",
                param=f"parameters.{str(name)[:60]}",
            )
        if problem := plain.problem(value) or _problem(name, value):
            raise BadInput(f"{name} {problem}.", param=f"parameters.{name}")
    if len(json.dumps(parameters)) > _LONGEST:
        raise BadInput(f"The parameters are longer than {_LONGEST:,} characters.", param="parameters")
    return dict(parameters)
