"""How long an answer may get."""

from console.catalog.shapes import PinShape

NAMES = ("max_tokens", "max_completion_tokens")


def most_output(pin: PinShape) -> int:
    """Return the most tokens an answer may have, by its model and by its pin, which may call them by either name."""
    limits = [int(pin.max_parameters[name]) for name in NAMES if name in pin.max_parameters]
    return min(pin.version.max_output_tokens, *limits) if limits else pin.version.max_output_tokens
