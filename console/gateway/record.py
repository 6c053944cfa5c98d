"""The audit record of a call as JSON, written in pieces: calls on the same terms share one, and the end is appended.

Members are columns of audit_event; what is missing takes the column's default. Where two pieces name the same member
the later one counts, for PostgreSQL keeps the last.
"""

from typing import Any

import orjson

from console.gateway.types import Ask, Asker


def joined(first: bytes, second: bytes) -> bytes:
    """Return two JSON objects as one. Neither may be empty."""
    return first[:-1] + b"," + second[1:]


def of_asker(asker: Asker) -> dict[str, Any]:
    record = {
        "team_id": asker.team.id,
        "team": asker.team.name,
        "actor_kind": asker.actor_kind,
        "actor_id": asker.actor_id,
        "actor": asker.actor,
        "environment": asker.environment,
    }
    if asker.key is not None:
        record |= {"key_id": asker.key.id, "key": asker.key.shown}
    return record


def of_ask(ask: Ask) -> dict[str, Any]:
    record = {
        "id": ask.id,
        "at": ask.at,
        "type": ask.type,
        "surface": ask.surface,
        "route": ask.route,
        "client_address": ask.client_address,
        "client_request_id": ask.client_request_id,
        "stream": ask.is_stream,
    }
    if ask.end_user:
        record["end_user"] = ask.end_user
    if ask.metadata:
        record["metadata"] = ask.metadata
    if ask.prompt is not None:
        record["prompt"] = ask.prompt.record
    if ask.agent is not None:
        record["agent"] = ask.agent.ref
    if ask.knowledge is not None or ask.response_id is not None or ask.trace_parent:
        detail = {} if ask.knowledge is None else {"knowledge": ask.knowledge.record}
        record["detail"] = orjson.dumps(detail | links_of(ask)).decode()
    return record


def links_of(ask: Ask) -> dict[str, str]:
    """Return what leads from a call's line to the response its caller knows, and to the client's own trace."""
    leads = {} if ask.response_id is None else {"response": f"resp_{ask.response_id.hex}"}
    return {**leads, "traceparent": ask.trace_parent} if ask.trace_parent else leads
