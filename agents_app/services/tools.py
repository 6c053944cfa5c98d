"""Create, change, disable and remove tools. A secret is encrypted, never shown, and removed when the host changes."""

from typing import Any

from django.db import transaction

from agents_app.errors import StaleTool, StillUsed
from agents_app.models import Agent, Tool
from agents_app.services.common import record_change
from agents_app.services.names import check_secret, check_tool_name
from agents_app.tools.base import Kind, Names
from agents_app.tools.registry import kind_of
from console.audit import actions
from console.audit.services import changes
from console.core import texts
from console.core.clock import now
from console.core.crypto import encrypt
from console.core.errors import BadInput, Conflict, check_revision
from console.core.formatting import first_few
from console.core.races import hold, insert
from console.teams.actors import Actor
from console.teams.models import Team

LONGEST_NAME, LONGEST_DESCRIPTION = 80, 2_000
_NUMBERS = {"timeout_seconds": (1, 600), "most_bytes": (256, 1_000_000)}
_FIELDS = (
    *("name", "description", "parameters", "config", "effect", "is_idempotent"),
    *_NUMBERS,
)
# What a person may change of a tool that a server offers: the rest is the server's word.
_OF_SERVERS = frozenset({"name", "effect", "is_idempotent", *_NUMBERS})


def logged(tool: Tool) -> dict[str, Any]:
    """Return what the log may say of a tool: everything but the secret itself."""
    return {name: getattr(tool, name) for name in _FIELDS} | {"secret": "set" if tool.secret else "not set"}


def _number(name: str, value: Any) -> int:
    least, most = _NUMBERS[name]
    if not isinstance(value, int) or not least <= value <= most:
        raise BadInput(f"{name} must be from {least:,} to {most:,}.", param=name)
    return value


def _apply(tool: Tool, kind: Kind, fields: dict[str, Any]) -> None:
    """Check the fields given and put them on the row; configuration and schema are looked at together."""
    if unknown := set(fields) - set(_FIELDS):
        raise TypeError(f"A tool has no {', '.join(sorted(unknown))}.")
    if "name" in fields:
        tool.name = texts.line(fields["name"], "name", most=LONGEST_NAME, is_required=True)
    if "description" in fields:
        tool.description = texts.text(fields["description"], "description", most=LONGEST_DESCRIPTION, is_required=True)
    for name in _NUMBERS:
        if name in fields:
            setattr(tool, name, _number(name, fields[name]))
    if "effect" in fields:
        if fields["effect"] not in Tool.Effect.values:
            raise BadInput(f"effect must be one of {', '.join(Tool.Effect.values)}.", param="effect")
        tool.effect = fields["effect"]
    if "is_idempotent" in fields:
        tool.is_idempotent = bool(fields["is_idempotent"])
    if "config" in fields or "parameters" in fields:
        was, tool.config = tool.config, kind.check(fields.get("config", tool.config))
        if isinstance(kind, Names) and tool.config != was:  # one that lost its queue can still be described better
            kind.check_names(tool.config, tool.team)
        tool.parameters = kind.schema(tool.config, fields.get("parameters", tool.parameters))


@transaction.atomic
def create_tool(
    *,
    actor: Actor,
    team: Team,
    kind: str,
    slug: str,
    name: str = "",
    description: str = "",
    secret: str = "",
    **fields: Any,
) -> Tool:
    """Make a tool of a team. No agent may call it until it is granted."""
    of = kind_of(kind)
    if of.unavailable:
        raise BadInput(of.unavailable, param="kind")
    tool = Tool(team=team, kind=kind, slug=check_tool_name(slug), effect=of.effect, is_idempotent=of.is_idempotent)
    given = {"config": {}, "parameters": {}, **fields}
    _apply(tool, of, {**given, "name": name or slug, "description": description or of.description})
    if secret := check_secret(secret):
        _check_may_have_secret(of, tool)
        tool.secret = encrypt(secret)
    insert(tool, Conflict(f"{tool.team} has a tool {tool.slug!r} already.", param="slug"))
    record_change(actions.TOOL_CREATED, actor, tool, {"after": {"slug": slug, "kind": kind} | logged(tool)})
    return tool


