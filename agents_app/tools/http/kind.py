"""An HTTP request as a tool: arguments fill a template, and the answer is cut to what the model needs."""

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from agents_app.tools import schemas, web
from agents_app.tools.base import Result, ToolCall, ToolFailed, cut
from agents_app.tools.http import config as configuration
from agents_app.tools.http import template
from console.core.errors import BadInput

_REFUSED_UNDONE = frozenset({408, 425, 429})


class Http:
    slug = "http"
    label = "HTTP request"
    icon = "globe"
    sentence = "Call one address of an API: method, URL, headers and body with places for arguments."
    description = ""
    effect = "write"
    is_idempotent = False
    needs_run = False
    unavailable = ""

    def schema(self, config: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        made = schemas.checked(parameters)
        unknown = configuration.used_names(config) - made["properties"].keys()
        if unknown:
            raise BadInput(
                f"The request has a place {{{min(unknown)}}}, which the schema does not describe.",
                param="parameters",
            )
        return made

    def check(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return configuration.checked(config)

    def origin(self, config: Mapping[str, Any]) -> str:
        return web.origin_of(template.PLACE.sub("x", config["url"]))

    async def call(self, call: ToolCall) -> Result:
        config, arguments = call.config, call.arguments
        url = template.url_of(config["url"], arguments)
        headers = template.headers_of(config.get("headers") or {}, arguments)
        method, changes = config["method"], config["method"] not in configuration.SAFE
        body = _body(config, arguments, headers)
        if changes:
            headers["Idempotency-Key"] = str(call.idempotency_key)
        if call.run:
            headers = _without(headers, web.CALLING_RUN) | {web.CALLING_RUN: call.run}
        url, headers = _with_secret(config.get("secret"), call.secret, url, headers)
        answer = await web.exchange(method, url, headers=headers, body=body, seconds=call.seconds, may_change=changes)
        return _result(answer, config.get("pick", ""), call.most_bytes, changes=changes, secret=call.secret)


def _body(config: Mapping[str, Any], arguments: Mapping[str, Any], headers: dict[str, str]) -> bytes | None:
    shape = config.get("body")
    if shape is None:
        return None
    if shape == configuration.REST:
        used = configuration.used_names(config)
        content: Any = {name: value for name, value in arguments.items() if name not in used}
    else:
        content = template.body_of(shape, arguments)
        if content is template.ABSENT:
            return None
    has_type = any(name.lower() == "content-type" for name in headers)
    if config.get("encoding") == "form":
        if not has_type:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        pairs = [(k, v) for k, value in content.items() for v in (value if isinstance(value, list) else [value])]
        return urlencode([(k, template.as_written(v)) for k, v in pairs if v is not None]).encode()
    if not has_type:
        headers["Content-Type"] = "application/json"
    return json.dumps(content, ensure_ascii=False).encode()


def _with_secret(
    place: Mapping[str, str] | None, secret: str, url: str, headers: dict[str, str]
) -> tuple[str, dict[str, str]]:
    """Put the secret where the server wants it; it is in nothing a model, a trace or a log sees."""
    if not place:
        return url, headers
    if not secret:
        raise ToolFailed("This tool's secret is not set. Somebody who builds in its team can set it.")
    if place["in"] == "basic":
        return url, {**headers, "Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
    if place["in"] == "query":
        return f"{url}{'&' if '?' in url else '?'}{place['name']}={quote(secret, safe='')}", headers
    return url, {**_without(headers, place["name"]), place["name"]: f"{place['prefix']}{secret}"}


def _without(headers: Mapping[str, str], name: str) -> dict[str, str]:
    return {one: value for one, value in headers.items() if one.lower() != name.lower()}


def _result(answer: web.Answer, pick: str, most_bytes: int, *, changes: bool, secret: str) -> Result:
    note = f"{answer.status}, {len(answer.body):,} bytes"
    if answer.status in _REFUSED_UNDONE:
        raise ToolFailed(f"The server asks to try again later ({answer.status}).", may_retry=True)
    if answer.status >= 500:
        raise ToolFailed(f"The server answered {answer.status}.", is_unknown=changes, may_retry=not changes)
    if 300 <= answer.status < 400 and answer.status != 304:
        return Result(f"The server answered {answer.status} and leads elsewhere; that is not followed.", True, note)
    if answer.status >= 400:
        said = web.without_secret(_picked(answer, "")[0], secret)
        return Result(cut(f"The server answered {answer.status}.\n{said}", most_bytes), True, note)
    content, is_there = _picked(answer, pick)
    return Result(cut(web.without_secret(content, secret), most_bytes), not is_there, note)


def _picked(answer: web.Answer, pick: str) -> tuple[str, bool]:
    """Return the part of an answer the model reads, and whether it was there."""
    kind = answer.content_type.partition(";")[0].strip().lower()
    if not answer.body:
        return f"(empty answer, {answer.status})", not pick
    if kind.endswith(("/json", "+json")) or pick:
        try:
            value = json.loads(answer.body)
        except (ValueError, RecursionError):
            return answer.text if not pick else "The answer is not JSON, so nothing can be picked from it.", not pick
        try:
            return template.as_written(web.pointed(value, pick)), True
        except RecursionError:  # read, but too deep to be written
            return answer.text, True
        except ToolFailed as nothing:
            return nothing.sentence, False
    if kind.startswith("text/") or kind.endswith(("/xml", "+xml", "/javascript")) or not kind:
        return answer.text, True
    return f"(an answer of type {kind[:80]}, {len(answer.body):,} bytes, which is not text)", True
