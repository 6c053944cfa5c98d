"""Text in the four forms of the wire format: a string, strings, a token list, token lists."""

from typing import Any

from console.core.errors import BadInput

MOST = 2048
_MOST_TOKENS = 1_000_000
_LARGEST_TOKEN = 2**31 - 1


def check(value: Any, *, param: str) -> None:
    if isinstance(value, str) and value:
        return
    if not isinstance(value, list) or not value:
        raise BadInput(f"{param} must be a text, a list of texts, a list of tokens, or a list of those.", param=param)
    if is_tokens(value):
        _tokens(value, param)
        return
    if len(value) > MOST:
        raise BadInput(f"{param} may hold {MOST:,} entries; this one has {len(value):,}.", param=param)
    for place, item in enumerate(value):
        if isinstance(item, list) and item:
            _tokens(item, f"{param}[{place}]")
        elif not isinstance(item, str) or not item:
            raise BadInput(
                f"Each entry of {param} must be a text or a list of tokens, and not empty.", param=f"{param}[{place}]"
            )
    if len({type(item) for item in value}) > 1:
        raise BadInput(f"{param} mixes texts and token lists; send one kind at a time.", param=param)


def is_tokens(value: Any) -> bool:
    """Return whether a prompt is one list of tokens; decided by its first entry, as `check` makes sure of the rest."""
    return isinstance(value, list) and bool(value) and type(value[0]) is int


def _tokens(value: list[Any], param: str) -> None:
    if len(value) > _MOST_TOKENS:
        raise BadInput(f"{param} has more than {_MOST_TOKENS:,} tokens.", param=param)
    if not all(type(token) is int and 0 <= token <= _LARGEST_TOKEN for token in value):
        raise BadInput(f"{param} must hold whole numbers only, each a token of the model's vocabulary.", param=param)


def count(value: Any) -> int:
    """Return how many prompts a checked value holds."""
    return len(value) if isinstance(value, list) and not is_tokens(value) else 1


def tokens_in(value: Any) -> int | None:
    """Return the exact number of tokens of a checked value in tokens; None when it is text."""
    if is_tokens(value):
        return len(value)
    if isinstance(value, list) and isinstance(value[0], list):
        return sum(len(item) for item in value)
    return None
