"""Counts of what a request's input comes to, without asking a model: `messages/count_tokens`, `responses/input_tokens`.

The numbers are Facet's own estimates, those that reservations are made of.
"""

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any

import orjson

from console.api.v1.asks import uncalled
from console.api.v1.request import Request, read_json
from console.api.v1.sending import Send, dropped_header, send_json
from console.audit.models import EventType
from console.core.errors import BadInput, Refusal
from console.gateway import agents, pipeline
from console.gateway.identity import KeyIdentity
from console.gateway.resolution import resolve
from console.gateway.shapes import messages, responses
from console.gateway.unknown_fields import dropped_by, names_of
from console.teams.unknown_fields import policy_of

OF_MESSAGES = "/v1/messages/count_tokens"
OF_RESPONSES = "/v1/responses/input_tokens"


@dataclass(frozen=True, slots=True)
class _Count:
    """How one route counts: what its body may have, and how the number is told."""

    route: str
    type: EventType
    fields: Set[str]
    check: Callable[[Any], dict[str, Any]]
    estimate: Callable[[dict[str, Any], str], int]
    frame: dict[str, str]


async def count_messages(request: Request, send: Send) -> None:
    """Answer `{"input_tokens": n}`, as Anthropic does."""
    await _count(_MESSAGES, request, send)


async def count_responses(request: Request, send: Send) -> None:
    """Answer `{"object": "response.input_tokens", "input_tokens": n}`, as OpenAI does."""
    await _count(_RESPONSES, request, send)


_MESSAGES = _Count(OF_MESSAGES, EventType.MESSAGE, messages.COUNTED, messages.check_count, messages.estimate_tokens, {})
_RESPONSES = _Count(
    OF_RESPONSES,
    EventType.RESPONSE,
    responses.COUNTED,
    responses.check_count,
    responses.estimate_tokens,
    {"object": "response.input_tokens"},
)


async def _count(count: _Count, request: Request, send: Send) -> None:
    identify = KeyIdentity(request.key, request.client_address, request.at)
    ask = uncalled(request, count.type.value, count.route)
    try:
        if request.problem is not None:
            raise request.problem
        value, text = await read_json(request)
        body = count.check(value)
        ask = uncalled(request, count.type.value, count.route, model=str(body["model"]), text=text)
        if ask.model.startswith(agents.PREFIX):
            raise BadInput("What an agent adds is not counted; name its alias.", param="model")
        snapshot, asker = await pipeline.look_up(identify, ask, started=request.started)
        out = dropped_by(policy_of(asker.key), body.keys() - count.fields, frozenset())
        resolve(snapshot, asker, ask.model)
    except Refusal as refusal:
        is_of_the_head = refusal is request.problem
        raise await pipeline.refuse(
            identify, ask, refusal, started=request.started, is_for_anybody=is_of_the_head
        ) from None
    counted = {**count.frame, "input_tokens": count.estimate(body, text)}
    await send_json(send, request, 200, orjson.dumps(counted), dropped_header(names_of(out)))
