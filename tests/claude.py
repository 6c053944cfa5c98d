"""Anthropic's side of the wire, scripted: messages, named events, and a check of what it was sent."""

import json
from typing import Any

from tests import sdks
from tests.documented import problems
from tests.upstream import Seen

# Older models take these, and the reference has them, though the client library's types no longer do.
_STILL_TAKEN = {"temperature", "top_p", "top_k"}
USAGE = {
    "input_tokens": 20,
    "cache_read_input_tokens": 100,
    "cache_creation_input_tokens": 30,
    "output_tokens": 7,
    "output_tokens_details": {"thinking_tokens": 4},
}


def text(words: str = "Hello there.") -> dict[str, Any]:
    return {"type": "text", "text": words, "citations": None}


def thought(words: str = "Let me see.", signature: str = "c2lnbmVk") -> dict[str, Any]:
    return {"type": "thinking", "thinking": words, "signature": signature}


def tool_use(name: str = "track", id: str = "toolu_1", **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": name, "input": given}


def message(*blocks: dict[str, Any], stop: str | None = "end_turn", **more: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5",
        "content": list(blocks or [text()]),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": USAGE,
        **more,
    }


def failure(kind: str, words: str = "Nothing for callers' eyes.") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_1"}


def _pieces(block: dict[str, Any], size: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a block as it starts, and the deltas that make it whole."""

    def cut(words: str) -> list[str]:
        return [words[i : i + size] for i in range(0, len(words), size)]

    if block["type"] == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in cut(block["text"])]
    if block["type"] == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in cut(block["thinking"])]
        signature = {"type": "signature_delta", "signature": block["signature"]}
        return {**block, "thinking": "", "signature": ""}, [*deltas, signature]
    if block["type"] == "tool_use":
        written = json.dumps(block["input"]) if block["input"] else ""
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in cut(written)]
    return block, []


def events(whole: dict[str, Any], *, size: int = 5) -> list[dict[str, Any]]:
    """Return a message as the events it is streamed in, with texts cut into pieces of a size."""
    early = {**whole["usage"], "output_tokens": 1}
    late = {"output_tokens": whole["usage"]["output_tokens"], "output_tokens_details": {"thinking_tokens": 4}}
    found: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None, "usage": early}},
        {"type": "ping"},
    ]
    for index, block in enumerate(whole["content"]):
        started, deltas = _pieces(block, size)
        found.append({"type": "content_block_start", "index": index, "content_block": started})
        found += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        found.append({"type": "content_block_stop", "index": index})
    ending = {k: whole.get(k) for k in ("stop_reason", "stop_sequence", "stop_details")}
    return [*found, {"type": "message_delta", "delta": ending, "usage": late}, {"type": "message_stop"}]


def sse(*written: dict[str, Any]) -> bytes:
    return b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in written)


def undocumented(body: dict[str, Any]) -> list[str]:
    """Return what in a request body is not as Anthropic documents it."""
    kinds = sdks.anthropic.types.message_create_params
    kind = kinds.MessageCreateParamsStreaming if body.get("stream") else kinds.MessageCreateParamsNonStreaming
    return problems({k: v for k, v in body.items() if k not in _STILL_TAKEN}, kind)


def check_request(seen: Seen) -> None:
    """Assert that a request is one Anthropic documents, head and body."""
    assert seen.path.endswith("/messages")
    assert seen.headers["anthropic-version"] == "2023-06-01" and seen.headers["content-type"] == "application/json"
    assert "authorization" not in seen.headers
    assert undocumented(seen.body) == []
