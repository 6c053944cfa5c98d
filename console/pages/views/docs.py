"""The docs inside the console: a quick start with the installation's address, and the management API."""

import json
import shlex
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.catalog.access import aliases_for
from console.teams.access import SIGNED_IN, needs, scope_of
from console.teams.callers import Caller, TeamRequest
from console.teams.models import Team

# What the examples call where the reader may use no alias yet.
SOME_ALIAS = "assistant"
_METHODS = ("get", "post", "put", "patch", "delete")
# What stands for a value of each kind in an example; everything else is a text.
_VALUES = {"integer": 1, "number": 1, "boolean": True}


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of the reference."""

    id: str
    method: str
    path: str
    summary: str
    text: str
    parameters: tuple[tuple[str, str], ...]
    fields: tuple[tuple[str, str, bool], ...]
    body: str  # a body to begin with, as the shell takes it

    @property
    def copy_target(self) -> str:
        return f"#call-{self.id}"


@needs(SIGNED_IN)
def quick_start(request: TeamRequest) -> HttpResponse:
    team = scope_of(request)
    aliases = _callable_aliases(request.caller, team)
    context = {
        "active": "docs",
        "base_url": own_url(request),
        "alias": aliases[0] if aliases else SOME_ALIAS,
        "aliases": aliases,
        "may_make_keys": request.caller.may("manage_keys"),
    }
    return render(request, "pages/docs/quick_start.html", context)


@needs(SIGNED_IN)
def reference(request: TeamRequest) -> HttpResponse:
    context = {"active": "docs", "base_url": own_url(request), "groups": operations()}
    return render(request, "pages/docs/reference.html", context)


def own_url(request: HttpRequest) -> str:
    """Return the address the reader uses; behind a proxy the one the operator configured, which the outside knows."""
    return settings.BASE_URL if settings.IS_PRODUCTION else f"{request.scheme}://{request.get_host()}"


def _callable_aliases(caller: Caller, team: Team | None) -> list[str]:
    """Return the names the reader's keys can call, `assistant` first."""
    found = aliases_for(caller, team).filter(pins__isnull=False).distinct()
    return sorted(found.values_list("name", flat=True)[:50], key=lambda name: (name != SOME_ALIAS, name))


@lru_cache(maxsize=1)
def operations() -> tuple[tuple[str, tuple[Operation, ...]], ...]:
    """Return the management API's operations by tag, read from its OpenAPI document. Fixed while the process lives."""
    from console.api.manage.installation import document  # loads every serializer, so not before it is needed

    whole, groups = document(), dict[str, list[Operation]]()
    for path, item in sorted(whole["paths"].items()):
        for method in _METHODS:
            if (found := item.get(method)) is None:
                continue
            tag = (found.get("tags") or ["other"])[0]
            groups.setdefault(tag, []).append(_operation(whole, method, path, found))
    return tuple((tag.replace("-", " ").capitalize(), tuple(found)) for tag, found in sorted(groups.items()))


def _operation(document: dict[str, Any], method: str, path: str, found: dict[str, Any]) -> Operation:
    summary, _, text = str(found.get("description", "")).strip().partition("\n")
    return Operation(
        id=found["operationId"],
        method=method.upper(),
        path=path,
        summary=found.get("summary") or summary or found["operationId"].replace("_", " ").capitalize(),
        text=(summary if found.get("summary") else text).strip(),
        parameters=tuple(
            (one["name"], one.get("description", "")) for one in found.get("parameters", []) if one["in"] == "query"
        ),
        fields=_fields(schema := _body_of(document, found.get("requestBody", {}))),
        body=shlex.quote(json.dumps(_example(document, schema), ensure_ascii=False)),
    )


def _body_of(document: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    return _named(document, body.get("content", {}).get("application/json", {}).get("schema", {}))


def _named(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema itself, where another place only names it."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _example(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return what has to be in a body, or its first field if nothing has, with something of the right kind at each."""
    fields = {name: one for name, one in schema.get("properties", {}).items() if not one.get("readOnly")}
    names = [name for name in fields if name in schema.get("required", ())] or list(fields)[:1]
    return {name: _value(document, fields[name]) for name in names}


def _value(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    schema = _named(document, schema)
    if "example" in schema:
        return schema["example"]
    for key in ("allOf", "oneOf", "anyOf"):
        if key in schema:
            return _value(document, schema[key][0])
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "array":
        return [_value(document, schema.get("items", {}))]
    if schema.get("type") == "object":
        return _example(document, schema)
    return _VALUES.get(str(schema.get("type")), "…")


def _fields(schema: dict[str, Any]) -> tuple[tuple[str, str, bool], ...]:
    required = set(schema.get("required", ()))
    return tuple(
        (name, _type_of(one), name in required)
        for name, one in schema.get("properties", {}).items()
        if not one.get("readOnly")
    )


def _type_of(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type_of(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "object")
