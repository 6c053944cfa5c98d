"""JSON schemas from outside, and validation against them: strict, and in bounded time."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from console.core import strict_json
from console.core.bounded_schemas import MOST_STEPS, TooManySteps, counted, counting
from console.core.errors import BadInput

LARGEST_SCHEMA, LARGEST_VALUE = 20_000, 64_000
_DEEPEST = 12
# What lets one small schema or value keep a processor busy, or reach outside.
_REFUSED = {
    "pattern": "regular expressions are not used here; write an enum or a maxLength",
    "patternProperties": "regular expressions are not used here; name the properties",
    "$dynamicRef": "write $ref to a part of this schema",
    "$id": "the schema stands for itself",
    "$schema": "draft 2020-12 is what is read",
}
_COMBINING = frozenset({"allOf", "anyOf", "oneOf", "if", "then", "else"})
_VALUES = frozenset({"enum", "const", "default", "examples", "required", "type"})
_HOLDS_SCHEMAS = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})


class WrongArguments(BadInput):
    """A value that does not fit its schema; the sentence names the place."""

    code = "arguments_do_not_fit"


def check_schema(schema: Any, *, param: str) -> dict[str, Any]:
    """Return a schema of one object, ready to be kept; BadInput says what is wrong with it."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise BadInput(f'{param} must be a JSON schema with "type": "object".', param=param)
    if len(json.dumps(schema, ensure_ascii=False)) > LARGEST_SCHEMA:
        raise BadInput(f"{param} is longer than {LARGEST_SCHEMA:,} characters.", param=param)
    for one, depth in _parts(schema, 0):
        if depth > _DEEPEST:
            raise BadInput(f"{param} nests more than {_DEEPEST} schemas.", param=param)
        for word, instead in _REFUSED.items():
            if word in one:
                raise BadInput(f"{param} uses {word}: {instead}.", param=param)
        ref = one.get("$ref")
        if ref is not None and not (isinstance(ref, str) and ref.startswith("#/$defs/")):
            raise BadInput(
                f"{param} refers to {str(ref)[:80]!r}; only #/$defs/… of the same schema is read.", param=param
            )
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except SchemaError as wrong:
        raise BadInput(f"{param} is not a JSON schema: {wrong.message[:200]}.", param=param) from None
    return schema


def without_patterns(schema: Any) -> Any:
    """Return somebody else's schema without what `check_schema` refuses; it says less, and is safe to check with."""
    if isinstance(schema, list):
        return [without_patterns(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for name, value in schema.items():
        if name in _HOLDS_SCHEMAS and isinstance(value, dict):
            kept[name] = {key: without_patterns(one) for key, one in value.items()}
        elif name not in _REFUSED:
            kept[name] = value if name in _VALUES else without_patterns(value)
    return kept


def check_arguments(schema: Mapping[str, Any], value: Any) -> dict[str, Any]:
    """Return the value if it is an object that fits; fields the schema does not name are refused."""
    if not isinstance(value, dict):
        raise WrongArguments("The arguments must be one JSON object.")
    if len(text := json.dumps(value, ensure_ascii=False)) > LARGEST_VALUE:
        raise WrongArguments(f"The arguments are longer than {LARGEST_VALUE:,} characters.")
    _check_can_be_kept(text)
    # A server's schema may hold what people's may not; it is checked without that.
    validator = counted(jsonschema.Draft202012Validator)(strict(without_patterns(schema)), registry=Registry())
    try:
        with counting():
            wrong = best_match(validator.iter_errors(value))
    except TooManySteps:
        raise WrongArguments(f"Holding this to its schema takes more than {MOST_STEPS:,} steps.") from None
    except (Unresolvable, RecursionError):
        raise WrongArguments("The schema refers to something it does not have.") from None
    if wrong is not None:
        raise WrongArguments(_describe(wrong))
    return value


def _check_can_be_kept(text: str) -> None:
    """Refuse what JSON can spell and a database cannot store; forms do not look for it."""
    try:
        strict_json.loads(text.encode())
    except UnicodeEncodeError:
        raise WrongArguments("The arguments hold half of a surrogate pair, which is no character.") from None
    except BadInput as wrong:
        raise WrongArguments(wrong.message.replace("The body", "The arguments object")) from None


def strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema with every object closed that names properties and does not say what else it takes."""
    closed: dict[str, Any] = _closed(schema)
    if not {"additionalProperties", "unevaluatedProperties"} & closed.keys():
        closed["unevaluatedProperties" if _COMBINING & closed.keys() else "additionalProperties"] = False
    return closed


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept: dict[str, Any] = {}
    is_combined = "properties" in schema and bool(_COMBINING & schema.keys())
    for name, value in schema.items():
        if name in _VALUES or (is_combined and name in _COMBINING):
            kept[name] = value  # a part sees the whole object: closing it would refuse what its neighbours name
        elif name in _HOLDS_SCHEMAS and isinstance(value, Mapping):
            kept[name] = {key: _closed(one) for key, one in value.items()}
        else:
            kept[name] = _closed(value)
    if "properties" in kept and not {"additionalProperties", "unevaluatedProperties"} & kept.keys():
        kept["unevaluatedProperties" if is_combined else "additionalProperties"] = False
    return kept


def _describe(wrong: ValidationError) -> str:
    place = ".".join(str(part) for part in wrong.absolute_path)
    # The library repeats the value, which can be long; what is expected is what helps.
    message = wrong.message if len(wrong.message) <= 300 else f"{wrong.message[:200]}… ({wrong.validator})"
    return f"The argument {place} does not fit: {message}." if place else f"The arguments do not fit: {message}."


def _parts(schema: Any, depth: int) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield every schema inside a schema, itself first. Names of properties are no words of the language."""
    if isinstance(schema, list):
        for one in schema:
            yield from _parts(one, depth)
    if not isinstance(schema, dict) or depth > _DEEPEST + 1:
        return
    yield schema, depth
    for name, value in schema.items():
        if name in _HOLDS_SCHEMAS and isinstance(value, dict):
            for one in value.values():
                yield from _parts(one, depth + 1)
        elif name not in _VALUES:
            yield from _parts(value, depth + 1)
