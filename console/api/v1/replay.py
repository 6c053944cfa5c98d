"""A whole answer as the stream a client would have got."""

from typing import Any

import orjson


def as_stream(answer: dict[str, Any], *, include_usage: bool) -> bytes:
    """Return the frames of a chat completion: one chunk a choice, its end, usage when asked for, and [DONE]."""
    head: dict[str, Any] = {k: answer[k] for k in ("id", "created", "model", "system_fingerprint") if k in answer}
    frames: list[dict[str, Any]] = []

    def frame(choices: list[dict[str, Any]], **more: Any) -> None:
        frames.append({**head, "object": "chat.completion.chunk", "choices": choices, **more})

    for choice in answer.get("choices", []):
        index, message = choice.get("index", 0), dict(choice.get("message", {}))
        calls = [{"index": i, **call} for i, call in enumerate(message.pop("tool_calls", None) or [])]
        delta = {k: v for k, v in message.items() if v is not None} | ({"tool_calls": calls} if calls else {})
        frame([{"index": index, "delta": {"role": "assistant", **delta}, "finish_reason": None}])
        frame([{"index": index, "delta": {}, "finish_reason": choice.get("finish_reason")}])
    if include_usage and answer.get("usage"):
        frame([], usage=answer["usage"])
    return b"".join(b"data: " + orjson.dumps(f) + b"\n\n" for f in frames) + b"data: [DONE]\n\n"
