"""Asks for requests under /v1/ that call no model, for the log and admission."""

from typing import Any

from console.api.v1.request import METADATA, Request
from console.core.errors import BadInput
from console.gateway.asks import metadata_of
from console.gateway.shapes import fields
from console.gateway.types import Ask


def uncalled(request: Request, type: str, route: str, *, model: str = "", text: str = "") -> Ask:
    """Return a request that calls no model as an Ask: with the `model` it names all the same, and its body."""
    return Ask(
        id=request.id,
        at=request.at,
        type=type,
        model=model,
        body={},
        text=text,
        route=route,
        client_address=request.client_address,
        client_request_id=request.client_request_id,
        trace_parent=request.trace_parent,
        metadata=metadata_of("", {}, request.metadata),
    )


def metadata_in(request: Request, operation: str, body: dict[str, Any]) -> dict[str, str] | None:
    """Return what a request says it is for, in its header and its checked body, as the log keeps that."""
    metadata = metadata_of(operation, body, request.metadata)
    if metadata and len(metadata) > fields.MOST_LABELS:
        raise BadInput(f"metadata and {METADATA} together take {fields.MOST_LABELS} entries at most.", param=METADATA)
    return metadata
