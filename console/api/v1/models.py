"""GET /v1/models: the models the key may call, in OpenAI's or Anthropic's format."""

import datetime as dt
from typing import Any, NamedTuple

import orjson

from console.api.v1.asks import uncalled
from console.api.v1.request import Request
from console.api.v1.sending import Send, send_json
from console.audit.models import EventType
from console.catalog.shapes import VersionShape
from console.gateway import pipeline
from console.gateway.agents import alias_of
from console.gateway.errors import unknown_model
from console.gateway.identity import KeyIdentity
from console.gateway.resolution import exact_version
from console.gateway.snapshot import Snapshot
from console.gateway.types import Asker

ROUTE = "/v1/models"


class Listed(NamedTuple):
    """One name to call, whose it is, and the version that would answer now."""

    id: str
    version: VersionShape
    created_at: dt.datetime
    owner: str


async def models(request: Request, send: Send, name: str = "") -> None:
    """Answer the list, or with `name` one of it."""
    name = "".join(c if c.isprintable() else "\ufffd" for c in name)
    identify = KeyIdentity(request.key, request.client_address, request.at)
    ask = uncalled(request, EventType.MODELS.value, ROUTE, model=name)
    if request.problem is not None:
        raise await pipeline.refuse(identify, ask, request.problem, started=request.started, is_for_anybody=True)
    snapshot, asker = await pipeline.look_up(identify, ask, started=request.started)
    models = [row for row in callable_models(snapshot, asker, name.partition("@")[2]) if not name or row.id == name]
    if name and not models:
        raise await pipeline.refuse(identify, ask, unknown_model(name), started=request.started)
    as_anthropic = request.has_anthropic_version
    rows = [_anthropic(row) if as_anthropic else _openai(row) for row in models]
    answer: dict[str, Any]
    if name:
        answer = rows[0]
    elif as_anthropic:
        ends = {"first_id": rows[0]["id"], "last_id": rows[-1]["id"]} if rows else {"first_id": None, "last_id": None}
        answer = {"data": rows, "has_more": False, **ends}
    else:
        answer = {"object": "list", "data": rows}
    await send_json(send, request, 200, orjson.dumps(answer), [])


def callable_models(snapshot: Snapshot, asker: Asker, environment: str = "") -> list[Listed]:
    """Return what this caller may name and would be answered by: aliases, agents, then exact versions if it may.

    With another `environment` than the caller's own, aliases and agents are those written `name@environment`.
    """
    suffix = f"@{environment}" if environment else ""
    environment = environment or asker.environment
    is_open = environment in {asker.environment, "sandbox"}
    aliases = [
        _listed(alias.name + suffix, alias.pins[environment].version, alias.created_at)
        for alias in snapshot.aliases.values()
        if is_open
        and alias.is_for(asker.team.id)
        and (not asker.aliases or alias.name in asker.aliases)
        and environment in alias.pins
    ]
    agents = [
        Listed(
            agent.model + suffix, alias.pins[environment].version, agent.created_at, snapshot.teams[agent.team_id].slug
        )
        for agent in snapshot.agents.values()
        if is_open
        and agent.is_for(asker.team.id)
        and (alias := alias_of(agent, snapshot.aliases, asker)) is not None
        and environment in alias.pins
    ]
    exact = [
        _listed(label, version, version.created_at)
        for label, version in snapshot.versions_by_label.items()
        if label not in snapshot.aliases and exact_version(snapshot, asker, label) is not None
    ]
    models = [row for rows in (aliases, agents, exact) for row in sorted(rows, key=lambda row: row.id)]
    return [row for row in models if not row.version.is_retired]


def _listed(name: str, version: VersionShape, created_at: dt.datetime) -> Listed:
    return Listed(name, version, created_at, version.provider.slug)


def _openai(row: Listed) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": row.id,
        "object": "model",
        "created": int(row.created_at.timestamp()),
        "owned_by": row.owner,
    }
    if row.version.shutdown_on is not None:
        entry["shutdown_date"] = row.version.shutdown_on.isoformat()
    return entry


def _anthropic(row: Listed) -> dict[str, Any]:
    created = row.created_at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": "model", "id": row.id, "display_name": row.id, "created_at": created}
