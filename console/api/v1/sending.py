"""Send answers under /v1/: headers, errors in the client's format, and whole bodies."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import orjson

from console.api.v1.request import Headers, Request
from console.api.v1.server import WHOLE_ANSWER, header_lines
from console.core.errors import ProviderError, Refusal
from console.core.installation import own_version

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = (b"content-type", b"application/json")
_ALWAYS = (
    (b"openai-version", b"2020-10-01"),
    (b"x-facet-release", own_version().encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)


_LINES = header_lines([JSON, *_ALWAYS])


def own_lines(request: Request) -> bytes:
    """Lines of a head that every answer under /v1/ has, and each its own."""
    request_line = b"x-request-id: req_%032x\r\n" % request.id.int  # its public id, without three calls for it
    return request_line + request_line.removeprefix(b"x-") if request.speaks_messages else request_line


def headers_in(lines: bytes) -> Headers:
    """Return lines of a head as headers, for who takes no lines."""
    pairs = (line.split(b": ", 1) for line in lines.split(b"\r\n")[:-1])
    return [(name, value) for name, value in pairs]


def common_headers(request: Request) -> Headers:
    """Headers of every answer under /v1/."""
    return [*headers_in(own_lines(request)), *_ALWAYS]


def dropped_header(names: Sequence[str]) -> Headers:
    """Return what tells a caller which fields of the request went no further; empty if none."""
    return [(b"x-facet-dropped-fields", ", ".join(names).encode())] if names else []


def error_body(message: str, *, kind: str, code: str, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


# The words of Anthropic's wire format. What is busy is 529 there, whoever is busy.
_THEIR_WORDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


# Their clients have no code to know this case by, and shorten the conversation when they read this.
_TOO_LONG = "prompt is too long"


def said_to(request: Request, status: int, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return status and body of an error in the shape the client of this route knows."""
    return their_error(status, body["error"], request.public_id) if request.speaks_messages else (status, body)


def their_error(status: int, error: dict[str, Any], request_id: str) -> tuple[int, dict[str, Any]]:
    """Return status and body of an error as Anthropic says it. `error` is one of OpenAI's shape, without its frame."""
    status = 529 if status == 503 else status
    kind = _THEIR_WORDS.get(status, "invalid_request_error" if status < 500 else "api_error")
    param = error["param"]
    message = f"{param}: {error['message']}" if param and param not in error["message"] else error["message"]
    if error["code"] == "context_length_exceeded" and _TOO_LONG not in message:
        message = f"{_TOO_LONG}: {message}"
    shown = {"type": kind, "message": message}
    if "details" in error:
        shown["details"] = error["details"]
    return status, {"type": "error", "error": shown, "request_id": request_id}


async def send_json(send: Send, request: Request, status: int, body: bytes, headers: Headers) -> None:
    await send_whole(send, request, status, body, header_lines(headers) if headers else b"")


async def send_whole(send: Send, request: Request, status: int, body: bytes, lines: bytes) -> None:
    """Send a whole answer. `lines` are headers besides, as `header_lines` makes them."""
    request.is_answered = True
    lines = b"%b%b%b" % (_LINES, own_lines(request), lines)
    if request.takes_whole_answers:
        await send({"type": WHOLE_ANSWER, "status": status, "lines": lines, "body": body})
        return
    headers = [*headers_in(lines), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def refusal_parts(refusal: Refusal) -> tuple[int, dict[str, Any], Headers]:
    """Return status, body and extra headers of a refusal."""
    headers = [(name.lower().encode(), value.encode()) for name, value in refusal.headers.items()]
    if refusal.retry_after is not None:
        headers.append((b"retry-after", str(refusal.retry_after).encode()))
    body = error_body(refusal.message, kind=refusal.type, code=refusal.code, param=refusal.param)
    if refusal.details:
        body["error"]["details"] = refusal.details
    return refusal.status, body, headers


def failure_parts(error: ProviderError) -> tuple[int, dict[str, Any], Headers]:
    """Return status, body and extra headers of trouble upstream."""
    headers: Headers = []
    if error.permanent:
        headers.append((b"x-should-retry", b"false"))
    if error.retry_after is not None:
        headers.append((b"retry-after", str(error.retry_after).encode()))
    kind = "invalid_request_error" if error.status < 500 else "api_error"
    return error.status, error_body(error.message, kind=kind, code=error.code, param=error.param), headers


async def send_refusal(send: Send, request: Request, refusal: Refusal) -> None:
    status, body, headers = refusal_parts(refusal)
    status, body = said_to(request, status, body)
    await send_json(send, request, status, orjson.dumps(body), headers)


async def send_failure(send: Send, request: Request, error: ProviderError) -> None:
    status, body, headers = failure_parts(error)
    status, body = said_to(request, status, body)
    await send_json(send, request, status, orjson.dumps(body), headers)
