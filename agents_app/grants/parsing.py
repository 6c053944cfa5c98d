"""Parse grants: a tool's name, a mode, and limits of its arguments."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agents_app.tools.schemas import is_number
from console.core.errors import BadInput

ALLOW, ASK, DENY = "allow", "ask", "deny"
EFFECTS = (ALLOW, ASK, DENY)
MOST_GRANTS, MOST_RULES, MOST_VALUES = 64, 32, 100
_TOOL = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RULE_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAMES = frozenset({"tool", "mode", "arguments", "rules", "most_calls", "editable", "digest", "others_approve"})

Constraint = dict[str, Any]
Constraints = dict[str, Constraint]


@dataclass(frozen=True, slots=True)
class Rule:
    """Of all rules whose arguments match, deny is stronger than ask, and ask than allow."""

    id: str
    effect: str
    when: Constraints


@dataclass(frozen=True, slots=True)
class Grant:
    """One tool an agent may call. `others_approve`: not by whoever started the run."""

    tool: str
    mode: str = ""  # empty: ask for what changes something, allow the rest
    arguments: Constraints = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    most_calls: int | None = None
    editable: tuple[str, ...] = ()
    digest: str = ""
    others_approve: bool = False


def grants_of(value: Any) -> dict[str, Grant]:
    """Return checked grants by the name of their tool."""
    return {grant["tool"]: _grant(grant, f"grants.{at}") for at, grant in enumerate(value)}


def check_grants(value: Any) -> list[dict[str, Any]]:
    """Return grants ready to be kept; BadInput names the place at fault."""
    if not isinstance(value, list):
        raise BadInput("grants must be a list.", param="grants")
    if len(value) > MOST_GRANTS:
        raise BadInput(f"An agent may call at most {MOST_GRANTS} tools.", param="grants")
    slugs = set()
    for at, one in enumerate(value):
        grant = _grant(one, f"grants.{at}")
        if grant.tool in slugs:
            raise BadInput(f"The tool {grant.tool!r} is granted twice.", param=f"grants.{at}.tool")
        slugs.add(grant.tool)
    return [dict(one) for one in value]


def _grant(value: Any, at: str) -> Grant:
    if not isinstance(value, dict):
        raise BadInput(f"{at} must be an object.", param=at)
    if unknown := sorted(value.keys() - _NAMES):
        raise BadInput(f"{at} says {unknown[0][:60]!r}; known are {', '.join(sorted(_NAMES))}.", param=at)
    tool, mode, digest = value.get("tool"), value.get("mode", ""), value.get("digest", "")
    if not isinstance(tool, str) or not _TOOL.fullmatch(tool):
        raise BadInput(f"{at}.tool must be the short name of a tool.", param=f"{at}.tool")
    if mode != "" and mode not in EFFECTS:
        raise BadInput(f"{at}.mode must be allow, ask or deny.", param=f"{at}.mode")
    if digest != "" and not (isinstance(digest, str) and _SHA256.fullmatch(digest)):
        raise BadInput(f"{at}.digest must be the SHA-256 of what was reviewed.", param=f"{at}.digest")
    most = value.get("most_calls")
    if most is not None and not _is_count(most):
        raise BadInput(f"{at}.most_calls must be a whole number from 1.", param=f"{at}.most_calls")
    editable = value.get("editable", [])
    if not isinstance(editable, list) or not all(isinstance(one, str) and 0 < len(one) <= 100 for one in editable):
        raise BadInput(f"{at}.editable must be a list of names of arguments.", param=f"{at}.editable")
    others = value.get("others_approve", False)
    if not isinstance(others, bool):
        raise BadInput(f"{at}.others_approve must be true or false.", param=f"{at}.others_approve")
    arguments = _constraints(value.get("arguments", {}), f"{at}.arguments")
    rules = _rules(value.get("rules", []), f"{at}.rules")
    return Grant(tool, mode, arguments, rules, most, tuple(editable), digest, others)


def _rules(value: Any, at: str) -> tuple[Rule, ...]:
    if not isinstance(value, list) or len(value) > MOST_RULES:
        raise BadInput(f"{at} must be a list of at most {MOST_RULES} rules.", param=at)
    found: list[Rule] = []
    for number, one in enumerate(value):
        place = f"{at}.{number}"
        if not isinstance(one, dict) or one.keys() != {"id", "effect", "when"}:
            raise BadInput(f"{place} must say id, effect and when, and nothing else.", param=place)
        if not isinstance(one["id"], str) or not _RULE_ID.fullmatch(one["id"]):
            raise BadInput(f"{place}.id must be up to 40 lower-case letters, digits, - and _.", param=f"{place}.id")
        if one["id"] in {rule.id for rule in found}:
            raise BadInput(f"Two rules are called {one['id']!r}.", param=f"{place}.id")
        if one["effect"] not in EFFECTS:
            raise BadInput(f"{place}.effect must be allow, ask or deny.", param=f"{place}.effect")
        when = _constraints(one["when"], f"{place}.when")
        if not when:
            raise BadInput(f"{place}.when must name an argument; for every call there is mode.", param=f"{place}.when")
        found.append(Rule(one["id"], one["effect"], when))
    return tuple(found)


def _constraints(value: Any, at: str) -> Constraints:
    if not isinstance(value, dict) or len(value) > MOST_VALUES:
        raise BadInput(f"{at} must be an object of names of arguments.", param=at)
    found = {}
    for name, one in value.items():
        place = f"{at}.{name[:60]}"
        if not isinstance(one, dict) or not one:
            raise BadInput(f"{place} must say one of {', '.join(_CHECKS)}.", param=place)
        for word, what in one.items():
            if word not in _CHECKS:
                raise BadInput(f"{place} says {word[:40]!r}; known are {', '.join(_CHECKS)}.", param=place)
            problem = _CHECKS[word](what)
            if problem:
                raise BadInput(f"{place}.{word} must be {problem}.", param=f"{place}.{word}")
        found[name] = dict(one)
    return found


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1_000_000


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and 0 < len(value) <= MOST_VALUES and all(isinstance(v, str) and v for v in value)


_CHECKS: Mapping[str, Any] = {
    "equals": lambda value: "" if _is_plain(value) else "a text, a number, true, false or null",
    "one_of": lambda value: (
        ""
        if isinstance(value, list) and 0 < len(value) <= MOST_VALUES and all(map(_is_plain, value))
        else "a list of plain values"
    ),
    "min": lambda value: "" if is_number(value) else "a number",
    "max": lambda value: "" if is_number(value) else "a number",
    "max_length": lambda value: "" if _is_count(value) else "a whole number from 1",
    "prefix": lambda value: "" if isinstance(value, str) and value else "a text",
    "host": lambda value: "" if _is_texts(value) else "a list of host names",
}
