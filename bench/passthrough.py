"""The least a Python gateway can do: a bare ASGI passthrough. No credentials, no parsing, no ledger.

Uses the same server (uvicorn, uvloop, httptools) and the same client library (aiohttp) as Facet, so that what differs
is Facet.
"""

import os

import aiohttp

URL = os.environ["UPSTREAM"] + "/v1/chat/completions"
HEADERS = {"content-type": "application/json", "authorization": "Bearer upstream"}
_session: aiohttp.ClientSession | None = None


def session() -> aiohttp.ClientSession:
    global _session
    if _session is None:
        _session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )
    return _session


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    message = await receive()
    body = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    async with session().post(URL, data=body, headers=HEADERS) as reply:
        kind = reply.headers["content-type"].encode()
        await send({"type": "http.response.start", "status": reply.status, "headers": [(b"content-type", kind)]})
        async for chunk in reply.content.iter_any():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
