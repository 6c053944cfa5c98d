"""JSON schemas as Anthropic's models can be held to them. Others can be held to more, so what is more is told instead.

A schema only gets narrower by this, but for the limits it tells: whoever answers by the new one should check those.
"""

from typing import Any

import orjson

# Limits that no model there is held to. What a schema is made of otherwise, and is not known there, is left for the
# provider to refuse by its name: without it the answer would be another one.
_LIMITS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
)
_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
_ONE, _SEVERAL, _NAMED = ("items", "additionalProperties"), ("anyOf", "allOf"), ("properties", "$defs", "definitions")
_MOST_DEEP = 100
# What the schemas of all strict tools of a request may come to; beyond, Anthropic refuses the request.
_MOST_TOOLS, _MOST_OPTIONAL, _MOST_UNIONS = 20, 24, 16

Schema = dict[str, Any]


def narrowed(schema: Schema) -> Schema:
    """Return the schema with its limits in descriptions, and objects that have what they list and nothing else."""
    return _narrowed(schema, set(), 0)


def limits_of(schema: Any) -> set[str]:
    """Return the names of what this schema says that a model is told, and not held to."""
    limits: set[str] = set()
    if isinstance(schema, dict):
        _narrowed(schema, limits, 0)
    return limits


def strict_places(tools: Any) -> set[int]:
    """Return the places of a chat completion's tools that are strict there: from the first on, as many as may be."""
    places: set[int] = set()
    optional = unions = 0
    for place, tool in enumerate(tools if isinstance(tools, list) else ()):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not function.get("strict"):
            continue
        of_this = _sizes(function.get("parameters"), 0)
        if (
            len(places) < _MOST_TOOLS
            and optional + of_this[0] <= _MOST_OPTIONAL
            and unions + of_this[1] <= _MOST_UNIONS
        ):
            places.add(place)
            optional, unions = optional + of_this[0], unions + of_this[1]
    return places


def _sizes(schema: Any, depth: int) -> tuple[int, int]:
    """Return how many properties of a schema are optional, and how many of its parts may be of several types."""
    if depth > _MOST_DEEP or not isinstance(schema, dict | list):
        return 0, 0
    inside = [_sizes(value, depth + 1) for value in (schema.values() if isinstance(schema, dict) else schema)]
    optional, unions = sum(size[0] for size in inside), sum(size[1] for size in inside)
    if isinstance(schema, dict):
        properties, required = schema.get("properties"), schema.get("required")
        if isinstance(properties, dict):
            named = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
            optional += len(properties.keys() - named)
        unions += isinstance(schema.get("anyOf") or schema.get("oneOf") or schema.get("type"), list)
    return optional, unions


def _narrowed(schema: Schema, told: set[str], depth: int) -> Schema:
    if depth > _MOST_DEEP:
        return schema
    limits = {name: schema[name] for name in _LIMITS if name in schema}
    if schema.get("minItems") not in (None, 0, 1):
        limits["minItems"] = schema["minItems"]
    if isinstance(schema.get("format"), str) and schema["format"] not in _FORMATS:
        limits["format"] = schema["format"]
    if isinstance(schema.get("pattern"), str) and _looks_around(schema["pattern"]):
        limits["pattern"] = schema["pattern"]
    told.update(limits)
    narrow = {name: value for name, value in schema.items() if name not in limits}
    if limits:
        words = ", ".join(f"{name}: {orjson.dumps(value).decode()}" for name, value in limits.items())
        described = narrow.get("description")
        narrow["description"] = f"{described} ({words})" if isinstance(described, str) and described else words
    if isinstance(narrow.get("oneOf"), list) and "anyOf" not in narrow:
        narrow["anyOf"] = narrow.pop("oneOf")
        narrow.pop("discriminator", None)

    def inner(value: Any) -> Any:
        return _narrowed(value, told, depth + 1) if isinstance(value, dict) else value

    for name in _ONE:
        if name in narrow:
            narrow[name] = inner(narrow[name])
    for name in _SEVERAL:
        if isinstance(narrow.get(name), list):
            narrow[name] = [inner(value) for value in narrow[name]]
    for name in _NAMED:
        if isinstance(narrow.get(name), dict):
            narrow[name] = {key: inner(value) for key, value in narrow[name].items()}
    if narrow.get("properties") and narrow.get("additionalProperties", True) is True:
        narrow["additionalProperties"] = False
    return narrow


def _looks_around(pattern: str) -> bool:
    """Return whether a pattern has what is not understood there: looking around, edges of words, groups again."""
    return any(sign in pattern for sign in ("(?=", "(?!", "(?<", "\\b", "\\B")) or any(
        f"\\{digit}" in pattern for digit in "123456789"
    )
