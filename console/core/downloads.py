"""Stream files while they are generated."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse


def download(request: HttpRequest, chunks: Iterator[bytes], name: str, content_type: str) -> StreamingHttpResponse:
    """Return the pieces as an attachment. They may block: each is read in a thread."""
    body = _threaded(chunks) if isinstance(request, ASGIRequest) else chunks
    response = StreamingHttpResponse(body, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


async def _threaded(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Read a blocking iterator off the event loop. Django would collect it whole first."""
    following = sync_to_async(lambda: next(chunks, None), thread_sensitive=True)
    while (chunk := await following()) is not None:
        yield chunk
