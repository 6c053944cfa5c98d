"""Check an argument of a call against the limits of a grant or rule."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from agents_app.grants.parsing import Constraint, Constraints
from agents_app.tools.schemas import is_number


def outside(constraints: Constraints, arguments: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the first argument that is outside, and what was wanted; None when all are within.

    An argument that was left out is outside: what the tool does without it is not what was agreed on.
    """
    for name, constraint in constraints.items():
        if name not in arguments:
            return name, "is missing, and the agent may only call with a certain one"
        if unmet := _unmet(constraint, arguments[name]):
            return name, unmet
    return None


def _unmet(constraint: Constraint, value: Any) -> str:
    """Return what the first word that does not hold wants, empty when all hold."""
    for word, limit in constraint.items():
        if unmet := _WORDS[word](limit, value):
            return unmet
    return ""


def _same(a: Any, b: Any) -> bool:
    """Compare as JSON does: true is not 1, and 1 is 1.0."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return type(a) is type(b) and a == b or (is_number(a) and is_number(b) and a == b)


def _equals(limit: Any, value: Any) -> str:
    return "" if _same(limit, value) else f"must be {limit!r}"


def _one_of(limit: list[Any], value: Any) -> str:
    return (
        "" if any(_same(allowed, value) for allowed in limit) else f"must be one of {', '.join(map(repr, limit[:10]))}"
    )


def _min(limit: float, value: Any) -> str:
    return "" if is_number(value) and value >= limit else f"must be a number of at least {limit}"


def _max(limit: float, value: Any) -> str:
    return "" if is_number(value) and value <= limit else f"must be a number of at most {limit}"


def _max_length(limit: int, value: Any) -> str:
    return "" if isinstance(value, str | list) and len(value) <= limit else f"may be at most {limit} long"


def _prefix(limit: str, value: Any) -> str:
    return "" if isinstance(value, str) and value.startswith(limit) else f"must begin with {limit!r}"


def _host(limit: list[str], value: Any) -> str:
    complaint = f"must be an http address at {', '.join(limit[:10])}"
    # Browsers and libraries disagree about these characters, so an address with one could mean another host.
    if not isinstance(value, str) or any(c in value for c in "\\\t\r\n ") or not value.isprintable():
        return complaint
    try:
        parts = urlsplit(value)
        host = (parts.hostname or "").rstrip(".").lower()
    except ValueError:
        return complaint
    if parts.scheme not in {"http", "https"} or not host or "@" in parts.netloc:
        return complaint
    for allowed in limit:
        allowed = allowed.lower()
        if host == allowed or (allowed.startswith("*.") and host.endswith(allowed[1:])):
            return ""
    return complaint


_WORDS = {
    "equals": _equals,
    "one_of": _one_of,
    "min": _min,
    "max": _max,
    "max_length": _max_length,
    "prefix": _prefix,
    "host": _host,
}
