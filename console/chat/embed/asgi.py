"""Filter visitors' requests before Django: no cookies, and no bodies nobody needs.

Django reads a body whole before it asks anybody. And whoever is signed in to the console stays a stranger here, on
whatever site they are.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from console.chat.embed.views.face import LARGEST

PREFIX = "/embed/"
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_SAID = orjson.dumps({"error": {"code": "request_too_large", "message": "", "detail": f"At most {LARGEST:,} bytes."}})


async def pass_on(application: Any, scope: MutableMapping[str, Any], receive: Any, send: _Send) -> None:
    """Pass a request on without its cookies, or refuse a body that is too large or does not say how large it is."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
    stated = dict(headers)
    length = stated.get(b"content-length", b"0")
    if b"transfer-encoding" in stated or not length.isdigit() or int(length) > LARGEST:
        await _refuse(send)
        return
    await application({**scope, "headers": headers}, receive, send)


async def _refuse(send: _Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"connection", b"close"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": _SAID})
