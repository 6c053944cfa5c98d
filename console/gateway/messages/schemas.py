"""Which schemas OpenAI's `strict` supports; it refuses requests with others."""

from typing import Any

# Words that a schema may not use where it is strict.
_NOT_STRICT = frozenset(
    {
        "allOf",
        "default",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "if",
        "not",
        "oneOf",
        "patternProperties",
        "then",
        "uniqueItems",
    }
)
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_ONE, _SEVERAL, _NAMED = ("items",), ("anyOf",), ("properties", "$defs", "definitions")
_MOST_DEEP = 100


def can_be_strict(schema: Any, depth: int = 0) -> bool:
    """Return whether every object in it lists all it has, and requires all of that."""
    if not isinstance(schema, dict) or depth > _MOST_DEEP or not _NOT_STRICT.isdisjoint(schema):
        return False
    if "format" in schema and not (isinstance(schema["format"], str) and schema["format"] in _FORMATS):
        return False
    if schema.get("type") == "object" or "properties" in schema:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        if schema.get("additionalProperties") is not False or not isinstance(properties, dict):
            return False
        if not isinstance(required, list) or not properties.keys() <= {name for name in required if type(name) is str}:
            return False
    inside = [schema[name] for name in _ONE if name in schema]
    for name in _SEVERAL:
        inside += schema[name] if isinstance(schema.get(name), list) else []
    for name in _NAMED:
        inside += schema[name].values() if isinstance(schema.get(name), dict) else []
    return all(can_be_strict(inner, depth + 1) for inner in inside)
