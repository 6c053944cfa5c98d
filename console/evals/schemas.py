"""Validate an answer against a JSON schema from outside, in bounded time.

A schema is a small program: regular expressions can run forever, references can lead back to each other and double
at every step, and could point to elsewhere. So patterns are refused, nothing is fetched, and every step is counted.
"""

import json
from collections.abc import Mapping
from typing import Any

import jsonschema
from jsonschema.exceptions import SchemaError
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from console.core.bounded_schemas import MOST_STEPS, RefusedKeyword, TooManySteps, counted, counting

# Expressions of others are not run; and what must not be left over is found by walking all branches, uncounted.
REFUSED = ("pattern", "patternProperties", "unevaluatedItems", "unevaluatedProperties")
# Keywords whose value is one schema, a list of them, or schemas by names that are free.
_ONE = frozenset(
    ["items", "additionalItems", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else"]
)
_SEVERAL = frozenset(["allOf", "anyOf", "oneOf", "prefixItems", "items"])
_NAMED = frozenset(["properties", "$defs", "definitions", "dependentSchemas", "dependencies"])


class BadSchema(Exception):
    """A schema that cannot be used; says why in one sentence."""


def check(text: str) -> None:
    """Refuse what is no schema, or one that asks for what is not done here."""
    try:
        schema = json.loads(text)
    except ValueError:
        raise BadSchema("the schema is not JSON.") from None
    except RecursionError:
        raise BadSchema("the schema is nested too deep.") from None
    if not isinstance(schema, dict):
        raise BadSchema("a schema is an object.")
    try:
        if refused := _refused(schema):
            raise BadSchema(_not_done(refused))
        _kind(schema).check_schema(schema)
    except SchemaError as error:
        raise BadSchema(f"{error.message[:200]}.") from None
    except RecursionError:
        raise BadSchema("the schema is nested too deep.") from None


def _not_done(keyword: str) -> str:
    what = "regular expressions are not run here" if "pattern" in keyword else "it cannot be held to in bounded time"
    return f"{keyword} is not supported: {what}. Use enum, const, minLength or properties, or a check of its own."


def _kind(schema: Mapping[str, Any]) -> Any:
    return validator_for(schema, default=jsonschema.Draft202012Validator)


def _refused(schema: Any) -> str:
    """Return the first refused keyword where keywords stand; as a property's name the same word is fine."""
    if not isinstance(schema, dict):
        return ""
    for name, value in schema.items():
        if name in REFUSED:
            return str(name)
        inside: list[Any] = []
        if name in _NAMED and isinstance(value, dict):
            inside = list(value.values())
        elif name in _SEVERAL and isinstance(value, list):
            inside = value
        elif name in _ONE:
            inside = [value]
        for one in inside:
            if found := _refused(one):
                return found
    return ""


def problem(text: str, output: str) -> str:
    """Return what keeps an answer from fitting a schema, empty when it fits."""
    try:
        answer = json.loads(output)
    except (ValueError, RecursionError):
        return "The answer is not JSON."
    schema = json.loads(text)
    try:
        with counting():
            found = next(counted(_kind(schema), REFUSED)(schema, registry=Registry()).iter_errors(answer), None)
    except RefusedKeyword as refused:
        return f"The schema: {_not_done(str(refused))}"
    except TooManySteps:
        return f"The schema takes more than {MOST_STEPS:,} steps on this answer."
    except (Unresolvable, RecursionError) as error:
        return f"The schema cannot be followed: {str(error)[:200]}."
    return f"{found.json_path}: {found.message[:300]}" if found else ""