def _check_may_have_secret(kind: Kind, tool: Tool) -> None:
    if not kind.origin(tool.config) or (tool.kind == "http" and not tool.config.get("secret")):
        raise BadInput("This tool sends no secret. Say first where it is put.", param="secret")


def locked(tool: Tool, seen_revision: int | None = None) -> Tool:
    """Return the tool as it is now, ours until commit; StaleTool when it is not the one that was looked at."""
    row = hold(tool, "team", "server")
    if row.deleted_at is not None:
        raise StaleTool(f"{row.slug} was removed at {row.deleted_at:%H:%M:%S} UTC.")
    check_revision("this tool", row.revision, seen_revision, StaleTool)
    return row


@transaction.atomic
def change_tool(
    *, actor: Actor, tool: Tool, secret: str | None = None, seen_revision: int | None = None, **fields: Any
) -> Tool:
    """Change the fields given. `secret=None` leaves it, "" takes it away; another host takes it away too."""
    tool = locked(tool, seen_revision)
    kind = kind_of(tool.kind)
    if tool.server is not None and (fixed := set(fields) - _OF_SERVERS):
        raise BadInput(f"The {min(fixed)} of this tool is what its server says.", param=min(fixed))
    before, origin, old_secret = logged(tool), kind.origin(tool.config), tool.secret
    _apply(tool, kind, fields)
    if secret is not None:
        if secret := check_secret(secret):
            _check_may_have_secret(kind, tool)
        tool.secret = encrypt(secret) if secret else ""
    elif tool.secret and (kind.origin(tool.config) != origin or not _sends(tool)):
        tool.secret = ""
    after = logged(tool) | ({"secret": "set anew"} if secret else {})
    if before == after and old_secret == tool.secret:
        return tool
    tool.revision += 1
    tool.save(update_fields=[*_FIELDS, "secret", "revision"])
    record_change(actions.TOOL_CHANGED, actor, tool, changes(before, after))
    return tool


def _sends(tool: Tool) -> bool:
    return tool.kind != "http" or bool(tool.config.get("secret"))


@transaction.atomic
def enable_tool(*, actor: Actor, tool: Tool, enabled: bool) -> Tool:
    """Let agents call a tool they were granted, or stop them from the next step on."""
    tool = locked(tool)
    if tool.is_enabled != enabled:
        tool.is_enabled, tool.revision = enabled, tool.revision + 1
        tool.save(update_fields=["is_enabled", "revision"])
        record_change(actions.TOOL_CHANGED, actor, tool, changes({"is_enabled": not enabled}, {"is_enabled": enabled}))
    return tool


def agents_with(tool: Tool) -> list[Agent]:
    """Return the living agents of the tool's team whose live version or draft may call it."""
    named = [{"tool": tool.slug}]
    agents = Agent.objects.filter(team_id=tool.team_id, archived_at=None).order_by("name")
    live = agents.filter(live__grants__contains=named)
    return list(live | agents.filter(draft__grants__contains=named))


@transaction.atomic
def delete_tool(*, actor: Actor, tool: Tool) -> None:
    """Remove a tool nothing may call. Steps that called it keep their records."""
    tool = locked(tool)
    if holders := agents_with(tool):
        names = first_few([agent.name for agent in holders])
        raise StillUsed(f"{tool.slug} is granted to {names}. Take it from them first, or switch it off.")
    before = {"slug": tool.slug, "kind": tool.kind} | logged(tool)
    tool.deleted_at, tool.secret = now(), ""
    tool.save(update_fields=["deleted_at", "secret"])
    record_change(actions.TOOL_DELETED, actor, tool, {"before": before})
