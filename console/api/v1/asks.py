"""What the log and admission want to know of requests under /v1/ that call no model."""

from console.api.v1.http import Request
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
    )
