"""JSON schemas of arguments: those people write are checked, those of documents and servers are made simple.

A schema is read by models and decides what is refused, so it has a small vocabulary. `pattern` is not in it: a regular
expression from outside can keep a worker busy for as long as its author likes.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from console.core import strict_json
from console.core.errors import BadInput

TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_WORDS = frozenset({"title", "description", "format"})
_NUMBERS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_COUNTS = frozenset({"minLength", "maxLength", "minItems", "maxItems"})
_LISTS = frozenset({"anyOf", "oneOf", "allOf"})
_KNOWN = (
    _WORDS
    | _NUMBERS
    | _COUNTS
    | _LISTS
    | {"type", "properties", "required", "items", "enum", "const", "default", "additionalProperties", "uniqueItems"}
)
# What a value may be, which is taken as it is.
_VALUES = frozenset({"enum", "const", "default"})
# And what is said another way in OpenAPI 3.0.
_READ = _KNOWN | {"nullable"}
NAME = re.compile(r"[A-Za-z0-9_.$-]{1,64}")
DEEPEST, MOST_NODES, LONGEST, MOST_TOGETHER = 10, 500, 40_000, 100_000
EMPTY: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


def checked(schema: Any) -> dict[str, Any]:
    """Return the schema of a tool's arguments as it is kept; BadInput says where it is at fault."""
    if not schema:
        return dict(EMPTY)
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise _wrong('must describe an object: {"type": "object", "properties": {…}}', "")
    if len(written := json.dumps(schema)) > LONGEST:
        raise _wrong(f"is longer than {LONGEST:,} characters", "")
    nodes = _Count()
    _check(schema, "", 0, nodes)
    strict_json.typed(written, "parameters")  # a call could not send it otherwise
    return {"properties": {}, **schema, "additionalProperties": False}


class _Count:
    """How many parts were looked at, and how many letters their values have."""

    def __init__(self) -> None:
        self.seen = self.followed = self.letters = 0

    def one_more(self) -> bool:
        self.seen += 1
        return self.seen <= MOST_NODES

    def values(self, value: Any) -> None:
        """Count what is taken over as it is, each time it is: one long value can be referred to from everywhere."""
        self.letters += len(json.dumps(value))
        if self.letters > LONGEST:
            raise TooInvolved(_TOO_LONG)


def example_of(schema: Mapping[str, Any], text: str = "") -> dict[str, Any]:
    """Return the names of the arguments with a value to write over."""
    blank = {"string": text, "integer": 0, "number": 0, "boolean": False, "array": [], "object": {}}
    properties = schema.get("properties", {})
    needed = schema.get("required") or list(properties)[:3]
    made = {}
    for name in needed:
        one = properties.get(name, {})
        kind = one.get("type", "string")
        made[name] = one["enum"][0] if one.get("enum") else blank.get(kind if isinstance(kind, str) else kind[0])
    return made


def _wrong(fault: str, path: str) -> BadInput:
    return BadInput(f"The schema of the arguments{f' at {path}' if path else ''} {fault}.", param="parameters")


def _check(schema: Any, path: str, depth: int, nodes: _Count) -> None:
    if not isinstance(schema, dict):
        raise _wrong("must be an object", path)
    if depth > DEEPEST or not nodes.one_more():
        raise _wrong(f"nests more than {DEEPEST} levels or has more than {MOST_NODES} parts", path)
    for word, value in schema.items():
        if word not in _KNOWN:
            hint = "; use enum, or a rule of the grant" if word == "pattern" else ""
            raise _wrong(f"uses {str(word)[:40]!r}, which is not supported{hint}", path)
        _CHECKS.get(word, _anything)(value, f"{path}.{word}" if path else word)
    for name, inner in schema.get("properties", {}).items():
        if not NAME.fullmatch(name):
            raise _wrong(f"names {name[:60]!r}; names have letters, digits, _ . $ and -", path)
        _check(inner, f"{path}.{name}" if path else name, depth + 1, nodes)
    for word in ("items", "additionalProperties"):
        if word in schema and not isinstance(schema[word], bool):
            _check(schema[word], f"{path}.{word}" if path else word, depth + 1, nodes)
    for word in _LISTS & schema.keys():
        for inner in schema[word]:
            _check(inner, f"{path}.{word}" if path else word, depth + 1, nodes)
    missing = set(schema.get("required", ())) - set(schema.get("properties", {}))
    if missing:
        raise _wrong(f"requires {min(missing)[:60]!r}, which is not among its properties", path)


