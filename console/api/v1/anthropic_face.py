"""Anthropic's specifics of /v1/messages: the format of errors, replays, and the token count."""

from typing import Any

import orjson

from console.api.v1.asks import uncalled
from console.api.v1.request import Request, read_json
from console.api.v1.sending import Send, dropped_header, send_json
from console.audit.models import EventType
from console.core.errors import Refusal
from console.core.sse import named_frames
from console.gateway import pipeline
from console.gateway.identity import KeyIdentity
from console.gateway.resolution import resolve
from console.gateway.shapes import messages
from console.gateway.unknown_fields import dropped_by, names_of
from console.teams.unknown_fields import policy_of

COUNT = "/v1/messages/count_tokens"


async def count_tokens(request: Request, send: Send) -> None:
    """Answer Facet's own estimate, the one that reservations are made of; no provider is asked."""
    identify = KeyIdentity(request.key, request.client_address, request.at)
    ask = uncalled(request, EventType.MESSAGE.value, COUNT)
    try:
        if request.problem is not None:
            raise request.problem
        value, text = await read_json(request)
        body = messages.check_count(value)
        ask = uncalled(request, EventType.MESSAGE.value, COUNT, model=str(body["model"]), text=text)
        snapshot, asker = await pipeline.look_up(identify, ask, started=request.started)
        out = dropped_by(policy_of(asker.key), body.keys() - messages.COUNTED, frozenset())
        resolve(snapshot, asker, ask.model)
    except Refusal as refusal:
        is_of_the_head = refusal is request.problem
        raise await pipeline.refuse(
            identify, ask, refusal, started=request.started, is_for_anybody=is_of_the_head
        ) from None
    counted = {"input_tokens": messages.estimate_tokens(body, text)}
    await send_json(send, request, 200, orjson.dumps(counted), dropped_header(names_of(out)))


def as_stream(message: dict[str, Any]) -> bytes:
    """Return a whole message as the stream a client would have got: each block in one piece."""
    usage = {**(message.get("usage") or {}), "output_tokens": 0}
    started = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": started}]
    for index, block in enumerate(message.get("content", [])):
        start, deltas = _pieces(block)
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    ending = {name: message.get(name) for name in ("stop_reason", "stop_sequence")}
    events.append({"type": "message_delta", "delta": ending, "usage": message.get("usage") or {"output_tokens": 0}})
    events.append({"type": "message_stop"})
    return named_frames(events)


def _pieces(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    kind = block.get("type")
    if kind == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": block.get("text")}]
    if kind == "thinking":
        thought = {"type": "thinking_delta", "thinking": block.get("thinking")}
        signature = {"type": "signature_delta", "signature": block.get("signature")}
        return {**block, "thinking": "", "signature": ""}, [thought, signature]
    if kind == "tool_use":
        written = orjson.dumps(block.get("input")).decode()
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": written}]
    return block, []
