"""Declared variables, and validation of a caller's values."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from console.core import strict_json
from console.core.errors import BadInput
from prompts_app.errors import WrongVariables
from prompts_app.text.parse import NAME
from prompts_app.text.plain import check_plain

TYPES = ("text", "number", "choice", "json")
MOST = 100
_LONGEST_CHOICE = 200
_LONGEST = 200_000
Declared = list[dict[str, Any]]
_NAME = re.compile(r"(?<!\\)\{\{[ \t]*([A-Za-z_][A-Za-z0-9_]{0,59})[ \t]*\}\}")


def names_of(text: str) -> list[str]:
    """Return the variables of a text that may not be readable yet, in the order they appear."""
    return _NAME.findall(text)


def _is_finite(value: float) -> bool:
    """Return whether a number is one that every reader of JSON knows, too."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _text_of(declared: Mapping[str, Any], value: Any) -> str:
    """Return a value as it stands in the text; ValueError says what was expected."""
    kind = declared["type"]
    if kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            raise ValueError("must be a number")
        return str(value)
    if kind == "json":
        try:
            return json.dumps(value, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise ValueError("must be a JSON value") from None
    if not isinstance(value, str):
        raise ValueError("must be text")
    if kind == "choice" and value not in declared["choices"]:
        raise ValueError(f"must be one of {', '.join(declared['choices'])}")
    return value


def check_values(declared: Iterable[Mapping[str, Any]], values: Mapping[str, Any]) -> dict[str, str]:
    """Return every declared variable as text. Raises WrongVariables with all that is missing, unknown or wrong."""
    found: dict[str, str] = {}
    missing, wrong = [], {}
    names = set()
    for one in declared:
        name = one["name"]
        names.add(name)
        value = values.get(name)
        if value is None and not (name in values and one["type"] == "json"):
            if one.get("default") is not None:
                value = one["default"]
            elif one.get("is_required", True):
                missing.append(name)
                continue
            else:
                found[name] = ""
                continue
        try:
            found[name] = _text_of(one, value)
        except ValueError as error:
            wrong[name] = str(error)
    unknown = values.keys() - names
    if missing or unknown or wrong:
        raise WrongVariables(missing=missing, unknown=unknown, wrong=wrong)
    return found


def values_from_texts(declared: Iterable[Mapping[str, Any]], typed: Mapping[str, str]) -> dict[str, Any]:
    """Return what somebody typed into a form as values; what cannot be read stays text, for `check_values` to refuse.

    Empty fields are left out, so that defaults apply.
    """
    types = {one["name"]: one["type"] for one in declared}
    found: dict[str, Any] = {}
    for name, text in typed.items():
        if not text:
            continue
        found[name] = text
        if types.get(name) in {"number", "json"}:
            try:
                found[name] = strict_json.typed(text, "it")
            except BadInput as wrong:
                if types[name] == "json":
                    raise WrongVariables(wrong={name: f"must be a JSON value: {wrong.message}"}) from None
    return found


def example_values(declared: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return values to preview with: the example, else the default, else something of the right type."""
    found: dict[str, Any] = {}
    for one in declared:
        value = one.get("example")
        if value is None:
            value = one.get("default")
        if value is None:
            value = {"number": 1, "choice": (one.get("choices") or [""])[0], "json": {}}.get(one["type"], one["name"])
        found[one["name"]] = value
    return found


def _check_one(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise BadInput("Each variable is an object with name and type.", param="variables")
    name = raw.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise BadInput(f"{str(name)[:60]!r} cannot be a variable's name.", param="variables")
    unknown = sorted(set(raw) - {"name", "type", "is_required", "default", "example", "choices"})
    if unknown:
        raise BadInput(f"{unknown[0][:60]!r} is not a field of a variable.", param=f"variables.{name}")
    kind = raw.get("type", "text")
    if kind not in TYPES:
        raise BadInput(f"{name}: type must be one of {', '.join(TYPES)}.", param=f"variables.{name}.type")
    required = raw.get("is_required", True)
    if not isinstance(required, bool):
        raise BadInput(f"{name}: is_required must be true or false.", param=f"variables.{name}.is_required")
    choices = raw.get("choices") or []
    if not isinstance(choices, list) or not all(isinstance(c, str) and 0 < len(c) <= _LONGEST_CHOICE for c in choices):
        raise BadInput(f"{name}: choices must be a list of texts.", param=f"variables.{name}.choices")
    if (kind == "choice") != bool(choices):
        raise BadInput(
            f"{name}: a choice needs choices, and only a choice has them.", param=f"variables.{name}.choices"
        )
    kept = {"name": name, "type": kind, "is_required": required, "choices": list(dict.fromkeys(choices))}
    for field in ("default", "example"):
        value = raw.get(field)
        if value is not None:
            try:
                _text_of(kept, value)
            except ValueError as error:
                raise BadInput(f"{name}: the {field} {error}.", param=f"variables.{name}.{field}") from None
        kept[field] = value
    check_plain(kept, f"{name}: what is declared", param=f"variables.{name}")
    return kept


def check_declared(declared: Any, used: Iterable[str]) -> Declared:
    """Return the declarations in one spelling. A variable the text uses and nobody declared is a required text."""
    if not isinstance(declared, list | tuple):
        raise BadInput("variables is a list of objects with name and type.", param="variables")
    if len(declared) > MOST:
        raise BadInput(f"A prompt has at most {MOST} variables; this has {len(declared)}.", param="variables")
    kept = [_check_one(raw) for raw in declared]
    names = [one["name"] for one in kept]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise BadInput(f"The variable {twice} is declared twice.", param="variables")
    known = set(names)
    kept += [_check_one({"name": name}) for name in used if name not in known]
    if len(kept) > MOST:
        raise BadInput(f"A prompt has at most {MOST} variables; this has {len(kept)}.", param="variables")
    if len(json.dumps(kept)) > _LONGEST:
        raise BadInput(
            f"What is declared of the variables is longer than {_LONGEST:,} characters; shorten examples and defaults.",
            param="variables",
        )
    return kept