def _anything(value: Any, path: str) -> None:
    return None


def _must(is_right: Callable[[Any], bool], fault: str) -> Callable[[Any, str], None]:
    def check(value: Any, path: str) -> None:
        if not is_right(value):
            raise _wrong(f"must be {fault}", path)

    return check


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_type(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return 0 < len(names) <= len(TYPES) and all(isinstance(name, str) and name in TYPES for name in names)


_CHECKS: dict[str, Callable[[Any, str], None]] = {
    "type": _must(_is_type, f"one of {', '.join(sorted(TYPES))}"),
    "properties": _must(lambda v: isinstance(v, dict), "an object"),
    "required": _must(
        lambda v: isinstance(v, list) and len(v) <= MOST_NODES and all(isinstance(n, str) for n in v),
        f"a list of {MOST_NODES} names at most",
    ),
    "enum": _must(lambda v: isinstance(v, list) and 0 < len(v) <= 500, "a list of 1 to 500 values"),
    "uniqueItems": _must(lambda v: isinstance(v, bool), "true or false"),
    "additionalProperties": _must(lambda v: isinstance(v, bool | dict), "true, false or a schema"),
    "items": _must(lambda v: isinstance(v, bool | dict), "a schema"),
    **dict.fromkeys(_WORDS, _must(lambda v: isinstance(v, str) and len(v) <= 2_000, "a text")),
    **dict.fromkeys(_NUMBERS, _must(is_number, "a number")),
    **dict.fromkeys(_COUNTS, _must(lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= 0, "a count")),
    **dict.fromkeys(_LISTS, _must(lambda v: isinstance(v, list) and 0 < len(v) <= 50, "a list of schemas")),
}


_LONGEST_REF = 1_000
_TOO_LONG = f"its schema is longer than {LONGEST:,} characters"


class TooInvolved(Exception):
    """A schema from outside that is too deep, too large, goes in circles or points elsewhere."""


class Patience:
    """How much is still looked at of many schemas together: a thousand references to a large one are a few letters."""

    def __init__(self) -> None:
        self.left = MOST_TOGETHER


def simplified(
    schema: Any, document: Mapping[str, Any] | None = None, *, patience: Patience | None = None
) -> dict[str, Any]:
    """Return a schema from outside in our vocabulary, with its local `$ref`s in place; what we do not know is dropped.

    Raises TooInvolved. Nothing is fetched: a reference to another document is one of its reasons. `patience` is that
    for all the schemas that were read with it.
    """
    root, nodes, patience = schema if document is None else document, _Count(), patience or Patience()
    if patience.left < 0:
        raise TooInvolved("the schemas before it took too long to read; take out what you do not need")
    try:
        simple = _simple(schema, root if isinstance(root, Mapping) else {}, 0, nodes, ())
    finally:
        patience.left -= nodes.seen + nodes.followed
    if len(text := json.dumps(simple)) > LONGEST:
        raise TooInvolved(_TOO_LONG)
    try:
        strict_json.loads(text.encode())
    except BadInput as wrong:  # NUL, half of a surrogate pair, numbers no other program reads alike
        raise TooInvolved(wrong.message.replace("The body", "its schema").rstrip(".")) from None
    return simple


def resolved(node: Any, root: Mapping[str, Any], refs: tuple[str, ...] = ()) -> tuple[Any, tuple[str, ...]]:
    """Return what a node stands for, and the references followed to get there."""
    while isinstance(node, Mapping) and isinstance(ref := node.get("$ref"), str):
        if not ref.startswith("#/") and ref != "#":
            raise TooInvolved("it refers to another document")
        if len(ref) > _LONGEST_REF:  # it is followed again wherever it stands
            raise TooInvolved("its references are too long")
        if ref in refs:
            raise TooInvolved("its schema goes in circles")
        if len(refs) >= 20:
            raise TooInvolved("its references are too deep")
        refs = (*refs, ref)
        node = _at(root, ref)
    return node, refs


def _too_many() -> TooInvolved:
    return TooInvolved(f"its schema nests more than {DEEPEST} levels or has more than {MOST_NODES} parts")


def _at(root: Any, ref: str) -> Any:
    for part in ref.removeprefix("#").removeprefix("/").split("/"):
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(root, Mapping) and part in root:
            root = root[part]
        elif isinstance(root, list) and part.isdecimal() and len(part) < 10 and int(part) < len(root):
            root = root[int(part)]
        elif part:
            raise TooInvolved(f"it refers to {ref[:100]!r}, which is not there")
    return root


def _simple(node: Any, root: Mapping[str, Any], depth: int, nodes: _Count, refs: tuple[str, ...]) -> dict[str, Any]:
    if depth > DEEPEST or not nodes.one_more():
        raise _too_many()
    beside = {k: v for k, v in node.items() if k in _WORDS} if isinstance(node, Mapping) and "$ref" in node else {}
    before = len(refs)
    node, refs = resolved(node, root, refs)
    nodes.followed += sum(1 + len(ref) // 20 for ref in refs[before:])
    if not isinstance(node, Mapping):
        return {}
    node = {word: node[word] for word in _READ if word in node} | beside
    simple: dict[str, Any] = {}
    for word in _KNOWN & node.keys():
        value = node[word]
        if word in _WORDS and isinstance(value, str):
            simple[word] = value[:2_000]
        elif word == "properties" and isinstance(value, Mapping):
            if len(value) > MOST_NODES:  # also of names that are left out
                raise _too_many()
            simple[word] = {
                name: _simple(inner, root, depth + 1, nodes, refs)
                for name, inner in value.items()
                if isinstance(name, str) and NAME.fullmatch(name)
            }
        elif word in {"items", "additionalProperties"} and isinstance(value, Mapping):
            simple[word] = _simple(value, root, depth + 1, nodes, refs)
        elif word in _LISTS and isinstance(value, list):
            simple[word] = [_simple(inner, root, depth + 1, nodes, refs) for inner in value]
        elif word not in _LISTS | _WORDS and _fits(word, value):
            if word in _VALUES:
                nodes.values(value)
            simple[word] = value
    if "required" in simple:
        simple["required"] = [name for name in simple["required"] if name in simple.get("properties", {})]
    return _as_of_today(node, simple)


def _as_of_today(node: Mapping[str, Any], simple: dict[str, Any]) -> dict[str, Any]:
    """Say what OpenAPI 3.0 says with true the way JSON schemas say it now."""
    if node.get("nullable") is True and isinstance(simple.get("type"), str):
        simple["type"] = [simple["type"], "null"]
    for bound in ("Minimum", "Maximum"):
        if node.get(f"exclusive{bound}") is True and bound.lower() in simple:
            simple[f"exclusive{bound}"] = simple.pop(bound.lower())
    return simple


def _fits(word: str, value: Any) -> bool:
    try:
        _CHECKS.get(word, _anything)(value, word)
    except BadInput:
        return False
    return True


def of_arguments(schema: Any, patience: Patience | None = None) -> dict[str, Any]:
    """Return a schema from outside as that of a tool's arguments: an object that takes nothing it does not name."""
    made = simplified(schema, patience=patience)
    made["type"] = "object"
    return {"properties": {}, **made, "additionalProperties": False}
