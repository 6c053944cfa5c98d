"""Convert the operations of an OpenAPI document to HTTP tools, without calling anything.

The document is a stranger's: its references stay inside it, and an operation we cannot make a tool of says why,
while the others continue.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urljoin

from agents_app.tools import web
from agents_app.tools.http.config import METHODS, SAFE
from agents_app.tools.http.config import checked as checked_config
from agents_app.tools.schemas import LONGEST, NAME, Patience, TooInvolved, resolved, simplified
from console.core.errors import BadInput

MOST_OPERATIONS = 500
_LONGEST_SERVER = 2_000
_IGNORED_HEADERS = web.FORBIDDEN_HEADERS | {"accept", "content-type"}
_BODY, _FORM = "body", "application/x-www-form-urlencoded"


@dataclass(slots=True)
class Operation:
    """One operation of a document. `trouble` says why it can be no tool; without one, the rest is that tool."""

    method: str
    path: str
    slug: str
    name: str
    description: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    trouble: str = ""

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_read(self) -> bool:
        return self.method in SAFE

    @property
    def origin(self) -> str:
        """Return where it is called, as `https://api.example.com`; nothing of one that can be no tool."""
        return "/".join(str(self.config.get("url", "")).partition("?")[0].split("/")[:3])


@dataclass(frozen=True, slots=True)
class _Source:
    """A document, where its operations are called if it does not say so itself, and where it was found."""

    document: Mapping[str, Any]
    server: str
    found_at: str
    patience: Patience

    def simple(self, schema: Any) -> dict[str, Any]:
        return simplified(schema, self.document, patience=self.patience)


def operations(document: Mapping[str, Any], *, server: str = "", found_at: str = "") -> list[Operation]:
    """Return every operation. `server` stands for the document's own; a relative one is below `found_at`."""
    listed: list[Operation] = []
    source = _Source(document, server, found_at, Patience())
    for path, item in document["paths"].items():
        if len(listed) >= MOST_OPERATIONS:
            break
        try:
            item = _resolved(item, document)
        except TooInvolved as involved:
            listed.append(_operation("ANY", str(path), {}))
            listed[-1].trouble = str(involved)
            continue
        for method in METHODS:
            operation = item.get(method.lower())
            if not isinstance(operation, Mapping) or len(listed) >= MOST_OPERATIONS:
                continue
            parsed = _operation(method, str(path), operation)
            try:
                _fill(parsed, source, item, operation)
            except TooInvolved as involved:
                parsed.trouble = str(involved)
            except BadInput as wrong:
                parsed.trouble = wrong.message
            listed.append(parsed)
    return _with_own_names(listed)


def _resolved(node: Any, document: Mapping[str, Any]) -> Mapping[str, Any]:
    node, _ = resolved(node, document)
    return node if isinstance(node, Mapping) else {}


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Operation:
    name = _text(operation.get("operationId")) or f"{method.lower()} {path}"
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    slug = re.sub(r"[^a-z0-9-]+", "_", words.lower()).strip("_-")[:60].rstrip("_-")
    if not slug[:1].isalpha():
        slug = f"call_{slug}"[:60]
    summary, about = _text(operation.get("summary")), _text(operation.get("description"))
    description = "\n".join(part for part in (summary, about) if part)[:2_000] or f"{method} {path}"
    title = re.sub(r"\s+", " ", summary or name)[:80]
    return Operation(method, path, slug, title if title.isprintable() else slug, description)


def _with_own_names(operations: list[Operation]) -> list[Operation]:
    counts: dict[str, int] = {}
    for operation in operations:
        counts[operation.slug] = counts.get(operation.slug, 0) + 1
        if counts[operation.slug] > 1:
            operation.slug = f"{operation.slug}_{counts[operation.slug]}"
    return operations


class _Arguments:
    """What an operation is called with: the schema of each argument, and its place in the request."""

    def __init__(self, source: _Source, path: str) -> None:
        self.properties: dict[str, Any] = {}
        self.required: list[str] = []
        self.path = path
        self.query: list[str] = []
        self.headers: dict[str, str] = {}
        self._source = source

    def take(self, parameter: Mapping[str, Any]) -> None:
        """Add a parameter; TooInvolved when it is needed and cannot be an argument."""
        name, place = _text(parameter.get("name")), parameter.get("in")
        is_needed = parameter.get("required") is True or place == "path"
        if place == "header" and (name.lower() in _IGNORED_HEADERS or not re.fullmatch(r"[A-Za-z0-9-]{1,100}", name)):
            return
        if place == "cookie" or parameter.get("content") is not None:
            if is_needed:
                raise TooInvolved(f"it needs {name[:60]!r}, which cannot be an argument")
            return
        argument = _argument(name, self.properties)
        schema = simplified(
            parameter.get("schema") or {"type": "string"}, self._source.document, patience=self._source.patience
        )
        if about := _text(parameter.get("description")):
            schema = {**schema, "description": about[:2_000]}
        self.properties[argument] = schema
        if is_needed:
            self.required.append(argument)
        if place == "path":
            self.path = self.path.replace(f"{{{name}}}", f"{{{argument}}}")
        elif place == "query":
            self.query.append(f"{quote(name, safe='')}={{{argument}}}")
        elif place == "header":
            self.headers[name] = f"{{{argument}}}"

    def take_body(self, operation: Mapping[str, Any]) -> tuple[Any, str]:
        """Add the body's arguments; return the body's shape and how it is sent."""
        body = _resolved(operation.get("requestBody"), self._source.document)
        content, is_needed = body.get("content"), body.get("required") is True
        if not isinstance(content, Mapping) or not content:
            return None, "json"
        types = {str(kind).partition(";")[0].strip().lower(): media for kind, media in content.items()}
        json_type = next((kind for kind in types if kind.endswith(("/json", "+json"))), None)
        kind = json_type or (_FORM if _FORM in types else None)
        if kind is None:
            if is_needed:
                raise TooInvolved(f"its body is {next(iter(types))[:60]}, which is neither JSON nor a form")
            return None, "json"
        media = types[kind] if isinstance(types[kind], Mapping) else {}
        schema = self._source.simple(media.get("schema") or {})
        inner = schema.get("properties", {})
        can_be_flat = bool(inner) and not inner.keys() & self.properties.keys() and all(map(NAME.fullmatch, inner))
        if can_be_flat and not {"anyOf", "oneOf", "allOf"} & schema.keys():
            self.properties.update(inner)
            if is_needed:
                self.required.extend(schema.get("required", []))
            return {name: f"{{{name}}}" for name in inner}, "json" if json_type else "form"
        if not json_type:
            raise TooInvolved("its form has fields that cannot be arguments")
        if _BODY in self.properties:
            raise TooInvolved("a parameter and its body would have one name")
        self.properties[_BODY] = schema
        if is_needed:
            self.required.append(_BODY)
        return f"{{{_BODY}}}", "json"


