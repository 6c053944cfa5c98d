"""/v1/responses/{id} in OpenAI's shape: look at, delete, list what was said; and the way on from a kept one."""

from dataclasses import replace
from typing import Any

import orjson

from console.api import conversations
from console.api import responses as stored_responses
from console.api.background import retrieval, services, shapes
from console.api.v1 import background, rows
from console.api.v1.request import Request
from console.api.v1.sending import Send, send_json
from console.audit.models import EventType
from console.core.errors import BadInput
from console.gateway import pipeline
from console.gateway.identity import KeyIdentity
from console.gateway.responses.kept import listed, said_in
from console.gateway.shapes.responses import REFERENCE, items_of, kind_of
from console.gateway.types import Ask

ROUTE = "/v1/responses/{response_id}"
_ITEMS, _CANCEL = "input_items", "cancel"


async def going_on(request: Request, identify: KeyIdentity, ask: Ask) -> Ask:
    """Return the ask with the conversation it continues from and the items it names; the same ask without either."""
    name, items = ask.body.get("previous_response_id"), items_of(ask.body)
    names_items = any(kind_of(item) == REFERENCE for item in items)
    if name is None and not names_items:
        return ask
    _, asker = await pipeline.look_up(identify, ask, started=request.started)
    client = rows.Client(request, identify, ask, asker)
    if names_items:
        named = await client.do(conversations.named_items, client.caller, items)
        ask = replace(ask, body={**ask.body, "input": named})
    if name is not None:
        ask = replace(ask, history=tuple(await client.do(conversations.history, client.caller, name)))
    return ask


async def retrieve(request: Request, send: Send, name: str) -> None:
    client = await rows.authenticate(request, EventType.RESPONSE.value, ROUTE)
    after = await client.do(background.starting_after, request)
    background_row = await background.find(client, name)
    if background_row is not None and after is not None:
        await client.do(retrieval.check_followed, background_row[0], after)
        await client.do(stored_responses.note_reading, client.caller, *background_row, part="events")
        await background.follow(request, send, client, name, after)
        return

    def read() -> dict[str, Any]:
        if background_row is not None:
            response = retrieval.object_of(background_row[0])
            stored_responses.note_reading(client.caller, *background_row, part="response")
            return response
        stored = stored_responses.find(client.caller, name)
        if after is not None:
            raise BadInput("Only a response in the background is streamed again; leave stream out.", param="stream")
        stored_responses.record_reading(client.caller, stored, "response")
        return stored.response

    response = await client.do(read)
    call = retrieval.call_of(background_row[0]) if background_row is not None else ""
    headers = [(b"x-facet-original-request-id", call.encode())] if call else []
    await send_json(send, request, 200, orjson.dumps(response), headers)


async def delete(request: Request, send: Send, name: str) -> None:
    client = await rows.authenticate(request, EventType.RESPONSE.value, ROUTE)
    background_row = await background.find(client, name)
    if background_row is not None and background_row[1]:
        await client.do(services.delete, client.caller, background_row[0])
    else:
        await client.do(stored_responses.forget, client.caller, name)
    answer = {"id": name, "object": "response", "deleted": True}
    await send_json(send, request, 200, orjson.dumps(answer), [])


async def input_items(request: Request, send: Send, name: str) -> None:
    client = await rows.authenticate(request, EventType.RESPONSE.value, f"{ROUTE}/{_ITEMS}")

    def read() -> dict[str, Any]:
        by = rows.paging(request, usual=20, most=100)
        items = listed(said_in(_request_of(client, name)), name)
        return _page(items if by.is_ascending else items[::-1], by)

    await send_json(send, request, 200, orjson.dumps(await client.do(read)), [])


def _request_of(client: rows.Client, name: str) -> dict[str, Any]:
    """Return what a response was asked with: of one that has no answer its row says."""
    background_row = stored_responses.in_background(client.caller, name)
    if background_row is not None and background_row[0].body:
        stored_responses.note_reading(client.caller, *background_row, part=_ITEMS)
        return shapes.body_of(background_row[0])
    return stored_responses.read(client.caller, name, part=_ITEMS).request


def _page(items: list[dict[str, Any]], by: rows.Paging) -> dict[str, Any]:
    if by.after:
        places = [place for place, item in enumerate(items) if item["id"] == by.after]
        if not places:
            raise BadInput("after is the id of an item of this response.", param="after")
        items = items[places[-1] + 1 :]
    page = items[: by.limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(items) > by.limit,
    }


async def cancel(request: Request, send: Send, name: str) -> None:
    client = await rows.authenticate(request, EventType.RESPONSE.value, f"{ROUTE}/{_CANCEL}")
    await background.cancel(request, send, client, name)
