"""Convert chat completions to Anthropic's messages."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from console.core.errors import ProviderError
from console.providers.types import Usage

Names = Mapping[str, str]
_AS_SAID: Names = {}
STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}


def stop_of(finish: Any, *, has_refused: bool, has_calls: bool) -> str:
    """Return Anthropic's word for why an answer ended.

    OpenAI ends with `stop` what it refuses and calls that were asked for by name; here both have words of their own.
    """
    reason = STOP_REASONS.get(finish, "end_turn") if isinstance(finish, str) else "end_turn"
    if reason != "end_turn":
        return reason
    return "tool_use" if has_calls else "refusal" if has_refused else reason


def usage_shape(usage: Usage | None) -> dict[str, int]:
    """Return a usage as Anthropic writes it, where what was read from or written to a cache is beside the input."""
    counted = usage or Usage(0, 0)
    return {
        "input_tokens": counted.prompt - counted.cached - counted.cache_written,
        "cache_read_input_tokens": counted.cached,
        "cache_creation_input_tokens": counted.cache_written,
        "output_tokens": counted.completion,
    }


def message_shape(id: Any, model: Any, **more: Any) -> dict[str, Any]:
    """Return the frame of a message; a chat completion's id gets the prefix that a message's has."""
    name = str(id or "").removeprefix("chatcmpl-")
    return {
        "id": name if name.startswith("msg_") else f"msg_{name}",
        "type": "message",
        "role": "assistant",
        "model": str(model or ""),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        **more,
    }


def _input(arguments: Any) -> dict[str, Any]:
    try:
        value = orjson.loads(arguments or "{}")
    except (orjson.JSONDecodeError, TypeError):
        value = None
    if not isinstance(value, dict):
        raise ProviderError("The model called a tool with what is not a JSON object.", code="upstream_invalid")
    return value


def calls_of(calls: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the calls of a message or a delta, each with its function; what is neither is left out."""
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            function = call.get("function")
            yield call, function if isinstance(function, dict) else {}


def tool_use(call: dict[str, Any], function: dict[str, Any], input: dict[str, Any], names: Names) -> dict[str, Any]:
    """Return a call as a block."""
    id, name = str(call.get("id") or ""), str(function.get("name") or "")
    return {"type": "tool_use", "id": id, "name": names.get(name, name), "input": input}


def message_of(completion: dict[str, Any], usage: Usage | None, names: Names = _AS_SAID) -> dict[str, Any]:
    """Return a chat completion's first choice as a message; `names` has in full what tools were called by less."""
    choice = completion["choices"][0]
    message = choice["message"]
    blocks: list[dict[str, Any]] = []
    thoughts = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(thoughts, str) and thoughts:
        blocks.append({"type": "thinking", "thinking": thoughts, "signature": ""})
    text = message.get("content") or message.get("refusal")
    if isinstance(text, str) and text:
        blocks.append({"type": "text", "text": text})
    calls = list(calls_of(message.get("tool_calls")))
    blocks += [tool_use(call, function, _input(function.get("arguments")), names) for call, function in calls]
    return message_shape(
        completion.get("id"),
        completion.get("model"),
        content=blocks,
        stop_reason=stop_of(
            choice.get("finish_reason"), has_refused=bool(message.get("refusal")), has_calls=bool(calls)
        ),
        usage=usage_shape(usage),
    )