def _fill(target: Operation, source: _Source, item: Mapping[str, Any], operation: Mapping[str, Any]) -> None:
    """Say what tool an operation is; TooInvolved and BadInput say why it is none."""
    if not target.path.startswith("/"):  # `.evil.example/` would make another host of the server's
        raise TooInvolved("its path does not begin with a slash")
    arguments = _Arguments(source, target.path)
    for parameter in _parameters(source.document, item, operation):
        arguments.take(parameter)
    body, encoding = arguments.take_body(operation) if target.method not in SAFE else (None, "json")
    query = f"?{'&'.join(arguments.query)}" if arguments.query else ""
    target.config = checked_config(
        {
            "method": target.method,
            "url": _server(source, item, operation).rstrip("/") + arguments.path + query,
            "headers": arguments.headers,
            "body": body,
            "encoding": encoding,
            "secret": _secret(source.document, operation),
        }
    )
    target.parameters = {"type": "object", "properties": arguments.properties, "required": arguments.required}
    if len(json.dumps(target.parameters)) > LONGEST:
        raise TooInvolved(f"its schemas are longer than {LONGEST:,} characters together")


def _parameters(
    document: Mapping[str, Any], item: Mapping[str, Any], operation: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for listed in (item.get("parameters"), operation.get("parameters")):
        if not isinstance(listed, list):
            continue
        if len(listed) > 100:  # before they are looked at: a thousand operations may have this one list
            raise TooInvolved("it has more than 100 parameters")
        for one in listed:
            one = _resolved(one, document)
            found[str(one.get("in")), str(one.get("name"))] = one
    if len(found) > 100:
        raise TooInvolved("it has more than 100 parameters")
    return list(found.values())


def _argument(name: str, names: Mapping[str, Any]) -> str:
    """Return a parameter's name as an argument's, its own one."""
    plain = re.sub(r"[^A-Za-z0-9_.$-]", "_", name)[:60] or "value"
    argument, count = plain, 1
    while argument in names:
        count += 1
        argument = f"{plain}_{count}"
    return argument


def _with_defaults(url: str, variables: Any) -> str:
    """Return a server's address with the defaults of its variables in place, once: none fills another."""
    if not isinstance(variables, Mapping):
        return url
    parts, size = [], 0
    for part in re.split(r"(\{[^{}]*\})", url):
        one = variables.get(part[1:-1]) if part.startswith("{") else None
        parts.append(str(one.get("default", "")) if isinstance(one, Mapping) else part)
        size += len(parts[-1])
        if size > _LONGEST_SERVER:
            raise TooInvolved("its server's address is too long")
    return "".join(parts)


def _below(found_at: str, url: str) -> str:
    try:
        return urljoin(found_at, url)
    except ValueError:  # such as `//[`
        raise BadInput(f"{url[:60]!r} is no address of a server.", param="server") from None


def _server(source: _Source, item: Mapping[str, Any], operation: Mapping[str, Any]) -> str:
    if source.server:
        return source.server
    for listed in (operation.get("servers"), item.get("servers"), source.document.get("servers")):
        if isinstance(listed, list) and listed and isinstance(listed[0], Mapping):
            url = _with_defaults(_text(listed[0].get("url")), listed[0].get("variables"))
            if "://" in url:
                return url
            if source.found_at:
                return _below(source.found_at, url)
    if source.found_at:
        return urljoin(source.found_at, "/")
    raise BadInput("The document does not say where its server is; write its address.", param="server")


def _secret(document: Mapping[str, Any], operation: Mapping[str, Any]) -> dict[str, str] | None:
    """Return where a secret goes, of the first way to sign in that needs just one."""
    ways = operation.get("security", document.get("security"))
    components = _resolved(document.get("components"), document)
    schemes = _resolved(components.get("securitySchemes"), document)
    for way in ways if isinstance(ways, list) else []:
        if not isinstance(way, Mapping) or len(way) != 1:
            continue
        scheme = _resolved(schemes.get(next(iter(way))), document)
        kind, place = scheme.get("type"), scheme.get("in")
        if kind == "apiKey" and place in ("header", "query"):  # no set: a document may say a list
            return {"in": str(place), "name": _text(scheme.get("name")), "prefix": ""}
        if kind == "http" and str(scheme.get("scheme", "")).lower() == "basic":
            return {"in": "basic", "name": "", "prefix": ""}
        if kind in ("http", "oauth2", "openIdConnect"):
            return {"in": "header", "name": "Authorization", "prefix": "Bearer "}
    return None
