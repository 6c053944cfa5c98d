"""A requests session for libraries that goes through our own client: its guard, deadlines and size limit.

Single sign-on is one. Its provider says in a document where secrets and codes are sent, so each of those addresses is
checked like any other. Redirects are not followed, and what the environment says of proxies and passwords counts for
nothing.
"""

import asyncio
from collections.abc import Mapping
from io import BytesIO

from requests import PreparedRequest, Response, Session  # noqa: TID251 - the way out is ours
from requests.adapters import BaseAdapter  # noqa: TID251
from requests.exceptions import ConnectionError as NotReached  # noqa: TID251

from console.core.connections import let_go
from console.core.errors import ProviderError
from console.outbound import client
from console.outbound.client import Deadlines
from console.outbound.requests import OURS

_DEADLINES = Deadlines(connect=5, silence=5)
_TOTAL_SECONDS = 10
_LARGEST = 1024 * 1024
_SAID = {
    "address_refused": "Its address is not one this installation may call; a private network must be in "
    "PRIVATE_NETWORKS_ALLOWED.",
    "upstream_unreachable": "It cannot be reached.",
    "upstream_timeout": "It stopped answering.",
    "upstream_too_large": "Its answer is larger than 1 MiB.",
    "upstream_tls": "Its TLS certificate is not valid.",
}


class _GuardedAdapter(BaseAdapter):
    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float | None, float | None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        """Send one request; time, proxies and how certificates are looked at are ours to say."""
        let_go()  # strangers make these requests, and the other side may be slow: everybody would wait for connections
        try:
            return asyncio.run(_exchange(request))
        except ProviderError as error:
            raise NotReached(_SAID.get(error.code, "The connection to it broke."), request=request) from None
        except TimeoutError:
            raise NotReached("It took too long.", request=request) from None

    def close(self) -> None:
        """Nothing is kept open."""


async def _exchange(request: PreparedRequest) -> Response:
    content = request.body.encode() if isinstance(request.body, str) else request.body
    if not isinstance(content, bytes | None):
        raise NotReached("A body that is read on the way is not sent.", request=request)
    headers = {
        name: value.decode("latin-1") if isinstance(value, bytes) else value
        for name, value in request.headers.items()
        if name.lower() not in OURS
    }
    try:
        async with asyncio.timeout(_TOTAL_SECONDS):
            reply = await client.request(
                str(request.method), str(request.url), headers=headers, deadlines=_DEADLINES, body=content
            )
            try:
                body = await reply.read(_LARGEST)
            finally:
                reply.close()
    finally:
        await client.close()
    if 300 <= reply.status < 400:
        raise NotReached(f"It answered {reply.status}: redirects are not followed.", request=request)
    answer = Response()
    answer.status_code, answer.url, answer.request = reply.status, str(request.url), request
    answer.headers["Content-Type"] = reply.content_type
    answer.raw = BytesIO(body)
    return answer


def guarded_session() -> Session:
    """Return a session whose every request is guarded."""
    session = Session()
    session.trust_env = False
    session.adapters.clear()
    for scheme in ("https://", "http://"):
        session.mount(scheme, _GuardedAdapter())
    return session
