"""`model="agent:<short name>"` of an agent with tools at /v1/responses: a run answers, as it does chat completions.

The response is kept like one in the background: a row says which run it is, and with what it was asked.
"""

from typing import Any

import orjson
from django.db import transaction

from agents_app.models import Run
from console.api.background import retrieval, services
from console.api.background.runs import response_of
from console.api.models import BackgroundResponse
from console.api.v1 import agent_chat, background, responses, rows
from console.api.v1.request import Headers, Request
from console.api.v1.sending import Send, dropped_header, send_json
from console.audit.models import EventType
from console.core.errors import BadInput
from console.gateway.identity import KeyIdentity
from console.gateway.shapes.responses import items_of, kind_of
from console.gateway.types import Ask
from console.gateway.unknown_fields import names_of

# What of a request concerns a run.
_TAKEN = frozenset(
    {
        "background",
        "input",
        "instructions",
        "metadata",
        "model",
        "previous_response_id",
        "store",
        "stream",
        "stream_options",
    }
)
_NOT_TAKEN = ("prompt", "knowledge", "tools", "tool_choice")
_TEXTS = {"input_text", "output_text", "text", "refusal"}


async def answer(request: Request, send: Send, identify: KeyIdentity, ask: Ask) -> None:
    ask = await responses.going_on(request, identify, ask)
    client = await rows.authenticate(request, EventType.AGENT.value, ask.route)
    row = await client.do(_start, client, ask)
    run = row.run
    assert run is not None
    headers = [(b"x-facet-run", run.public_id.encode()), (b"x-facet-agent", run.agent.slug.encode())]
    headers += dropped_header(names_of(k for k, v in ask.body.items() if v is not None and k not in _TAKEN))
    waits = not ask.body.get("background")
    if ask.is_stream:
        await background.follow(request, send, client, row.public_id, -1, headers, waits=waits)
        return
    await _answer(request, send, client, row, headers, waits=waits)


async def _answer(
    request: Request, send: Send, client: rows.Client, row: BackgroundResponse, headers: Headers, *, waits: bool
) -> None:
    assert row.run is not None
    if waits:
        progress = await agent_chat.wait_for(client, row.run)
        if progress.run.state in {Run.State.FAILED, Run.State.CANCELLED}:
            raise agent_chat.failed(progress.run)

    def response() -> dict[str, Any]:
        return response_of(retrieval.again(client.caller, row.public_id), waits=waits).events.response

    await send_json(send, request, 200, orjson.dumps(await client.do(response)), headers)


@transaction.atomic
def _start(client: rows.Client, ask: Ask) -> BackgroundResponse:
    run = agent_chat.start(
        client, ask, lambda: _messages(ask), trigger=Run.Trigger.API, not_taken=_NOT_TAKEN, param="input"
    )
    return services.create_for_run(ask, client.asker, run)


def _messages(ask: Ask) -> list[tuple[str, str]]:
    text = ask.body.get("text") or {}
    if (text.get("format") or {"type": "text"}).get("type") != "text":
        raise BadInput(f"{ask.model} answers in its own form; leave text.format out.", param="text.format")
    messages = [("system", str(ask.body["instructions"]))] if ask.body.get("instructions") else []
    for place, item in enumerate([*ask.history, *items_of(ask.body)]):
        where = f"input[{max(0, place - len(ask.history))}]"
        if kind_of(item) == "message":
            messages.append((str(item["role"]), _text(item["content"], where)))
        elif kind_of(item) != "reasoning":
            raise BadInput("Runs take messages; they call their tools themselves.", param=f"{where}.type")
    return messages


def _text(content: Any, where: str) -> str:
    if isinstance(content, str):
        return content
    if any(part["type"] not in _TEXTS for part in content):
        raise BadInput("Runs take text only; leave out images, files and audio.", param=f"{where}.content")
    return "\n".join(str(part.get("text") or part.get("refusal") or "") for part in content)
