"""Convert Anthropic's messages to chat completions."""

from typing import Any

import orjson

from console.core.clock import now
from console.core.errors import ProviderError
from console.providers.anthropic.thinking import detail
from console.providers.types import Usage

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_MOST_TOKENS = 2**31 - 1
# The tool whose input is the answer, where any JSON is wanted: without a schema, a model is held to no other JSON.
JSON_ANSWER = "facet_json_answer"


def is_json_answer(block: dict[str, Any]) -> bool:
    return block.get("type") == "tool_use" and block.get("name") == JSON_ANSWER


def finish_of(reason: Any, message: dict[str, Any]) -> str:
    """Return OpenAI's word for why a message ended; a reason yet to be invented is an end like any other.

    `message` is what it amounts to: one that only answered by a tool of ours called none of the caller's.
    """
    if reason == "tool_use" and message["content"] and "tool_calls" not in message:
        return "stop"
    return FINISH_REASONS.get(reason, "stop") if isinstance(reason, str) else "stop"


def refusal_of(holder: dict[str, Any]) -> str:
    """Return what was said about a refusal, if anything."""
    details = holder.get("stop_details")
    explanation = details.get("explanation") if isinstance(details, dict) else None
    return explanation if isinstance(explanation, str) and holder.get("stop_reason") == "refusal" else ""


def _tokens(raw: dict[str, Any], name: str) -> int:
    value = raw.get(name)
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else 0


def _is_compaction(step: Any) -> bool:
    return isinstance(step, dict) and step.get("type") == "compaction"


def _for_an_hour(raw: dict[str, Any]) -> int:
    by_time = raw.get("cache_creation")
    return _tokens(by_time, "ephemeral_1h_input_tokens") if isinstance(by_time, dict) else 0


def usage_of(raw: Any) -> Usage | None:
    """Return the usage; None when it makes no sense.

    Anthropic counts what was read from and written to the cache beside the input, not in it, and what it took to
    shorten the conversation before the answer beside both, though it is paid like them.
    """
    if not isinstance(raw, dict) or type(raw.get("output_tokens")) is not int:
        return None
    steps = raw.get("iterations")
    shortened = [step for step in steps if _is_compaction(step)] if isinstance(steps, list) else []
    read, written, unread, completion = (
        sum(_tokens(count, name) for count in (raw, *shortened))
        for name in ("cache_read_input_tokens", "cache_creation_input_tokens", "input_tokens", "output_tokens")
    )
    prompt = unread + read + written
    if max(prompt, completion) > _MOST_TOKENS:
        return None
    details = raw.get("output_tokens_details")
    thought = _tokens(details, "thinking_tokens") if isinstance(details, dict) else 0
    written_1h = min(written, sum(map(_for_an_hour, (raw, *shortened))))
    return Usage(prompt, completion, read, min(thought, completion), written, written_1h)


def usage_shape(usage: Usage) -> dict[str, Any]:
    """Return a usage as OpenAI writes it."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_written},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def call_shape(block: dict[str, Any]) -> dict[str, Any]:
    """Return a tool_use block as a tool call, its input as JSON text."""
    return {
        "id": str(block.get("id") or ""),
        "type": "function",
        "function": {"name": str(block.get("name") or ""), "arguments": arguments_of(block)},
    }


def arguments_of(block: dict[str, Any]) -> str:
    input = block.get("input")
    return orjson.dumps(input if isinstance(input, dict) else {}).decode()


def message_of(blocks: list[Any], refusal: str = "") -> dict[str, Any]:
    """Return the assistant's message that a list of blocks amounts to."""
    texts, thoughts, details, calls = [], [], [], []
    answered = next((block for block in blocks if isinstance(block, dict) and is_json_answer(block)), None)
    for index, block in enumerate(blocks):
        if not isinstance(block, dict):
            raise ProviderError("The provider's answer holds a block that is not an object.", code="upstream_invalid")
        kind = block.get("type")
        if kind == "text":
            texts.append(str(block.get("text") or ""))
        elif is_json_answer(block):
            if block is answered:
                texts.append(arguments_of(block))
        elif kind == "tool_use":
            calls.append(call_shape(block))
        elif (thought := detail(block, index)) is not None:
            details.append(thought)
            thoughts.append(thought.get("text", ""))
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) or None, "refusal": refusal or None}
    if "".join(thoughts):
        message["reasoning_content"] = "".join(thoughts)
    if details:
        message["reasoning_details"] = details
    if calls:
        message["tool_calls"] = calls
    return message


def completion_of(message: Any) -> tuple[dict[str, Any], Usage | None]:
    """Return a message as a chat completion, with its usage."""
    if not isinstance(message, dict) or not isinstance(message.get("content"), list):
        raise ProviderError("The provider's answer is not a message.", code="upstream_invalid")
    message_ = message_of(message["content"], refusal_of(message))
    choice = {
        "index": 0,
        "message": message_,
        "logprobs": None,
        "finish_reason": finish_of(message.get("stop_reason"), message_),
    }
    completion = {
        "id": str(message.get("id") or ""),
        "object": "chat.completion",
        "created": int(now().timestamp()),
        "model": str(message.get("model") or ""),
        "choices": [choice],
    }
    counted = usage_of(message.get("usage"))
    if counted is None:
        return completion, None
    completion["usage"] = usage_shape(counted)
    return completion, counted
