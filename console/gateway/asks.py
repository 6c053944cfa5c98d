"""Build an Ask from a checked body, for every face, batch line and agent step."""

import datetime as dt
import uuid
from typing import Any

import orjson

from console.audit.redaction import kept_metadata, kept_name
from console.core import strict_json
from console.core.ids import time_of, uuid7
from console.gateway.operations import OPERATIONS
from console.gateway.shapes import chat
from console.gateway.types import Ask

_NONE: frozenset[str] = frozenset()


def make_ask(
    operation: str,
    body: dict[str, Any],
    *,
    text: str,
    id: uuid.UUID,
    at: dt.datetime,
    surface: str,
    route: str,
    lane: str = "",
    type: str = "",
    is_keyed: bool = False,
    may_run: bool = False,
    client_address: str = "",
    client_request_id: str = "",
    betas: tuple[str, ...] = (),
    trace_parent: str = "",
    end_user: str = "",
    metadata: dict[str, str] | None = None,
) -> Ask:
    """Return the Ask for a body that `OPERATIONS[operation].check` returned.

    `text` is the body as it was sent, for the log. `type` is what the log calls the call, the operation unless given;
    an empty lane is decided by whether the answer is streamed. `end_user` is whose call it is, and `metadata` what it
    is for, as the log keeps them: `end_user_of` and `metadata_of` a body from outside.
    """
    options, known_fields = body.get("stream_options"), OPERATIONS[operation].known_fields
    return Ask(  # in the order of its members: naming them takes three times as long as making it
        id,
        at,
        type or operation,
        str(body.get("model", "")),
        body,
        text,
        bool(body.get("stream")),
        bool(isinstance(options, dict) and options.get("include_usage")),
        operation == "chat" and '"function' in text and chat.uses_functions(body),
        surface,
        route,
        client_address,
        client_request_id,
        operation,
        lane,
        may_run,
        is_keyed,
        unknown=_NONE if known_fields.issuperset(body) else body.keys() - known_fields,
        betas=betas,
        trace_parent=trace_parent,
        end_user=end_user,
        metadata=metadata,
    )


def end_user_of(operation: str, body: dict[str, Any]) -> str:
    """Return whose call a checked body says it is, as the log keeps it; nothing for most."""
    if operation == "message":
        metadata = body.get("metadata")
        field, named = "user_id", metadata.get("user_id") if metadata else None
    elif named := body.get("safety_identifier"):
        field = "safety_identifier"
    else:
        field, named = "user", body.get("user")
    return kept_name(field, named) if named else ""


def metadata_of(operation: str, body: dict[str, Any], beside: dict[str, str] | None = None) -> dict[str, str] | None:
    """Return what a checked body says the call is for, as the log keeps it; None for most.

    `beside` is what was said beside the body; of what both say the body's counts.
    """
    # In Anthropic's wire format it says whose call it is, and nothing else.
    metadata = body.get("metadata") if operation != "message" else None
    if not metadata and not beside:
        return None
    return kept_metadata({**(beside or {}), **(metadata or {})})


def own_ask(operation: str, body: dict[str, Any], *, id: uuid.UUID | None = None, **more: Any) -> Ask:
    """Return the Ask for a body Facet made itself, checked like one that was sent; Refusal names what is wrong.

    `id` is what its call is known by, a new one unless given, and says when it was asked; `more` is as for `make_ask`.
    """
    value, text = strict_json.loads(orjson.dumps(body))
    id = id or uuid7()
    return make_ask(operation, OPERATIONS[operation].check(value), text=text, id=id, at=time_of(id), **more)
