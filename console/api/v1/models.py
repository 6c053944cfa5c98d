"""GET /v1/models: the aliases the key may call, in OpenAI's shape or, for their client, Anthropic's."""

import datetime as dt
from typing import Any

import orjson

from console.api.v1.http import Request, Send, send_json
from console.audit.models import EventType
from console.catalog.shapes import AliasShape
from console.core.errors import NotFound
from console.gateway import pipeline
from console.gateway.identity import KeyIdentity
from console.gateway.snapshot import Snapshot
from console.gateway.types import Ask, Asker

ROUTE = "/v1/models"


async def models(request: Request, send: Send, name: str = "") -> None:
    """Answer the list, or with `name` one of it."""
    identify = KeyIdentity(request.key, request.client_address, request.at)
    ask = Ask(
        id=request.id,
        at=request.at,
        type=EventType.MODELS.value,
        model=name,
        body={},
        text="",
        route=ROUTE,
        client_address=request.client_address,
        client_request_id=request.client_request_id,
    )
    if request.problem is not None:
        raise await pipeline.refuse(identify, ask, request.problem, started=request.started, is_for_anybody=True)
    snapshot, asker = await pipeline.look_up(identify, ask, started=request.started)
    found = [alias for alias in callable_aliases(snapshot, asker) if not name or alias.name == name]
    if name and not found:
        message = f"The model {name[:100]!r} does not exist or this key may not call it."
        unknown = NotFound(message, param="model", code="model_not_found")
        raise await pipeline.refuse(identify, ask, unknown, started=request.started)
    as_anthropic = request.has_anthropic_version
    rows = [_anthropic(a) if as_anthropic else _openai(a, asker) for a in found]
    answer: dict[str, Any]
    if name:
        answer = rows[0]
    elif as_anthropic:
        ends = {"first_id": rows[0]["id"], "last_id": rows[-1]["id"]} if rows else {"first_id": None, "last_id": None}
        answer = {"data": rows, "has_more": False, **ends}
    else:
        answer = {"object": "list", "data": rows}
    await send_json(send, request, 200, orjson.dumps(answer), [])


def callable_aliases(snapshot: Snapshot, asker: Asker) -> list[AliasShape]:
    """Return the aliases this caller may name and would be answered by, by name."""
    return sorted(
        (
            alias
            for alias in snapshot.aliases.values()
            if alias.is_for(asker.team.id)
            and (not asker.aliases or alias.name in asker.aliases)
            and asker.environment in alias.pins
            and not alias.pins[asker.environment].version.is_retired
        ),
        key=lambda alias: alias.name,
    )


def _openai(alias: AliasShape, asker: Asker) -> dict[str, Any]:
    version = alias.pins[asker.environment].version
    row: dict[str, Any] = {
        "id": alias.name,
        "object": "model",
        "created": int(alias.created_at.timestamp()),
        "owned_by": version.provider.slug,
    }
    if version.shutdown_on is not None:
        row["shutdown_date"] = version.shutdown_on.isoformat()
    return row


def _anthropic(alias: AliasShape) -> dict[str, Any]:
    created = alias.created_at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": "model", "id": alias.name, "display_name": alias.name, "created_at": created}
