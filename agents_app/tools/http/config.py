"""Validate the configuration of an HTTP tool, field by field, without calling anything."""

import re
from collections.abc import Mapping
from typing import Any

from agents_app.tools import config_fields, web
from agents_app.tools.http.template import PLACE, names_in
from console.core.errors import BadInput

FIELDS = ("method", "url", "headers", "body", "encoding", "secret", "pick")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
SAFE = frozenset({"GET", "HEAD"})
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}\Z")
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*\Z")
_SECRET_FIELDS = {"in", "name", "prefix"}
REST = "rest"  # as `body`: every argument that fills nothing else


def checked(config: Mapping[str, Any]) -> dict[str, Any]:
    config_fields.only(config, FIELDS)
    method = config_fields.text(config, "method", most=10, default="GET").upper()
    if method not in METHODS:
        raise BadInput(f"{method[:10]!r} is not a method; choose one of {', '.join(METHODS)}.", param="method")
    # Said nothing of it, a request that has a body carries what fills no place; a null says there is none.
    body = config.get("body", None if method in SAFE or method == "DELETE" else REST)
    if body == "":
        body = None
    if body not in (None, REST) and not isinstance(body, dict | list) and not _is_place(body):
        raise BadInput(f"body must be empty, {REST!r}, {{name}}, or JSON with places for arguments.", param="body")
    if method in SAFE and body is not None:
        raise BadInput(f"A {method} has no body; put the arguments into the URL.", param="body")
    encoding = config_fields.text(config, "encoding", most=10, default="json") or "json"
    if encoding not in {"json", "form"}:
        raise BadInput("encoding must be json or form.", param="encoding")
    if encoding == "form" and (isinstance(body, list) or _is_place(body)):
        raise BadInput("A form has names and values; write the body as an object.", param="body")
    pick = config_fields.text(config, "pick", most=300)
    if not _POINTER.match(pick):
        raise BadInput("pick must be a JSON pointer, such as /data/items.", param="pick")
    return {
        "method": method,
        "url": _url(config),
        "headers": _headers(config.get("headers") or {}),
        "body": body,
        "encoding": encoding,
        "secret": _secret(config.get("secret")),
        "pick": pick,
    }


def _is_place(body: Any) -> bool:
    """Return whether the body is one argument, as it is."""
    return isinstance(body, str) and PLACE.fullmatch(body) is not None


def _url(config: Mapping[str, Any]) -> str:
    url = config_fields.text(config, "url", most=2_000, is_required=True)
    if "#" in url:
        raise BadInput("The URL must not have a # part.", param="url")
    address, _, query = url.partition("?")
    host = address.partition("://")[2].partition("/")[0]
    if "{" in host or "}" in host or "{" in address.partition("://")[0]:
        raise BadInput("Arguments cannot fill the host; they fill path segments and query values.", param="url")
    web.checked_address(PLACE.sub("x", address), "url")
    for part in query.split("&"):
        if PLACE.search(part.partition("=")[0]):
            raise BadInput("Arguments cannot name query parameters; they fill their values.", param="url")
    plain = PLACE.sub("", url)
    if "{" in plain or "}" in plain:
        raise BadInput("The URL has a brace that is no place for an argument; write {name}.", param="url")
    if not re.fullmatch(r"[\x21-\x7e]*", plain) or any(c in plain for c in '<>"^`|\\'):
        raise BadInput("The URL holds characters that must be percent-encoded.", param="url")
    if any(segment in {".", ".."} for segment in address.split("/")):
        raise BadInput("The URL's path must not have . or .. in it.", param="url")
    return url


def _headers(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > 30:
        raise BadInput("headers must be an object of at most 30 names and values.", param="headers")
    for name, said in value.items():
        if not _HEADER.match(name) or not isinstance(said, str) or len(said) > 1_000:
            raise BadInput(f"{name[:60]!r} cannot be a header.", param="headers")
        if name.lower() in web.FORBIDDEN_HEADERS:
            why = "give the secret in its own field" if name.lower() in {"authorization", "cookie"} else "it is ours"
            raise BadInput(f"The header {name} cannot be set: {why}.", param="headers")
        if not re.fullmatch(r"[\t\x20-\x7e]*", said):
            raise BadInput(f"The value of {name} must be one line of plain letters.", param="headers")
    if len({name.lower() for name in value}) != len(value):
        raise BadInput("A header is named twice.", param="headers")
    return dict(value)


def _secret(value: Any) -> dict[str, str] | None:
    """Return where the tool's secret is put: a header, a query parameter, or basic authentication (user:password)."""
    if not value:
        return None
    if (
        not isinstance(value, dict)
        or set(value) - _SECRET_FIELDS
        or value.get("in") not in ("header", "query", "basic")
    ):
        raise BadInput("secret must be {in: header, query or basic, name, prefix}.", param="secret")
    place, name = value["in"], config_fields.text(value, "name", most=100)
    prefix = value.get("prefix") or ""
    if place == "basic":
        return {"in": "basic", "name": "", "prefix": ""}
    if not name:
        what = "header" if place == "header" else "parameter of the query"
        raise BadInput(f"Name the {what} the secret is sent in.", param="secret.name")
    if place == "header" and (not _HEADER.match(name) or _is_kept(name)):
        raise BadInput(f"The secret cannot be sent in a header {name[:60]!r}.", param="secret.name")
    if place == "query" and not re.fullmatch(r"[A-Za-z0-9_.~-]{1,100}", name):
        raise BadInput(f"The secret cannot be sent as a parameter {name[:60]!r}.", param="secret.name")
    if not isinstance(prefix, str) or not re.fullmatch(r"[\x20-\x7e]{0,40}", prefix):
        raise BadInput("What stands before the secret is up to 40 plain letters.", param="secret.prefix")
    return {"in": place, "name": name, "prefix": prefix}


def _is_kept(name: str) -> bool:
    return name.lower() in web.FORBIDDEN_HEADERS - {"authorization", "cookie"}


def used_names(config: Mapping[str, Any]) -> set[str]:
    """Return the arguments that fill a place."""
    body = config["body"] if config.get("body") != REST else None
    return names_in(config["url"]) | names_in(config.get("headers") or {}) | names_in(body)
