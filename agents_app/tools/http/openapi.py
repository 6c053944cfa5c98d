"""Read an OpenAPI document (3.0 and 3.1): what operations it has, and each as an HTTP tool. Nothing is called.

The document is a stranger's. It is bounded, its references stay inside it, YAML knows no anchors and no types, and an
operation we cannot make a tool of says why, while the others go on.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urljoin

import yaml

from agents_app.tools import web
from agents_app.tools.http.config import METHODS, SAFE
from agents_app.tools.http.config import checked as checked_config
from agents_app.tools.schemas import LONGEST, NAME, Patience, TooInvolved, resolved, simplified
from console.core import strict_json
from console.core.errors import BadInput

LARGEST, MOST_OPERATIONS = 1024 * 1024, 500
_LONGEST_SERVER = 2_000
_IGNORED_HEADERS = web.FORBIDDEN_HEADERS | {"accept", "content-type"}
_BODY = "body"


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


# The document ---------------------------------------------------------------------------------------------------------


class _Loader(yaml.CSafeLoader):
    """Knows numbers, yes and no as JSON has them: no dates, no `off`, no octal."""

    yaml_implicit_resolvers: dict[str, Any] = {}


for _tag, _expression, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", "n~"),
    ("int", r"-?(?:0|[1-9][0-9]{0,17})", "-0123456789"),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", "-0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_expression})\Z"), list(_first))
_Loader.yaml_implicit_resolvers.setdefault("", []).append(("tag:yaml.org,2002:null", re.compile(r"\Z")))


def read_document(text: str) -> dict[str, Any]:
    """Return a document from JSON or YAML; BadInput says why it cannot be read."""
    if len(text.encode(errors="replace")) > LARGEST:
        raise BadInput("The document is larger than 1 MiB; take out what you do not need.", param="document")
    if text.lstrip()[:1] == "{":
        try:
            document, _ = strict_json.loads(text.encode(errors="surrogatepass"))
        except BadInput as wrong:
            raise BadInput(wrong.message.replace("The body", "The document"), param="document") from None
    else:
        document = _of_yaml(text)
    if not isinstance(document, dict) or not str(document.get("openapi", "")).startswith(("3.0", "3.1")):
        raise BadInput("This is not an OpenAPI document of version 3.0 or 3.1.", param="document")
    if not isinstance(document.get("paths"), dict):
        raise BadInput("The document has no paths, so there is nothing to import.", param="document")
    return document


def _of_yaml(text: str) -> Any:
    try:
        depth = 0
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                raise BadInput("The document uses YAML anchors; write it without them, or as JSON.", param="document")
            # As early as this: each further level makes every token after it dearer to read.
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > strict_json.MAX_DEPTH:
                raise _too_deep()
        return _plain(yaml.load(text, Loader=_Loader), 0)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as wrong:
        mark = getattr(wrong, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise BadInput(f"The document is neither JSON nor YAML{where}.", param="document") from None


def _too_deep() -> BadInput:
    return BadInput(f"The document nests more than {strict_json.MAX_DEPTH} levels.", param="document")


def _plain(value: Any, depth: int) -> Any:
    if depth > strict_json.MAX_DEPTH:
        raise _too_deep()
    if isinstance(value, dict):
        return {_plain(str(key), depth): _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, depth + 1) for inner in value]
    if isinstance(value, str) and "\0" in value:
        raise BadInput("The document holds a NUL character.", param="document")
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInput("The document holds a number too large to be one.", param="document")
    return value if isinstance(value, str | int | float | bool | None) else str(value)


# Its operations -------------------------------------------------------------------------------------------------------


def operations(document: Mapping[str, Any], *, server: str = "", found_at: str = "") -> list[Operation]:
    """Return every operation. `server` stands for the document's own; a relative one is below `found_at`."""
    found: list[Operation] = []
    patience = Patience()
    for path, item in document["paths"].items():
        if len(found) >= MOST_OPERATIONS:
            break
        try:
            item = _resolved(item, document)
        except TooInvolved as involved:
            found.append(_named("ANY", str(path), {}))
            found[-1].trouble = str(involved)
            continue
        for method in METHODS:
            operation = item.get(method.lower())
            if not isinstance(operation, Mapping) or len(found) >= MOST_OPERATIONS:
                continue
            made = _named(method, str(path), operation)
            try:
                _fill(made, document, item, operation, server, found_at, patience)
            except TooInvolved as involved:
                made.trouble = str(involved)
            except BadInput as wrong:
                made.trouble = wrong.message
            found.append(made)
    return _with_own_names(found)


def _resolved(node: Any, document: Mapping[str, Any]) -> Mapping[str, Any]:
    node, _ = resolved(node, document)
    return node if isinstance(node, Mapping) else {}


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _named(method: str, path: str, operation: Mapping[str, Any]) -> Operation:
    name = _text(operation.get("operationId")) or f"{method.lower()} {path}"
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    slug = re.sub(r"[^a-z0-9-]+", "_", words.lower()).strip("_-")[:60].rstrip("_-")
    if not slug[:1].isalpha():
        slug = f"call_{slug}"[:60]
    summary, about = _text(operation.get("summary")), _text(operation.get("description"))
    description = "\n".join(part for part in (summary, about) if part)[:2_000] or f"{method} {path}"
    title = re.sub(r"\s+", " ", summary or name)[:80]
    return Operation(method, path, slug, title if title.isprintable() else slug, description)


