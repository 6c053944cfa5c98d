"""The least a Python gateway can do: a bare ASGI passthrough. No credentials, no parsing, no ledger.

Uses the same server (uvicorn, uvloop, httptools) and the same client (console.outbound) as Facet, so that what differs
is Facet. With CLIENT=aiohttp it uses the library most Python services use, for comparison.
"""

import os

from django.conf import settings

settings.configure(PRIVATE_NETWORKS_ALLOWED=["127.0.0.0/8"])

from console import outbound  # noqa: E402

URL = os.environ["UPSTREAM"] + "/v1/chat/completions"
HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer upstream"}
DEADLINES = outbound.Deadlines(10, 60)
_session = None


async def own(body):
    reply = await outbound.request("POST", URL, headers=HEADERS, body=body, deadlines=DEADLINES)
    try:
        yield reply.status, reply.content_type.encode()
        while chunk := await reply.chunk():
            yield chunk
    finally:
        reply.close()


async def aiohttps(body):
    import aiohttp

    global _session
    if _session is None:
        _session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )
    async with _session.post(URL, data=body, headers=HEADERS) as reply:
        yield reply.status, reply.headers["content-type"].encode()
        async for chunk in reply.content.iter_any():
            yield chunk


ask = aiohttps if os.environ.get("CLIENT") == "aiohttp" else own


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    message = await receive()
    body = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    answer = ask(body)
    status, kind = await anext(answer)
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
    async for chunk in answer:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
