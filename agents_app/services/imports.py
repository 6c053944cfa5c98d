"""Create tools from an OpenAPI document. Reading a document makes no calls; fetching it is recorded as one."""

from collections.abc import Collection, Mapping

from django.db import transaction

from agents_app.models import Tool
from agents_app.services import tools
from agents_app.tools import web
from agents_app.tools.base import ToolFailed
from agents_app.tools.http.document import LARGEST, read_document
from agents_app.tools.http.openapi import Operation, operations
from console.core.errors import BadInput
from console.gateway import sync
from console.teams.actors import Actor
from console.teams.models import Team

FETCH_SECONDS = 20.0
MOST_AT_ONCE = 50


def fetch_document(url: str) -> str:
    """Return the text at an address, by the guarded way out; BadInput says why there is none."""
    web.checked_address(url.partition("?")[0], "url")
    try:
        answer = sync.run(web.exchange("GET", url, headers={}, seconds=FETCH_SECONDS, may_change=False, limit=LARGEST))
    except ToolFailed as failed:
        raise BadInput(failed.sentence, param="url") from None
    if answer.status != 200:
        raise BadInput(f"The server answered {answer.status} there, so there is no document.", param="url")
    return answer.text


def read_operations(document: str, *, server: str = "", found_at: str = "") -> list[Operation]:
    """Return what a document offers, each operation with why it cannot be a tool, if so."""
    if server:
        web.checked_address(server, "server")
    return operations(read_document(document), server=server, found_at=found_at)


@transaction.atomic
def import_operations(
    *,
    actor: Actor,
    team: Team,
    document: str,
    chosen: Collection[str],
    server: str = "",
    found_at: str = "",
    secret: str = "",
) -> list[Tool]:
    """Make a tool of each chosen operation (`GET /orders/{id}`), all or none.

    One secret serves those that need one, and these must be of one server: each operation may name its own.
    """
    if not 0 < len(chosen) <= MOST_AT_ONCE:
        raise BadInput(f"Choose 1 to {MOST_AT_ONCE} operations.", param="operations")
    offered = {operation.key: operation for operation in read_operations(document, server=server, found_at=found_at)}
    operations = [_usable(offered, key) for key in chosen]
    origins = sorted({operation.origin for operation in operations if operation.config["secret"]}) if secret else []
    if len(origins) > 1:
        raise BadInput(
            f"The secret would be sent to {', '.join(origins)[:300]}. Choose operations of one of them at a time, or "
            "write the address of the API.",
            param="operations",
        )
    return [
        tools.create_tool(
            actor=actor,
            team=team,
            kind="http",
            slug=operation.slug,
            name=operation.name,
            description=operation.description,
            parameters=operation.parameters,
            config=operation.config,
            secret=secret if operation.config["secret"] else "",
            effect=Tool.Effect.READ if operation.is_read else Tool.Effect.WRITE,
            is_idempotent=operation.is_read,
        )
        for operation in operations
    ]


def _usable(offered: Mapping[str, Operation], key: str) -> Operation:
    operation = offered.get(key)
    if operation is None or operation.trouble:
        why = f": {operation.trouble}" if operation else ", which the document does not have"
        raise BadInput(f"{key[:100]} cannot be a tool{why}.", param="operations")
    return operation
