"""Limits of the length of answers."""

from typing import Any

from console.catalog.shapes import PinShape

NAMES = ("max_tokens", "max_completion_tokens")


def most_output(pin: PinShape) -> int:
    """Return the most tokens an answer may have, by its model and by its pin, which may call them by either name."""
    if not pin.max_parameters:
        return pin.version.max_output_tokens
    limits = [int(pin.max_parameters[name]) for name in NAMES if name in pin.max_parameters]
    return min(pin.version.max_output_tokens, *limits) if limits else pin.version.max_output_tokens


def at_most(parameters: dict[str, Any], pin: PinShape) -> dict[str, Any]:
    """Return a prompt's own parameters, held to the most the pin allows.

    A caller who asks for too much is told; who names a prompt asked for nothing, and the pin may have changed since.
    """
    most = pin.max_parameters
    return {name: min(value, most[name]) if name in most else value for name, value in parameters.items()}
