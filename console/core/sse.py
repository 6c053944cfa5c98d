"""Server-sent events: the one encoder, for pages and for programs."""

from collections.abc import AsyncGenerator
from typing import Any

import orjson
from django.http import StreamingHttpResponse

MEDIA_TYPE = "text/event-stream; charset=utf-8"
# Nobody between us and the reader may keep or collect what comes in piece by piece.
HEADERS = {"Cache-Control": "no-cache, no-store", "X-Accel-Buffering": "no"}
PING = b": ping\n\n"
DONE = b"data: [DONE]\n\n"


def frame(data: Any, name: str = "") -> bytes:
    """Return an event as bytes. JSON keeps line ends out of it, so no words can begin another event; names are ours."""
    head = b"event: " + name.encode() + b"\ndata: " if name else b"data: "
    return head + orjson.dumps(data) + b"\n\n"


def event_stream(frames: AsyncGenerator[bytes, None]) -> StreamingHttpResponse:
    """Return the response of a page's stream."""
    return StreamingHttpResponse(frames, content_type=MEDIA_TYPE, headers=HEADERS)
