"""Anthropic's specifics of /v1/messages: replays."""

from typing import Any

import orjson

from console.core.sse import named_frames


def as_stream(message: dict[str, Any]) -> bytes:
    """Return a whole message as the stream a client would have got: each block in one piece."""
    usage = {**(message.get("usage") or {}), "output_tokens": 0}
    started = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": started}]
    for index, block in enumerate(message.get("content", [])):
        start, deltas = _deltas(block)
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    ending = {name: message.get(name) for name in ("stop_reason", "stop_sequence")}
    events.append({"type": "message_delta", "delta": ending, "usage": message.get("usage") or {"output_tokens": 0}})
    events.append({"type": "message_stop"})
    return named_frames(events)


def _deltas(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    kind = block.get("type")
    if kind == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": block.get("text")}]
    if kind == "thinking":
        thought = {"type": "thinking_delta", "thinking": block.get("thinking")}
        signature = {"type": "signature_delta", "signature": block.get("signature")}
        return {**block, "thinking": "", "signature": ""}, [thought, signature]
    if kind == "tool_use":
        arguments = orjson.dumps(block.get("input")).decode()
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": arguments}]
    return block, []
