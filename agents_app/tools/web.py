"""Calls of other people's servers, for every kind that makes some: by the one client, within size and time."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from agents_app.tools.base import ToolFailed, within
from console import outbound
from console.core.errors import BadInput, ProviderError
from console.outbound import Deadlines
from console.outbound.guard import check_url

LARGEST = 5 * 1024 * 1024
# On whose behalf this is asked. A console that starts a run for it knows how deep agents call each other.
CALLING_RUN = "X-Facet-Run"
_CONNECT, _SILENCE = 10.0, 30.0
# Ours to say, or of one hop only, or who somebody is: no argument and no fixed header says them.
FORBIDDEN_HEADERS = frozenset(
    {
        *("host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade"),
        *("proxy-authorization", "proxy-authenticate", "proxy-connection", "expect", "accept-encoding", "user-agent"),
        *("authorization", "cookie", "cookie2", "set-cookie", "forwarded", "via", "x-forwarded-for"),
        *("x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-real-ip", "idempotency-key", "x-facet-run"),
    }
)
# Encodings of text. Python knows others under such a name, some of which take minutes for a large body.
_CHARSET = re.compile(
    r"utf-?8|utf-?16(?:-?[bl]e)?|(?:us-)?ascii|latin-?1|(?:iso-8859-|windows-|cp)\d{1,4}|koi8-[ru]|euc-(?:jp|kr)"
    r"|shift_jis|iso-2022-jp|gb(?:k|2312|18030)|big5"
)
# What is shorter stands in many words by chance.
_SHORTEST_SECRET = 6
# Nothing was sent yet.
_BEFORE = frozenset({"upstream_unreachable", "address_refused", "upstream_tls", "too_many_connections"})


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content_type: str
    body: bytes
    retry_after: str

    @property
    def text(self) -> str:
        """Return the body as text; bytes that are none are shown as marks."""
        _, _, said = self.content_type.lower().partition("charset=")
        charset = said.split(";")[0].strip(" \"'")
        try:
            return self.body.decode(charset if _CHARSET.fullmatch(charset) else "utf-8", errors="replace")
        except LookupError:
            return self.body.decode(errors="replace")


def without_secret(text: str, secret: str) -> str:
    """Return what a server said without the secret it was asked with, in each spelling it can come back in."""
    secrets = {secret, secret.partition(":")[2], base64.b64encode(secret.encode()).decode()}
    for one in sorted((one for one in secrets if len(one) >= _SHORTEST_SECRET), key=len, reverse=True):
        for spelling in (one, json.dumps(one)[1:-1], quote(one, safe="")):
            text = text.replace(spelling, "[secret]")
    return text


def origin_of(url: str) -> str:
    """Return scheme, host and port in one spelling: a secret belongs to these."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{(parts.hostname or '').rstrip('.').lower()}:{port}"


def checked_address(url: str, param: str) -> str:
    """Return an address Facet may call, without question mark; BadInput names `param` otherwise."""
    try:
        check_url(url, is_tool=True)
    except BadInput as refused:
        raise BadInput(refused.message, param=param) from None
    return url


def failure(error: ProviderError, *, may_have_happened: bool) -> ToolFailed:
    """Return what a model may hear of trouble on the way; of who answered it hears nothing."""
    is_before = error.code in _BEFORE
    more = " Ask for less of it." if error.code == "upstream_too_large" else ""
    return ToolFailed(
        outbound.sentence(error, "the server") + more,
        is_unknown=may_have_happened and not is_before,
        may_retry=not error.permanent and (is_before or not may_have_happened),
    )


async def exchange(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    seconds: float,
    may_change: bool,
    limit: int = LARGEST,
    is_tool: bool = True,
) -> Answer:
    """Send one request and read its whole answer; ToolFailed when there is none. Redirects are answers.

    `may_change`: the request may have had its effect although no answer came. `is_tool` is False for an address of the
    deployment's own settings.
    """
    deadlines = Deadlines(min(_CONNECT, seconds), min(_SILENCE, seconds))
    try:
        async with within(seconds):
            reply = await outbound.request(
                method, url, headers=headers, deadlines=deadlines, body=body, is_tool=is_tool
            )
            try:
                content = await reply.read(limit)
            finally:
                reply.close()
    except ProviderError as error:
        raise failure(error, may_have_happened=may_change) from None
    except TimeoutError:
        raise ToolFailed("The server took too long.", is_unknown=may_change, may_retry=not may_change) from None
    return Answer(reply.status, reply.content_type, content, reply.retry_after)


def pointed(value: Any, pointer: str) -> Any:
    """Return what a JSON pointer names; ToolFailed when the answer has nothing there."""
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and len(part) < 10 and int(part) < len(value):
            value = value[int(part)]
        else:
            raise ToolFailed(f"The answer has nothing at {pointer}.")
    return value
