"""Hold an answer to a JSON schema that somebody wrote, in bounded time.

A schema is a small program: regular expressions can run for ever, references can lead back to each other and double
at every step, and could point to elsewhere. So patterns are refused, nothing is fetched, and every step is counted.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jsonschema
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

# Expressions of others are not run; and what must not be left over is found by walking all branches, uncounted.
REFUSED = ("pattern", "patternProperties", "unevaluatedItems", "unevaluatedProperties")
_MOST_STEPS = 200_000
# Keywords whose value is one schema, a list of them, or schemas by names that are free.
_ONE = frozenset(
    ["items", "additionalItems", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else"]
)
_SEVERAL = frozenset(["allOf", "anyOf", "oneOf", "prefixItems", "items"])
_NAMED = frozenset(["properties", "$defs", "definitions", "dependentSchemas", "dependencies"])

_Found = Iterator[ValidationError]
_Keyword = Callable[[Any, Any, Any, Any], _Found | None]


class BadSchema(Exception):
    """A schema that cannot be used; says why in one sentence."""


class _TooMuch(Exception):
    pass


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
        found = next(_counted(_kind(schema))(schema, registry=Registry()).iter_errors(answer), None)
    except BadSchema as wrong:
        return f"The schema: {wrong}"
    except _TooMuch:
        return f"The schema takes more than {_MOST_STEPS:,} steps on this answer."
    except (Unresolvable, RecursionError) as error:
        return f"The schema cannot be followed: {str(error)[:200]}."
    return f"{found.json_path}: {found.message[:300]}" if found else ""


def _counted(kind: Any) -> Any:
    """Return a validator that counts its steps and refuses what a reference brought in after all."""
    left = _MOST_STEPS

    def counted(keyword: _Keyword) -> _Keyword:
        def step(validator: Any, value: Any, instance: Any, schema: Any) -> _Found:
            nonlocal left
            left -= 1 + (len(value) if isinstance(value, list | dict) else 0)
            if left < 0:
                raise _TooMuch
            for refused in REFUSED:
                if refused in schema:
                    raise BadSchema(_not_done(refused))
            yield from keyword(validator, value, instance, schema) or ()

        return step

    keywords = {name: counted(keyword) for name, keyword in kind.VALIDATORS.items()}
    if "uniqueItems" in keywords:
        keywords["uniqueItems"] = counted(_unique)
    return extend(kind, keywords)  # type: ignore[no-untyped-call]


def _unique(validator: Any, value: Any, instance: Any, schema: Any) -> _Found:
    """Compare by spelling: comparing each with each takes the square of their number."""
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