def _with_own_names(found: list[Operation]) -> list[Operation]:
    seen: dict[str, int] = {}
    for one in found:
        seen[one.slug] = seen.get(one.slug, 0) + 1
        if seen[one.slug] > 1:
            one.slug = f"{one.slug}_{seen[one.slug]}"
    return found


def _fill(
    made: Operation,
    document: Mapping[str, Any],
    item: Mapping[str, Any],
    operation: Mapping[str, Any],
    server: str,
    found_at: str,
    patience: Patience,
) -> None:
    properties: dict[str, Any] = {}
    required: list[str] = []
    path, query, headers = made.path, [], {}
    for one in _parameters(document, item, operation):
        name, place = _text(one.get("name")), one.get("in")
        is_needed = one.get("required") is True or place == "path"
        if place == "header" and (name.lower() in _IGNORED_HEADERS or not re.fullmatch(r"[A-Za-z0-9-]{1,100}", name)):
            continue
        if place == "cookie" or one.get("content") is not None:
            if is_needed:
                raise TooInvolved(f"it needs {name[:60]!r}, which cannot be an argument")
            continue
        argument = _argument(name, properties)
        schema = simplified(one.get("schema") or {"type": "string"}, document, patience=patience)
        if about := _text(one.get("description")):
            schema = {**schema, "description": about[:2_000]}
        properties[argument] = schema
        if is_needed:
            required.append(argument)
        if place == "path":
            path = path.replace(f"{{{name}}}", f"{{{argument}}}")
        elif place == "query":
            query.append(f"{quote(name, safe='')}={{{argument}}}")
        elif place == "header":
            headers[name] = f"{{{argument}}}"
    body, encoding = (
        _body(document, operation, properties, required, patience) if made.method not in SAFE else (None, "json")
    )
    url = (
        _server(document, item, operation, server, found_at).rstrip("/")
        + path
        + (f"?{'&'.join(query)}" if query else "")
    )
    secret = _secret(document, operation)
    config = {
        "method": made.method,
        "url": url,
        "headers": headers,
        "body": body,
        "encoding": encoding,
        "secret": secret,
    }
    made.config = checked_config(config)
    made.parameters = {"type": "object", "properties": properties, "required": required}
    if len(json.dumps(made.parameters)) > LONGEST:
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


def _argument(name: str, taken: Mapping[str, Any]) -> str:
    """Return a parameter's name as an argument's, its own one."""
    plain = re.sub(r"[^A-Za-z0-9_.$-]", "_", name)[:60] or "value"
    argument, count = plain, 1
    while argument in taken:
        count += 1
        argument = f"{plain}_{count}"
    return argument


def _body(
    document: Mapping[str, Any],
    operation: Mapping[str, Any],
    properties: dict[str, Any],
    required: list[str],
    patience: Patience,
) -> tuple[Any, str]:
    """Add the body's arguments; return the body's shape and how it is sent."""
    body = _resolved(operation.get("requestBody"), document)
    content = body.get("content")
    if not isinstance(content, Mapping) or not content:
        return None, "json"
    types = {str(kind).partition(";")[0].strip().lower(): media for kind, media in content.items()}
    json_type = next((kind for kind in types if kind.endswith(("/json", "+json"))), None)
    form_type = "application/x-www-form-urlencoded"
    kind = json_type or (form_type if form_type in types else None)
    is_needed = body.get("required") is True
    if kind is None:
        if is_needed:
            raise TooInvolved(f"its body is {next(iter(types))[:60]}, which is neither JSON nor a form")
        return None, "json"
    media = types[kind] if isinstance(types[kind], Mapping) else {}
    schema = simplified(media.get("schema") or {}, document, patience=patience)
    inner = schema.get("properties", {})
    is_flat = bool(inner) and not inner.keys() & properties.keys() and all(NAME.fullmatch(name) for name in inner)
    if is_flat and not {"anyOf", "oneOf", "allOf"} & schema.keys():
        properties.update(inner)
        if is_needed:
            required.extend(schema.get("required", []))
        return {name: f"{{{name}}}" for name in inner}, "json" if json_type else "form"
    if not json_type:
        raise TooInvolved("its form has fields that cannot be arguments")
    if _BODY in properties:
        raise TooInvolved("a parameter and its body would have one name")
    properties[_BODY] = schema
    if is_needed:
        required.append(_BODY)
    return f"{{{_BODY}}}", "json"


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


def _server(
    document: Mapping[str, Any], item: Mapping[str, Any], operation: Mapping[str, Any], server: str, found_at: str
) -> str:
    if server:
        return server
    for listed in (operation.get("servers"), item.get("servers"), document.get("servers")):
        if isinstance(listed, list) and listed and isinstance(listed[0], Mapping):
            url = _with_defaults(_text(listed[0].get("url")), listed[0].get("variables"))
            if "://" in url:
                return url
            if found_at:
                return urljoin(found_at, url)
    if found_at:
        return urljoin(found_at, "/")
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
        if kind == "apiKey" and place in {"header", "query"}:
            return {"in": str(place), "name": _text(scheme.get("name")), "prefix": ""}
        if kind == "http" and str(scheme.get("scheme", "")).lower() == "basic":
            return {"in": "basic", "name": "", "prefix": ""}
        if kind in {"http", "oauth2", "openIdConnect"}:
            return {"in": "header", "name": "Authorization", "prefix": "Bearer "}
    return None
