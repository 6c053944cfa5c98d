"""The built-in embeddings: a small server on loopback with OpenAI's wire format.

A program of its own (`python -m console.embedded.embeddings PORT`), supervised like the others: arithmetic on long
texts must not hold up the streams of the web process, and every process of the console shares one copy of the weights.
It imports nothing of Django.
"""

import asyncio
import base64
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import uvicorn

from console.embedded import vectors, vocabulary

NAME = "wordllama-l2-256"
_MOST_BYTES = 32 * 1024 * 1024

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# One text after the other: the machine is shared with the console.
_thread = ThreadPoolExecutor(1, thread_name_prefix="embed")


class Refused(ValueError):
    """What is wrong with a request, and where."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


def answer(raw: bytes) -> bytes:
    """Return the answer to the body of an embeddings request."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Refused("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise Refused("The body must be a JSON object.")
    dimensions = body.get("dimensions") or vectors.DIMENSIONS[-1]
    if dimensions not in vectors.DIMENSIONS:
        raise Refused(f"dimensions must be one of {', '.join(map(str, vectors.DIMENSIONS))}.", "dimensions")
    try:
        found = vectors.embed(_texts(body.get("input")), dimensions)
    except (vectors.TooLong, vocabulary.UnknownToken) as error:
        raise Refused(str(error), "input") from None
    as_base64 = body.get("encoding_format") == "base64"
    data = [
        {
            "object": "embedding",
            "index": place,
            "embedding": base64.b64encode(row.astype("<f4").tobytes()).decode() if as_base64 else row.tolist(),
        }
        for place, row in enumerate(found.vectors)
    ]
    usage = {"prompt_tokens": found.tokens, "total_tokens": found.tokens}
    return orjson.dumps({"object": "list", "data": data, "model": NAME, "usage": usage})


def _texts(value: Any) -> list[str]:
    """Return the texts of any form of `input`; token lists become the text they stand for."""
    items = [value] if isinstance(value, str) or (isinstance(value, list) and all(map(_is_token, value))) else value
    if not isinstance(items, list):
        raise Refused("input must be a text, a list of texts, or lists of tokens.", "input")
    texts = []
    for item in items:
        if isinstance(item, list) and all(map(_is_token, item)):
            item = vocabulary.text_of(item)
        if not isinstance(item, str):
            raise Refused("Each input must be a text or a list of tokens.", "input")
        texts.append(item)
    return texts


def _is_token(value: Any) -> bool:
    return type(value) is int


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    path, method = scope["path"], scope["method"]
    if path == "/v1/models" and method == "GET":
        await _send(send, 200, orjson.dumps({"object": "list", "data": [{"id": NAME, "object": "model"}]}))
    elif path == "/v1/embeddings" and method == "POST":
        try:
            raw = await _body(receive)
            await _send(send, 200, await asyncio.get_running_loop().run_in_executor(_thread, answer, raw))
        except Refused as refused:
            await _send(send, 400, _error(str(refused), refused.param))
    else:
        await _send(send, 404, _error("There is nothing here but /v1/embeddings and /v1/models."))


async def _body(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _MOST_BYTES:
            raise Refused("The body is too large.")
        if not message.get("more_body"):
            return b"".join(parts)


def _error(message: str, param: str | None = None) -> bytes:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": None}
    return orjson.dumps({"error": error})


async def _send(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def serve(port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    vectors.embed(["ready"])
    uvicorn.run(
        application,
        host="127.0.0.1",
        port=port,
        log_level="warning",
        lifespan="off",
        server_header=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    serve(int(sys.argv[1]))
