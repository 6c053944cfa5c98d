"""Git over HTTPS through the one HTTP client, so that its guard and deadlines apply to repositories.

The smart protocol only: every request goes below the one address that was checked, and redirects are refused.
"""

import asyncio
import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from dulwich.client import AbstractHttpGitClient

from console.core.errors import ProviderError
from console.outbound import client
from console.outbound.client import Deadlines, Reply
from console.outbound.errors import sentence

_DEADLINES = Deadlines(connect=10, silence=30)
_TOTAL_SECONDS = 120
LARGEST = 64 * 1024 * 1024
_STATUS = {
    401: "The git host refused the credential.",
    403: "The git host refused the credential, or it may not do this.",
    404: "The git host has no such repository, or hides it from this credential.",
}


def too_large() -> ProviderError:
    return ProviderError("The repository is larger than 64 MiB.", code="upstream_too_large")


@dataclass(slots=True)
class _Head:
    """What dulwich asks of an answer besides its body."""

    status: int
    content_type: str
    close: Callable[[], None]
    redirect_location: None = None


class GuardedGitClient(AbstractHttpGitClient):
    """One repository at one address. Close it when done; it is used by one thread."""

    def __init__(self, url: str, *, username: str = "", password: str = "") -> None:
        super().__init__(url)
        self._runner = asyncio.Runner()
        self._headers = {}
        if password:
            pair = base64.b64encode(f"{username or 'git'}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {pair}"

    def close(self) -> None:
        self._runner.run(client.close())
        self._runner.close()

    def _http_request(
        self,
        url: str,
        headers: dict[str, str] | None = None,
        data: bytes | Iterator[bytes] | None = None,
        raise_for_status: bool = True,
    ) -> Any:
        if not url.startswith(self._base_url):
            raise ProviderError("The git host names another address; it is not followed.", permanent=True)
        # The client writes the length itself.
        sent = {name: value for name, value in (headers or {}).items() if name != "Content-Length"}
        body = data if isinstance(data, bytes | None) else b"".join(data)
        try:
            head, content = self._runner.run(self._exchange(url, sent | self._headers, body))
        except ProviderError as error:
            if error.upstream_status is not None:
                raise  # what it answered
            if error.code == "upstream_too_large":
                raise too_large() from None
            raise ProviderError(sentence(error, "the git host", is_operators=True), code=error.code) from None
        except TimeoutError:
            raise ProviderError("The git host took too long.", status=504, code="upstream_timeout") from None
        return head, _reader(content)

    async def _exchange(self, url: str, headers: dict[str, str], body: bytes | None) -> tuple[_Head, bytes]:
        async with asyncio.timeout(_TOTAL_SECONDS):
            method = "GET" if body is None else "POST"
            reply = await client.request(method, url, headers=headers, deadlines=_DEADLINES, body=body)
            try:
                _check(reply, is_known="Authorization" in headers)
                content = await reply.read(LARGEST)
            finally:
                reply.close()
        return _Head(reply.status, reply.content_type, lambda: None), content


def _check(reply: Reply, *, is_known: bool) -> None:
    if 300 <= reply.status < 400:
        said = "The address leads elsewhere; connect the address it leads to."
    elif reply.status == 401 and not is_known:
        said = "The git host asks for a credential, and none is set."
    elif reply.status != 200:
        said = _STATUS.get(reply.status, f"The git host answered {reply.status}.")
    elif not reply.content_type.startswith("application/x-git-"):
        said = "There is no git repository at this address."
    else:
        return
    raise ProviderError(said, permanent=True, upstream_status=reply.status)


def _reader(content: bytes) -> Callable[[int], bytes]:
    """Return a function that reads on; the whole answer is here already, and not large."""
    view, at = memoryview(content), 0

    def read(size: int = -1) -> bytes:
        nonlocal at
        end = len(view) if size is None or size < 0 else at + size
        part = bytes(view[at:end])
        at += len(part)
        return part

    return read
