"""One session with an MCP server: connect, initialise, do one thing, close. Nothing is kept open between sessions.

A server over HTTP is called through the one way out. It gets its own bearer token and nothing of the console's; it may
ask for nothing (no sampling, no questions to people, no roots), and what it says of itself is data.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings

from agents_app.tools.base import ToolFailed, within
from agents_app.tools.mcp.offers import MOST_TOOLS, Offer, digest_of, offer_of
from agents_app.tools.schemas import Patience
from agents_app.tools.web import CALLING_RUN, LARGEST, failure, without_secret
from console.core.errors import ProviderError
from console.outbound import Deadlines

_T = TypeVar("_T")
_CONNECT, _SILENCE = 10.0, 120.0
_MOST_PAGES = 20
# Of all a server says in one visit: three hundred tools of twenty arguments each.
_MOST_VALUES = 50_000


@dataclass(frozen=True, slots=True)
class Address:
    """A server to visit: a URL, or the name of a program in the deployment's settings. `run`: for which run."""

    is_program: bool
    where: str
    secret: str = ""
    run: str = ""


class _Visit:
    """What happened: whether the call was sent, and what broke on the way."""

    def __init__(self) -> None:
        self.trouble: ProviderError | None = None
        self.is_sent = False
        self.status = 0  # of the last answer over HTTP


async def visit(address: Address, seconds: float, work: Callable[[Any, _Visit], Awaitable[_T]]) -> _T:
    """Do `work` with a session; ToolFailed when the server cannot be reached, misbehaves or takes too long."""
    # Imported here and below, only where servers are used: it is large.
    from mcp.shared.exceptions import MCPError

    progress, done, refusal = _Visit(), [], ToolFailed("The server did not answer.")
    try:
        async with (
            within(seconds),
            _streams(address, seconds, progress) as (read, write),
            _session(read, write) as session,
        ):
            try:
                await _greet(session)
                done.append(await work(session, progress))
            except ToolFailed as failed:
                refusal = failed
            except MCPError as refused:
                refusal = _refusal(refused.error, address, progress)
    except TimeoutError:
        raise ToolFailed("The server took too long.", is_unknown=progress.is_sent) from None
    except ToolFailed:
        raise
    except Exception as broken:  # what the library makes of trouble, often a group
        if not done:
            raise _failure(progress, broken) from None
    if done:
        return done[0]
    if progress.trouble is not None:
        raise _failure(progress, None)
    # A status of 400 to 499 says that nothing was done; before the call was sent nothing was anyway.
    refusal.is_unknown &= progress.is_sent and not 400 <= progress.status < 500
    raise refusal


def _refusal(error: Any, address: Address, visit: _Visit) -> ToolFailed:
    """Return what an error in place of an answer comes to: the library makes such of answers it cannot read, too."""
    from mcp_types import CONNECTION_CLOSED, INVALID_PARAMS, METHOD_NOT_FOUND, PARSE_ERROR

    if not visit.is_sent:
        return ToolFailed("The server refused.")
    if error.code in {PARSE_ERROR, CONNECTION_CLOSED}:
        return ToolFailed("The server does not answer as an MCP server does.", is_unknown=True)
    line = "".join(c if c.isprintable() else " " for c in without_secret(error.message, address.secret)[:300])
    return ToolFailed(f"The server refused: {line}", is_unknown=error.code not in {INVALID_PARAMS, METHOD_NOT_FOUND})


def _failure(visit: _Visit, broken: Exception | None) -> ToolFailed:
    if visit.trouble is not None:
        return failure(visit.trouble, may_have_happened=visit.is_sent)
    return ToolFailed("The server does not answer as an MCP server does.", is_unknown=visit.is_sent)


