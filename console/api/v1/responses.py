"""/v1/responses/{id} in OpenAI's shape: look at, delete, list what was said; and the way on from a kept one."""

from dataclasses import replace
from typing import Any

import orjson

from console.api import conversations
from console.api import responses as kept_responses
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
    asked = rows.Asked(request, identify, ask, asker)
    if names_items:
        whole = await asked.do(conversations.named_items, asked.caller, items)
        ask = replace(ask, body={**ask.body, "input": whole})
    if name is not None:
        ask = replace(ask, history=tuple(await asked.do(conversations.history, asked.caller, name)))
    return ask


async def retrieve(request: Request, send: Send, name: str) -> None:
    asked = await rows.asked(request, EventType.RESPONSE.value, ROUTE)

    after = await asked.do(background.starting_after, request)
    found = await background.find(asked, name)
    if found is not None and after is not None:
        await asked.do(retrieval.check_followed, found[0], after)
        await asked.do(kept_responses.note_reading, asked.caller, *found, what="events")
        await background.follow(request, send, asked, name, after)
        return

    def see() -> dict[str, Any]:
        if found is not None:
            shown = retrieval.object_of(found[0])
            kept_responses.note_reading(asked.caller, *found, what="response")
            return shown
        kept = kept_responses.find(asked.caller, name)
        if after is not None:
            raise BadInput("Only a response in the background is streamed again; leave stream out.", param="stream")
        kept_responses.record_reading(asked.caller, kept, "response")
        return kept.response

    shown = await asked.do(see)
    call = retrieval.call_of(found[0]) if found is not None else ""
    headers = [(b"x-facet-original-request-id", call.encode())] if call else []
    await send_json(send, request, 200, orjson.dumps(shown), headers)


async def delete(request: Request, send: Send, name: str) -> None:
    asked = await rows.asked(request, EventType.RESPONSE.value, ROUTE)
    found = await background.find(asked, name)
    if found is not None and found[1]:
        await asked.do(services.delete, asked.caller, found[0])
    else:
        await asked.do(kept_responses.forget, asked.caller, name)
    shown = {"id": name, "object": "response", "deleted": True}
    await send_json(send, request, 200, orjson.dumps(shown), [])


async def input_items(request: Request, send: Send, name: str) -> None:
    asked = await rows.asked(request, EventType.RESPONSE.value, f"{ROUTE}/{_ITEMS}")

    def read() -> dict[str, Any]:
        by = rows.paging(request, usual=20, most=100)
        items = listed(said_in(_asked_in(asked, name)), name)
        return _page(items if by.is_ascending else items[::-1], by)

    await send_json(send, request, 200, orjson.dumps(await asked.do(read)), [])


def _asked_in(asked: rows.Asked, name: str) -> dict[str, Any]:
    """Return what a response was asked with: of one that has no answer its row says."""
    found = kept_responses.in_background(asked.caller, name)
    if found is not None and found[0].body:
        kept_responses.note_reading(asked.caller, *found, what=_ITEMS)
        return shapes.asked_in(found[0])
    return kept_responses.read(asked.caller, name, what=_ITEMS).asked


def _page(items: list[dict[str, Any]], by: rows.Paging) -> dict[str, Any]:
    if by.after:
        places = [place for place, item in enumerate(items) if item["id"] == by.after]
        if not places:
            raise BadInput("after is the id of an item of this response.", param="after")
        items = items[places[-1] + 1 :]
    shown = items[: by.limit]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": len(items) > by.limit,
    }


async def cancel(request: Request, send: Send, name: str) -> None:
    asked = await rows.asked(request, EventType.RESPONSE.value, f"{ROUTE}/{_CANCEL}")
    await background.cancel(request, send, asked, name)
