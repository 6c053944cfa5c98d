"""Convert a whole answer to the stream a client would have received."""

from typing import Any

from console.core import sse


def as_stream(answer: dict[str, Any], *, include_usage: bool) -> bytes:
    """Return the frames of an answer: what each choice holds, its end, usage when asked for, and [DONE]."""
    is_chat = answer.get("object") != "text_completion"
    head: dict[str, Any] = {k: answer[k] for k in ("id", "created", "model", "system_fingerprint") if k in answer}
    head["object"] = "chat.completion.chunk" if is_chat else "text_completion"
    choices = answer.get("choices", [])
    frames: list[dict[str, Any]] = [
        {**head, "choices": [part]} for choice in choices for part in (_chat if is_chat else _text)(choice)
    ]
    if include_usage and answer.get("usage"):
        frames = [{**frame, "usage": None} for frame in frames]
        frames.append({**head, "choices": [], "usage": answer["usage"]})
    if "facet" in answer and frames:
        frames[0]["facet"] = answer["facet"]
    return b"".join(sse.frame(frame) for frame in frames) + sse.DONE


def _chat(choice: dict[str, Any]) -> list[dict[str, Any]]:
    index, message = choice.get("index", 0), dict(choice.get("message", {}))
    calls = [{"index": i, **call} for i, call in enumerate(message.pop("tool_calls", None) or [])]
    delta = {k: v for k, v in message.items() if v is not None} | ({"tool_calls": calls} if calls else {})
    return [
        {"index": index, "delta": {"role": "assistant", **delta}, "finish_reason": None},
        {"index": index, "delta": {}, "finish_reason": choice.get("finish_reason")},
    ]


def _text(choice: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**choice, "finish_reason": None}, {**choice, "text": "", "logprobs": None}]
