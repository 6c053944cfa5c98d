"""Connect MCP servers, list their tools, adopt tools one by one, and review changes of them.

1. Connecting asks nobody anything. `look` asks the server, and keeps what it says as data.
2. `take_tool` makes a Tool of one offer, pinned by its digest.
3. A look, or a call, that finds another digest suspends the tool; `review_tool` accepts what was looked at.
"""

from typing import Any

from django.conf import settings
from django.db import transaction

from agents_app.errors import StaleTool, StillUsed
from agents_app.models import Tool, ToolServer
from agents_app.services import tools
from agents_app.services.common import record_change
from agents_app.services.names import check_secret, check_short_name
from agents_app.tools import web
from agents_app.tools.base import ToolFailed
from agents_app.tools.mcp.kind import address_of, suspend
from agents_app.tools.mcp.offers import Offer, offers_in, tool_name
from agents_app.tools.mcp.session import Changed, offers_of
from console.audit import actions
from console.audit.services import changes
from console.core import texts
from console.core.clock import now
from console.core.crypto import encrypt
from console.core.errors import BadInput, Conflict, check_revision
from console.core.formatting import first_few
from console.core.races import hold, insert
from console.gateway import sync
from console.teams.actors import Actor
from console.teams.models import Team

LOOK_SECONDS = 20.0
_FIELDS = ("name", "address", "is_enabled")
Transport = ToolServer.Transport


def _logged(server: ToolServer) -> dict[str, Any]:
    return {name: getattr(server, name) for name in _FIELDS} | {"secret": "set" if server.secret else "not set"}


def check_address(transport: str, address: str) -> str:
    """Return the address of a server as it is kept; BadInput when it is none this installation may call."""
    address = address.strip()
    if transport == Transport.STDIO:
        if address not in settings.MCP_PROGRAMS:
            known = ", ".join(settings.MCP_PROGRAMS) or "none"
            raise BadInput(
                f"The deployment's settings have no program {address[:60]!r}; they have {known}.", param="address"
            )
        return address
    if len(address) > 500:
        raise BadInput("The address is longer than 500 characters.", param="address")
    return web.checked_address(address, "address")


def _checked_secret(transport: str, secret: str) -> str:
    secret = check_secret(secret)
    if secret and transport == Transport.STDIO:
        raise BadInput("A program gets no secret from here; its settings are the deployment's.", param="secret")
    return secret


def _origin(server: ToolServer) -> str:
    return server.address if server.transport == Transport.STDIO else web.origin_of(server.address)


@transaction.atomic
def create_server(
    *, actor: Actor, team: Team, slug: str, name: str = "", transport: str = "http", address: str, secret: str = ""
) -> ToolServer:
    """Connect a server; nothing is asked of it yet. The short name stands before its tools' names and stays."""
    if transport not in Transport.values:
        raise BadInput(f"transport must be one of {', '.join(Transport.values)}.", param="transport")
    secret = _checked_secret(transport, secret)
    server = ToolServer(
        team=team,
        slug=check_short_name(slug, 20),
        name=texts.line(name or slug, "name", most=80),
        transport=transport,
        address=check_address(transport, address),
        secret=encrypt(secret) if secret else "",
    )
    insert(server, Conflict(f"{team} has a tool server {slug!r} already.", param="slug"))
    after = {"slug": slug, "transport": transport} | _logged(server)
    record_change(actions.TOOL_SERVER_CREATED, actor, server, {"after": after})
    return server


def _locked(server: ToolServer, seen_revision: int | None = None) -> ToolServer:
    locked = hold(server, "team")
    if locked.deleted_at is not None:
        raise StaleTool(f"{locked.name} was removed at {locked.deleted_at:%H:%M:%S} UTC.")
    check_revision("this server", locked.revision, seen_revision, StaleTool)
    return locked


@transaction.atomic
def change_server(
    *, actor: Actor, server: ToolServer, secret: str | None = None, seen_revision: int | None = None, **fields: Any
) -> ToolServer:
    """Change the fields given. `secret=None` leaves it, "" takes it away; another host takes it away too.

    Another address may be another server, so its tools wait for a review.
    """
    server = _locked(server, seen_revision)
    if unknown := set(fields) - set(_FIELDS):
        raise TypeError(f"A server has no {', '.join(sorted(unknown))} to change.")
    before, origin, old_secret = _logged(server), _origin(server), server.secret
    if "name" in fields:
        server.name = texts.line(fields["name"], "name", most=80, is_required=True)
    if "address" in fields:
        server.address = check_address(server.transport, fields["address"])
    if "is_enabled" in fields:
        server.is_enabled = bool(fields["is_enabled"])
    has_moved = _origin(server) != origin
    if secret is not None:
        secret = _checked_secret(server.transport, secret)
        server.secret = encrypt(secret) if secret else ""
    elif has_moved:
        server.secret = ""
    after = _logged(server) | ({"secret": "set anew"} if secret else {})
    if before == after and old_secret == server.secret:
        return server
    server.revision += 1
    server.save(update_fields=[*_FIELDS, "secret", "revision"])
    record_change(actions.TOOL_SERVER_CHANGED, actor, server, changes(before, after))
    if has_moved:
        for tool in _tools_of(server):
            suspend(tool, "Its server has another address since it was reviewed.")
    return server