@asynccontextmanager
async def _streams(address: Address, seconds: float, visit: _Visit) -> AsyncIterator[tuple[Any, Any]]:
    if address.is_program:
        async with _program(address.where) as streams:
            yield streams
        return
    from mcp.client.streamable_http import streamable_http_client

    from console.outbound.httpx import guarded

    headers = {"Authorization": f"Bearer {address.secret}"} if address.secret else {}
    if address.run:
        headers[CALLING_RUN] = address.run
    deadlines = Deadlines(min(_CONNECT, seconds), min(_SILENCE, seconds))
    http, way = guarded(address.where, headers=headers, deadlines=deadlines, limit=LARGEST, most_values=_MOST_VALUES)
    try:
        async with http, streamable_http_client(address.where, http_client=http) as streams:
            yield streams
    finally:
        visit.trouble, visit.status = way.trouble, way.status


@asynccontextmanager
async def _program(name: str) -> AsyncIterator[tuple[Any, Any]]:
    """Start a program the deployment's settings name. It gets a bare environment, and its words to nobody are lost."""
    from mcp.client.stdio import StdioServerParameters, stdio_client

    command = settings.MCP_PROGRAMS.get(name)
    if not command:
        raise ToolFailed(f"The deployment's settings have no program {name[:60]!r} any more.")
    found = shutil.which(command[0])
    if found is None:
        raise ToolFailed(f"The program {name[:60]!r} is not installed here.")
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        async with stdio_client(StdioServerParameters(command=found, args=command[1:]), errlog=nowhere) as streams:
            yield streams


def _session(read: Any, write: Any) -> Any:
    from mcp.client.session import ClientSession
    from mcp_types import Implementation

    class Session(ClientSession):
        async def validate_tool_result(self, name: str, result: Any) -> None:
            """Leave a result unchecked: it is text for a model, and the schema, with its patterns, is a stranger's."""

    return Session(read, write, client_info=Implementation(name="Facet", version="1"))


async def _greet(session: Any) -> None:
    """Shake hands as every server of today does, and as those will that know only the newer way."""
    from mcp.shared.exceptions import MCPError
    from mcp_types import METHOD_NOT_FOUND, UNSUPPORTED_PROTOCOL_VERSION

    try:
        await session.initialize()
    except MCPError as refused:
        if refused.error.code not in {METHOD_NOT_FOUND, UNSUPPORTED_PROTOCOL_VERSION}:
            raise
        await session.discover()


async def _tools_of(session: Any) -> list[Any]:
    """Return what the server says of its tools, page by page up to a bound; of two of one name the first."""
    from mcp_types import PaginatedRequestParams

    found: dict[str, Any] = {}
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor) if cursor else None)
        for tool in page.tools:
            found.setdefault(tool.name, tool)
        cursor = page.next_cursor
        if not cursor or len(found) >= MOST_TOOLS:
            break
    return list(found.values())[:MOST_TOOLS]


def _read(tools: list[Any]) -> list[Offer]:
    """Return each as an offer. All schemas share one patience: what comes after a server has used it up is not read."""
    patience = Patience()
    hints = [tool.annotations.model_dump(by_alias=True) if tool.annotations else {} for tool in tools]
    return [
        offer_of(tool.name, tool.description or "", tool.input_schema, said, patience)
        for tool, said in zip(tools, hints, strict=True)
    ]


async def offers_of(address: Address, seconds: float) -> list[Offer]:
    async def work(session: Any, visit: _Visit) -> list[Offer]:
        return await asyncio.to_thread(_read, await _tools_of(session))  # it may take a second

    return await visit(address, seconds, work)


async def call_offer(
    address: Address, seconds: float, *, name: str, digest: str, arguments: dict[str, Any], key: str
) -> Any:
    """Call a tool that still says what it said when it was reviewed; Changed when it does not."""

    async def work(session: Any, visit: _Visit) -> Any:
        tool = next((one for one in await _tools_of(session) if one.name == name), None)
        if tool is None or digest_of(tool.name, tool.description or "", tool.input_schema) != digest:
            return Changed(tool is None)
        visit.is_sent = True
        meta = {"facet/idempotency-key": key} | ({"facet/run": address.run} if address.run else {})
        return await session.call_tool(name, arguments, meta=meta)

    return await visit(address, seconds, work)


@dataclass(frozen=True, slots=True)
class Changed:
    """The server does not offer what was reviewed."""

    is_gone: bool

    @property
    def sentence(self) -> str:
        return "Its server does not offer it any more." if self.is_gone else "Its server says something else of it now."
