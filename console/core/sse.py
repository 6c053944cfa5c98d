"""Server-sent events: the one encoder, for pages and programs."""

from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any

import orjson
from asgiref.sync import SyncToAsync
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


def named_frames(events: Iterable[Mapping[str, Any]]) -> bytes:
    """Return events as bytes, each named by its `type`, as clients of messages and responses expect."""
    return b"".join(frame(event, str(event["type"])) for event in events)


def let_thread_go() -> None:
    """End the thread that Django keeps for a request until its response has gone; a later need makes another.

    A stream would hold one for as long as it lasts, idle: a thousand readers, a thousand threads.
    """
    context = SyncToAsync.thread_sensitive_context.get(None)
    thread = SyncToAsync.context_to_thread_executor.pop(context, None) if context is not None else None
    if thread is not None:
        thread.shutdown(wait=False)


def event_stream(frames: AsyncGenerator[bytes, None]) -> StreamingHttpResponse:
    """Return the response of a page's stream."""
    return StreamingHttpResponse(frames, content_type=MEDIA_TYPE, headers=HEADERS)