def _tools_of(server: ToolServer) -> list[Tool]:
    return list(Tool.objects.filter(server=server, deleted_at=None).select_related("team"))


def look(*, actor: Actor, server: ToolServer) -> ToolServer:
    """Ask the server what it offers, keep it, and suspend the tools that are not what was reviewed.

    The network is slow: no transaction is open meanwhile. Trouble is kept and shown, not raised.
    """
    trouble, offers = "", None
    server.refresh_from_db()
    try:
        offers = sync.run(offers_of(address_of(server), LOOK_SECONDS))
    except ToolFailed as failed:
        trouble = failed.sentence
    return keep_offers(actor=actor, server=server, offers=offers, trouble=trouble)


@transaction.atomic
def keep_offers(*, actor: Actor, server: ToolServer, offers: list[Offer] | None, trouble: str = "") -> ToolServer:
    """Keep what a look found, or the trouble it had, and suspend the tools that are not what was reviewed."""
    server = _locked(server)
    server.trouble, server.checked_at = trouble[:500], now()
    if offers is not None:
        server.found = [offer.as_row() for offer in offers]
    server.save(update_fields=["trouble", "checked_at", "found"])
    detail = {"found": len(offers)} if offers is not None else {"trouble": trouble}
    record_change(actions.TOOL_SERVER_LOOKED_AT, actor, server, detail)
    if offers is not None:
        _compare(server, {offer.name: offer for offer in offers})
    return server


def _compare(server: ToolServer, offers: dict[str, Offer]) -> None:
    for tool in _tools_of(server):
        offer = offers.get(tool.config["name"])
        if offer is None or offer.digest != tool.digest:
            suspend(tool, Changed(offer is None).sentence)


def _offer(server: ToolServer, name: str) -> Offer:
    offer = next((listed for listed in offers_in(server.found) if listed.name == name), None)
    if offer is None:
        raise BadInput(f"{server.name} does not offer {name[:60]!r}. Look again at what it offers.", param="name")
    if offer.trouble:
        raise BadInput(f"{name} cannot be added: {offer.trouble}.", param="name")
    return offer


@transaction.atomic
def take_tool(
    *,
    actor: Actor,
    server: ToolServer,
    name: str,
    seen_digest: str = "",
    effect: str = Tool.Effect.WRITE,
    is_idempotent: bool = False,
) -> Tool:
    """Take one offer over as a tool of the team, pinned to what the server says. It changes things, unless said."""
    server = _locked(server)
    offer = _offer(server, name)
    if seen_digest and seen_digest != offer.digest:
        raise StaleTool("The server says something else of this tool by now. Look again before you decide.")
    if effect not in Tool.Effect.values:
        raise BadInput(f"effect must be one of {', '.join(Tool.Effect.values)}.", param="effect")
    slug = tool_name(server.slug, name)
    if len(slug) > 64:
        raise BadInput(f"{slug} is longer than the 64 characters a model can call.", param="name")
    tool = Tool(
        team=server.team,
        server=server,
        kind="mcp",
        slug=slug,
        name=name[:80],
        description=offer.description or name,
        parameters=offer.schema,
        config={"name": name},
        digest=offer.digest,
        effect=effect,
        is_idempotent=is_idempotent,
    )
    insert(tool, Conflict(f"{slug} is added already.", param="name"))
    detail = {"slug": slug, "kind": "mcp", "digest": offer.digest} | tools.logged(tool)
    record_change(actions.TOOL_CREATED, actor, tool, {"after": detail})
    return tool


@transaction.atomic
def review_tool(*, actor: Actor, tool: Tool, seen_digest: str) -> Tool:
    """Accept what the server says of a tool now; from then on it is pinned to that, and may be called again."""
    tool = tools.locked(tool)
    if tool.server is None:
        raise BadInput("Only tools of a server are reviewed.")
    offer = _offer(tool.server, tool.config["name"])
    if offer.digest != seen_digest:
        raise StaleTool("The server says something else of this tool by now. Look again before you decide.")
    before = {"description": tool.description, "parameters": tool.parameters, "digest": tool.digest}
    tool.description, tool.parameters, tool.digest = offer.description or tool.name, offer.schema, offer.digest
    tool.suspended, tool.revision = "", tool.revision + 1
    tool.save(update_fields=["description", "parameters", "digest", "suspended", "revision"])
    after = {"description": tool.description, "parameters": tool.parameters, "digest": tool.digest}
    record_change(actions.TOOL_REVIEWED, actor, tool, changes(before, after))
    return tool


@transaction.atomic
def delete_server(*, actor: Actor, server: ToolServer) -> None:
    """Remove a server none of whose tools the team has any more."""
    server = _locked(server)
    if tools := _tools_of(server):
        names = first_few([tool.slug for tool in tools])
        raise StillUsed(f"{server.name} has the tools {names}. Remove them first, or switch the server off.")
    before = {"slug": server.slug} | _logged(server)
    server.deleted_at, server.secret = now(), ""
    server.save(update_fields=["deleted_at", "secret"])
    record_change(actions.TOOL_SERVER_DELETED, actor, server, {"before": before})
