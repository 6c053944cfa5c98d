"""Validate a value against a JSON schema from outside in bounded time.

A schema is a small program: references can lead back to each other and double at every level of the value, and to
compare each item of a list with each takes the square of their number. So every step is counted, one too many raises.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

MOST_STEPS = 200_000

_Found = Iterator[ValidationError]
_Keyword = Callable[[Any, Any, Any, Any], _Found | None]
_left: ContextVar[list[int]] = ContextVar("left")


class TooManySteps(Exception):
    """A value cannot be held to its schema in bounded time."""


class RefusedKeyword(Exception):
    """A reference brought in a keyword that is not used here; carries its name."""


@contextmanager
def counting() -> Iterator[None]:
    """Count the steps of `counted` validators from here on; TooManySteps is raised inside."""
    token = _left.set([MOST_STEPS])
    try:
        yield
    finally:
        _left.reset(token)


@cache
def counted(kind: Any, refused: tuple[str, ...] = ()) -> Any:
    """Return a validator like another, for use while `counting`."""

    def step_of(keyword: _Keyword) -> _Keyword:
        def step(validator: Any, value: Any, instance: Any, schema: Any) -> _Found:
            left = _left.get()
            left[0] -= 1 + (len(value) if isinstance(value, list | dict) else 0)
            if left[0] < 0:
                raise TooManySteps
            for name in refused:
                if name in schema:
                    raise RefusedKeyword(name)
            yield from keyword(validator, value, instance, schema) or ()

        return step

    keywords = {name: step_of(keyword) for name, keyword in kind.VALIDATORS.items()}
    if "uniqueItems" in keywords:
        keywords["uniqueItems"] = step_of(_unique)
    return extend(kind, keywords)  # type: ignore[no-untyped-call]


def _unique(validator: Any, value: Any, instance: Any, schema: Any) -> _Found:
    """Compare by spelling, which takes each item once."""
    if value and validator.is_type(instance, "array"):
        spelled = [json.dumps(_plain(one), sort_keys=True) for one in instance]
        if len(set(spelled)) < len(spelled):
            yield ValidationError("two of its items are the same")


def _plain(value: Any) -> Any:
    """Return a value in which 1 and 1.0 are spelled alike, as JSON Schema reads them."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return {name: _plain(one) for name, one in value.items()} if isinstance(value, dict) else value
