"""Limit the size of request bodies while they arrive, before they are stored or parsed."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

# What a form needs besides its file.
FORM_FIELDS = 64 * 1024
# In the scope of a request whose body was longer than it may be: how long it may be.
TOO_LARGE = "facet.body_too_large"


def stated_length(scope: MutableMapping[str, Any]) -> int | None:
    """Return what Content-Length says; None without one, or when it is no number."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value[:20]) if value.isdigit() else None
    return None


async def _other_than_body(receive: Receive) -> Message:
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return message


def bounded(scope: MutableMapping[str, Any], receive: Receive, limit: int) -> Receive:
    """Return a `receive` that ends the body where it becomes too large, and says so in the scope.

    What comes after is thrown away as it arrives, so that a browser, which sends all before it reads, gets the answer.
    """
    size = 0 if (stated_length(scope) or 0) <= limit else limit + 1

    async def receive_within() -> Message:
        nonlocal size
        if TOO_LARGE in scope:
            return await _other_than_body(receive)
        if size <= limit:
            message = await receive()
            size += len(message.get("body", b"")) if message["type"] == "http.request" else 0
        if size > limit:
            scope[TOO_LARGE] = limit
            return {"type": "http.request", "body": b"", "more_body": False}
        return message

    return receive_within
