"""The places arguments may fill: path segments, query values, header values, the body. Never scheme, host or port."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from agents_app.tools.base import ToolFailed

PLACE = re.compile(r"\{([A-Za-z0-9_.$-]{1,64})\}")
_WHOLE = re.compile(r"\{([A-Za-z0-9_.$-]{1,64})\}\Z")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*\Z")


def names_in(value: Any) -> set[str]:
    """Return the arguments a template speaks of, in texts at any depth."""
    if isinstance(value, str):
        return set(PLACE.findall(value))
    if isinstance(value, Mapping):
        return {name for inner in value.values() for name in names_in(inner)}
    return {name for inner in value for name in names_in(inner)} if isinstance(value, list) else set()


def as_written(value: Any) -> str:
    """Return an argument as a text: what JSON writes, but for texts themselves."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _filled(template: str, arguments: Mapping[str, Any], *, is_encoded: bool) -> str | None:
    """Return the text with its places filled once; None when an argument it speaks of is not given."""
    if any(arguments.get(name) is None for name in PLACE.findall(template)):
        return None

    def fill(match: re.Match[str]) -> str:
        text = as_written(arguments[match[1]])
        return quote(text, safe="") if is_encoded else text

    return PLACE.sub(fill, template)


def url_of(template: str, arguments: Mapping[str, Any]) -> str:
    """Return the URL of a call. A value stays inside the segment or the query value it fills."""
    address, _, query = template.partition("?")
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    segments = []
    for segment in path.split("/"):
        filled = _filled(segment, arguments, is_encoded=True)
        if filled is None:
            raise ToolFailed(f"The argument {PLACE.findall(segment)[0]!r} is missing.")
        if PLACE.search(segment) and filled in {"", ".", ".."}:
            raise ToolFailed(f"The argument {PLACE.findall(segment)[0]!r} cannot be empty, '.' or '..'.")
        segments.append(filled)
    pairs = [pair for part in query.split("&") if part for pair in _pairs(part, arguments)]
    return f"{scheme}://{host}{slash}{'/'.join(segments)}" + (f"?{'&'.join(pairs)}" if pairs else "")


def _pairs(part: str, arguments: Mapping[str, Any]) -> list[str]:
    """Return a query's pair filled: none without its argument, several for a list."""
    name, _, value = part.partition("=")
    whole = _WHOLE.match(value)
    if whole and isinstance(arguments.get(whole[1]), list):
        return [f"{name}={quote(as_written(argument), safe='')}" for argument in arguments[whole[1]]]
    filled = _filled(value, arguments, is_encoded=True)
    return [] if filled is None else [f"{name}={filled}" if value else part]


def headers_of(templates: Mapping[str, str], arguments: Mapping[str, Any]) -> dict[str, str]:
    made = {}
    for name, template in templates.items():
        filled = _filled(template, arguments, is_encoded=False)
        if filled is None:
            continue
        if len(filled) > 4_000 or not _HEADER_VALUE.match(filled):
            raise ToolFailed(f"The header {name} cannot be sent: write one line of plain letters.")
        made[name] = filled
    return made


def body_of(template: Any, arguments: Mapping[str, Any]) -> Any:
    """Return a body: a text that is one place takes the argument as it is; what is not given is left out."""
    if isinstance(template, str):
        if whole := _WHOLE.match(template):
            return arguments.get(whole[1], ABSENT)
        filled = _filled(template, arguments, is_encoded=False)
        return ABSENT if filled is None else filled
    if isinstance(template, Mapping):
        made = {name: body_of(inner, arguments) for name, inner in template.items()}
        return {name: inner for name, inner in made.items() if inner is not ABSENT}
    if isinstance(template, list):
        return [made for inner in template if (made := body_of(inner, arguments)) is not ABSENT]
    return template


ABSENT = object()
