"""Ask tool servers named in a file before its transaction begins, because the network is slow."""

from collections.abc import Mapping
from pathlib import Path

from agents_app.models import Tool, ToolServer
from agents_app.services.servers import LOOK_SECONDS
from agents_app.tools import web
from agents_app.tools.base import ToolFailed
from agents_app.tools.mcp.kind import address_of
from agents_app.tools.mcp.offers import Offer, tool_name
from agents_app.tools.mcp.session import offers_of
from console.core.crypto import encrypt
from console.core.errors import BadInput
from console.gateway import sync
from console.pages.configuration.forms import Entry
from console.pages.configuration.plan_secrets import read_secret
from console.pages.configuration.plan_tools import name_of


def look_ahead(file: Entry, *, folder: Path, environ: Mapping[str, str]) -> dict[str, list[Offer] | str]:
    """Return what servers offer whose tools the file takes over or reviews, or why they could not be asked."""
    entries = [entry for entry in file.get("tool_servers", []) if isinstance(entry, Entry)]
    tools = Tool.objects.filter(deleted_at=None, server__isnull=False).select_related("team")
    known = {f"{tool.team.slug}/{tool.slug}": tool for tool in tools}
    asked: dict[str, list[Offer] | str] = {}
    for entry in entries:
        is_whole = entry.has("team") and entry.has("slug") and entry.has("address")
        if is_whole and any(not _is_as_said(entry, offer, known) for offer in entry.get("tools", [])):
            asked[name_of(entry)] = _ask(entry, folder, environ)
    return asked


def _is_as_said(entry: Entry, offer: Entry, known: Mapping[str, Tool]) -> bool:
    if not offer.has("name"):
        return True
    tool = known.get(f"{entry['team']}/{tool_name(entry['slug'], offer['name'])}")
    if tool is None:
        return False
    return not offer.has("digest") or (offer["digest"] == tool.digest and not tool.suspended)


def _ask(entry: Entry, folder: Path, environ: Mapping[str, str]) -> list[Offer] | str:
    secret, _ = read_secret(entry, "secret", folder=folder, environ=environ)
    transport, address = entry.get("transport", ToolServer.Transport.HTTP.value), entry["address"]
    server = ToolServer(transport=transport, address=address, secret=encrypt(secret) if secret else "")
    row = ToolServer.objects.filter(team__slug=entry["team"], slug=entry["slug"], deleted_at=None).first()
    try:
        if transport == ToolServer.Transport.HTTP:
            server.address = web.checked_address(address, "address")
            if row is not None and not secret and web.origin_of(row.address) == web.origin_of(server.address):
                server.secret = row.secret
        return sync.run(offers_of(address_of(server), LOOK_SECONDS))
    except BadInput as refusal:
        return refusal.message
    except ToolFailed as failed:
        return failed.sentence
