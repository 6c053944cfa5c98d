"""How long an answer may get."""

from console.catalog.shapes import PinShape


def most_output(pin: PinShape) -> int:
    """Return the most tokens an answer may have, by its model and by its pin."""
    return min(pin.version.max_output_tokens, pin.max_parameters.get("max_tokens") or pin.version.max_output_tokens)
