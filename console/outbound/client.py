"""The one HTTP client. Two calls, so that a leaner one can take its place: `post`, and reading what comes back."""

import asyncio
import weakref
from collections.abc import Mapping
from typing import NamedTuple

import aiohttp  # noqa: TID251
from django.conf import settings
from yarl import URL

from console.core.errors import ProviderError
from console.outbound.guard import AddressRefused, GuardedResolver, guarded_socket


class Deadlines(NamedTuple):
    """Seconds to connect, and how long the other side may be silent, before its first byte or between two."""

    connect: float
    silence: float


class Reply:
    """An answer whose body has not been read. Close it, whatever happens."""

    __slots__ = ("_response", "status", "content_type", "retry_after")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.content_type = response.headers.get("Content-Type", "")
        self.retry_after = response.headers.get("Retry-After", "")

    async def read(self, limit: int) -> bytes:
        """Return the whole body after decompression; ProviderError when it is larger than `limit` bytes or cut off."""
        parts, size = [], 0
        while part := await self.chunk():
            parts.append(part)
            size += len(part)
            if size > limit:
                raise ProviderError(
                    "The provider's answer is larger than this installation accepts.", code="upstream_too_large"
                )
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunk(self) -> bytes:
        """Return what has arrived since the last call, waiting for some; empty when the body has ended."""
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise _broke(error) from error

    def close(self) -> None:
        """Let go: a body read to its end gives the connection back, any other closes it."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


def _broke(error: Exception) -> ProviderError:
    """Return what our caller may hear of a broken connection: no addresses, ports or banners."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return ProviderError("The provider cannot be reached.", status=504, code="upstream_unreachable")
    if isinstance(error, TimeoutError):
        return ProviderError("The provider stopped answering.", status=504, code="upstream_timeout")
    if isinstance(error, AddressRefused | aiohttp.InvalidURL) or isinstance(error.__cause__, AddressRefused):
        return ProviderError(
            "The provider's address is not one this installation may call.", permanent=True, code="address_refused"
        )
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return ProviderError("The provider's TLS certificate is not valid.", permanent=True, code="upstream_tls")
    if isinstance(error, aiohttp.ClientConnectorError):
        return ProviderError("The provider cannot be reached.", code="upstream_unreachable")
    return ProviderError("The connection to the provider broke.", code="upstream_broken")


_sessions: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession]" = weakref.WeakKeyDictionary()


def _session() -> aiohttp.ClientSession:
    loop = asyncio.get_running_loop()
    session = _sessions.get(loop)
    if session is None or session.closed:
        connector = aiohttp.TCPConnector(
            limit=0, resolver=GuardedResolver(), socket_factory=guarded_socket, ttl_dns_cache=10, keepalive_timeout=30
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=True,
            skip_auto_headers=("User-Agent",),
            headers={"User-Agent": "Facet", "Accept-Encoding": "identity"},
            read_bufsize=2**16,
        )
        _sessions[loop] = session
    return session


async def close() -> None:
    """Close this event loop's connections."""
    session = _sessions.pop(asyncio.get_running_loop(), None)
    if session is not None:
        await session.close()


_timeouts: dict[Deadlines, aiohttp.ClientTimeout] = {}


async def request(
    method: str, url: str, *, headers: Mapping[str, str], deadlines: Deadlines, body: bytes | None = None
) -> Reply:
    """Send a request and return when the answer's head is here. Redirects are answers, never followed."""
    timeout = _timeouts.get(deadlines)
    if timeout is None:
        timeout = _timeouts[deadlines] = aiohttp.ClientTimeout(
            total=None, sock_connect=deadlines.connect, sock_read=deadlines.silence
        )
    try:
        response = await _session().request(
            method, _url(url), data=body, headers=headers, timeout=timeout, allow_redirects=False
        )
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise _broke(error) from error
    return Reply(response)


_urls: dict[str, URL] = {}


def _url(text: str) -> URL:
    """Return the parsed URL; there are as many as provider endpoints, so they are kept."""
    found = _urls.get(text)
    if found is None:
        if len(_urls) > 1000:
            _urls.clear()
        found = _urls[text] = URL(text, encoded=True)
    return found


def default_deadlines() -> Deadlines:
    return Deadlines(settings.GATEWAY_CONNECT_SECONDS, settings.GATEWAY_SILENCE_SECONDS)
