"""An httpx client for libraries of tools that goes through our own: its guard, deadlines and size limit.

Only what the client sends to one origin passes. Redirects are answers, as everywhere; a stream the server would keep
open for its own news (a GET that resumes nothing) is turned down here, and a goodbye (DELETE) is said in two seconds or
not at all, so that whoever is cancelled goes at once.
"""

import asyncio
from collections.abc import AsyncIterator

import httpx2  # noqa: TID251 - the way out is ours

from console.core.errors import ProviderError
from console.outbound import client
from console.outbound.client import Deadlines, Reply
from console.outbound.measure import Budget, Measure
from console.outbound.requests import OURS, Origin

_GOODBYE_SECONDS = 2.0
_PASSED_ON = ("mcp-session-id", "retry-after", "www-authenticate", "location")


class _Body(httpx2.AsyncByteStream):
    def __init__(self, reply: Reply, way: "GuardedTransport") -> None:
        self._reply, self._way = reply, way
        self._measure = Measure(way.values)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while piece := await self._reply.chunk():
                self._way.count(len(piece))
                self._measure.feed(piece)
                yield piece
        except ProviderError as error:
            raise self._way.broken(error) from None

    async def aclose(self) -> None:
        self._reply.close()


class GuardedTransport(httpx2.AsyncBaseTransport):
    """`trouble` is what went wrong on the way, if anything did: the library above may say less of it.

    `status` is that of the last answer to a POST.
    """

    def __init__(self, url: str, *, deadlines: Deadlines, limit: int, most_values: int) -> None:
        self._origin = _origin(httpx2.URL(url))
        self._deadlines, self._left, self.values = deadlines, limit, Budget(most_values)
        self.trouble: ProviderError | None = None
        self.status = 0

    def count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ProviderError("The answers are larger than this installation accepts.", code="upstream_too_large")

    def broken(self, error: ProviderError) -> httpx2.TransportError:
        self.trouble = error
        return httpx2.ReadError(error.message)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if _origin(request.url) != self._origin:
            raise httpx2.ConnectError("Another host is not called.")
        if request.method == "GET" and "last-event-id" not in request.headers:
            return httpx2.Response(405)
        body = await request.aread()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in OURS}
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS if request.method == "DELETE" else None):
                reply = await client.request(
                    request.method,
                    str(request.url),
                    headers=headers,
                    deadlines=self._deadlines,
                    body=body,
                    is_tool=True,
                )
        except TimeoutError:
            raise httpx2.ReadTimeout("No answer to the goodbye.") from None
        except ProviderError as error:
            raise self.broken(error) from None
        if request.method == "POST":
            self.status = reply.status
        said = {name: value for name in _PASSED_ON if (value := reply.header(name))}
        # It is UTF-8, whatever it says: other encodings hide what was counted, and some take the square of their input.
        said["content-type"] = reply.content_type.partition(";")[0]
        return httpx2.Response(reply.status, headers=said, stream=_Body(reply, self))


def _origin(url: httpx2.URL) -> Origin:
    return Origin(url.scheme == "https", url.host, url.port or (443 if url.scheme == "https" else 80))


def guarded(url: str, *, headers: dict[str, str], deadlines: Deadlines, limit: int, most_values: int) -> tuple[
    httpx2.AsyncClient, GuardedTransport
]:  # fmt: skip
    """Return a client for one origin and its way out. No proxy, no cookies kept by the environment, no redirects."""
    way = GuardedTransport(url, deadlines=deadlines, limit=limit, most_values=most_values)
    return httpx2.AsyncClient(
        transport=way,
        headers=headers,
        trust_env=False,
        follow_redirects=False,
        timeout=None,
    ), way
