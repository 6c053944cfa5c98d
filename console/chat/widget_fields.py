"""The fields of a widget, validated one by one, for the page, the management API and services."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from console.chat.embed import origins
from console.chat.embed.colours import HEX
from console.chat.embed.limits import DEFAULTS, MOST
from console.chat.embed.texts import LANGUAGES
from console.chat.models import Position, Widget
from console.core import texts
from console.core.errors import BadInput

FIELDS = (
    "name",
    "title",
    "greeting",
    "colour",
    "position",
    "suggested_questions",
    "language",
    "origins",
    "limits",
    "needs_identity",
)
COST = "cost_day_micros"
LIMIT_TITLES = {
    "visitor_minute": "Messages a minute, each visitor",
    "visitor_day": "Messages a day, each visitor",
    "network_minute": "Messages a minute, each network",
    "network_day": "Messages a day, each network",
    "widget_day": "Messages a day, all together",
    "message_characters": "Longest message, in characters",
    "tokens_day": "Tokens a day, each visitor",
    COST: "Cost a day, all together",
}
LONGEST_NAME, LONGEST_GREETING = 80, 500
MOST_QUESTIONS, LONGEST_QUESTION = 6, 200
MOST_ORIGINS = 50
_LOCAL = re.compile(r"(.+\.)?localhost|127\.0\.0\.1|::1")
# A widget without a limit of these would answer nobody, which is what disabling it is for.
_MAY_BE_NOTHING = frozenset({COST})


def fields_of(widget: Widget) -> dict[str, Any]:
    return {name: getattr(widget, name) for name in FIELDS}


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given fields, ready to be kept; BadInput names the one at fault. What is not given is left out."""
    unknown = sorted(fields.keys() - set(FIELDS))
    if unknown:
        raise BadInput(f"{unknown[0][:60]!r} is not part of a widget.", param=unknown[0][:60])
    return {name: _CHECKS[name](value) for name, value in fields.items()}


def check_origin(text: str) -> str:
    """Return an origin as browsers write it, or say what about it is none."""
    shown = f"“{text[:80]}”"
    if "*" in text:
        raise BadInput(f"{shown} has a placeholder; name every host by itself.", param="origins")
    if "://" not in text:
        scheme = "http" if text.startswith(("localhost", "127.0.0.1")) else "https"
        raise BadInput(f"{shown} lacks its scheme; write {scheme}://{text[:80]} .", param="origins")
    origin = origins.normal(text)
    if not origin:
        raise BadInput(
            f"{shown} is not an origin. Write scheme, host and, where it is not the usual one, port, and nothing"
            " behind them: https://shop.example",
            param="origins",
        )
    parts = urlsplit(origin)
    if parts.scheme == "http" and not _LOCAL.fullmatch(parts.hostname or ""):
        raise BadInput(f"{shown} is not encrypted; http is for localhost only. Use https.", param="origins")
    return origin


def _colour(value: Any) -> str:
    if not isinstance(value, str) or not HEX.fullmatch(value.strip()):
        raise BadInput("Write the colour as # and six hexadecimal digits: #0b6074", param="colour")
    return value.strip().lower()


def _choice(name: str, value: Any, choices: Sequence[str]) -> str:
    if value not in choices:
        raise BadInput(f"{name} must be one of {', '.join(choices)}.", param=name)
    return str(value)


def _texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(one, str) for one in value):
        raise BadInput(f"{name} must be a list of texts.", param=name)
    return [one.strip() for one in value if one.strip()]


def _questions(value: Any) -> list[str]:
    name = "suggested_questions"
    kept = list(dict.fromkeys(texts.line(one, name, most=LONGEST_QUESTION) for one in _texts(name, value)))
    if len(kept) > MOST_QUESTIONS:
        raise BadInput(f"A widget suggests at most {MOST_QUESTIONS} questions.", param=name)
    return kept


def _origins(value: Any) -> list[str]:
    kept = list(dict.fromkeys(check_origin(one) for one in _texts("origins", value)))
    if len(kept) > MOST_ORIGINS:
        raise BadInput(f"A widget is on at most {MOST_ORIGINS} origins; make another one for more.", param="origins")
    return kept


def _limits(value: Any) -> dict[str, int]:
    """Return a widget's own limits; those it says nothing about, or null, are the usual ones."""
    if not isinstance(value, Mapping):
        raise BadInput("limits must be an object.", param="limits")
    for name, limit in value.items():
        if name not in DEFAULTS:
            known = ", ".join(DEFAULTS)
            raise BadInput(f"{str(name)[:60]!r} is not a limit; known are {known}.", param=f"limits.{str(name)[:60]}")
        least = 0 if name in _MAY_BE_NOTHING else 1
        is_number = isinstance(limit, int) and not isinstance(limit, bool)
        if limit is not None and not (is_number and least <= limit <= MOST[name]):
            raise BadInput(f"{name} must be a whole number from {least} to {MOST[name]:,}.", param=f"limits.{name}")
    return {name: limit for name, limit in value.items() if limit is not None}


def _needs_identity(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadInput("needs_identity must be true or false.", param="needs_identity")
    return value


_CHECKS = {
    "name": lambda value: texts.line(value, "name", most=LONGEST_NAME, is_required=True),
    "title": lambda value: texts.line(value, "title", most=LONGEST_NAME),
    "greeting": lambda value: texts.text(value, "greeting", most=LONGEST_GREETING),
    "colour": _colour,
    "position": lambda value: _choice("position", value, Position.values),
    "suggested_questions": _questions,
    "language": lambda value: _choice("language", value, list(LANGUAGES)),
    "origins": _origins,
    "limits": _limits,
    "needs_identity": _needs_identity,
}
