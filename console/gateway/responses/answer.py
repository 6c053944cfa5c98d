"""Convert chat completions to responses."""

import time
import uuid
from typing import Any

from console.gateway.messages.answer import calls_of
from console.gateway.responses.dropped_fields import THOUGHTS
from console.gateway.responses.events import ResponseEvents
from console.gateway.responses.tools import sendable
from console.gateway.sources import member_of
from console.gateway.types import Ask
from console.providers.types import Usage

_ECHOED: dict[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "temperature": None,
    "tool_choice": "auto",
    "top_logprobs": None,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def response_id(id: uuid.UUID) -> str:
    """Return a response's id: that of the request that asked for it."""
    return f"resp_{id.hex}"


def frame_of(ask: Ask) -> dict[str, Any]:
    """Return a response that has not begun to be answered, with what was asked for."""
    body = ask.body
    reasoning = body.get("reasoning") or {}
    text = body.get("text") or {}
    prompt = body.get("prompt") if ask.agent is None else None
    if prompt is not None:
        prompt = {"variables": None, **prompt, "version": str(prompt["version"]) if prompt.get("version") else None}
    frame = {} if ask.knowledge is None else {"facet": member_of(ask.knowledge)}
    return {
        **frame,
        "id": response_id(ask.response_id or ask.id),
        "object": "response",
        "created_at": int(ask.at.timestamp()),
        "status": "in_progress",
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": ask.model,
        "output": [],
        "usage": None,
        "background": body.get("background", False),
        "previous_response_id": body.get("previous_response_id"),
        "prompt": prompt,
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "service_tier": "default",
        "store": body.get("store", True),
        "metadata": body.get("metadata", {}),
        "text": {"format": {"type": "text"}, **text},
        "tools": [_tool(tool) for tool in body.get("tools", ())],
        **{name: body.get(name, usual) for name, usual in _ECHOED.items()},
    }


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    """Return a tool as the typed object has it: functions, also those in a namespace, say all there is to say."""
    if tool.get("type") == "namespace":
        return {"description": "", **tool, "tools": [_tool(inner) for inner in tool["tools"]]}
    return {"description": None, "parameters": None, "strict": None, **tool} if tool["type"] == "function" else tool


def usage_shape(usage: Usage | None) -> dict[str, Any] | None:
    """Return a usage as a response says it, None when the provider did not."""
    if usage is None:
        return None
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_written},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.completion,
    }


def usage_of(prompt: int, completion: int) -> dict[str, Any] | None:
    """Return the usage of several calls together."""
    return usage_shape(Usage(prompt, completion))


def wants_thoughts(ask: Ask) -> bool:
    """Return whether the caller wants the provider's own form of its thoughts, to send them back."""
    return THOUGHTS in ask.body.get("include", ())


def logprobs_of(choice: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the log probabilities of a choice's text, each with all that the typed object has."""
    holder = choice.get("logprobs")
    content = holder.get("content") if isinstance(holder, dict) else None
    return [
        {**_token(token), "top_logprobs": [_token(other) for other in _objects(token.get("top_logprobs"))]}
        for token in _objects(content)
    ]


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _token(logprob: dict[str, Any]) -> dict[str, Any]:
    token = sendable(str(logprob.get("token", "")))
    return {"token": token, "bytes": logprob.get("bytes") or [], "logprob": logprob.get("logprob", 0.0)}


def take(events: ResponseEvents, part: dict[str, Any], logprobs: list[dict[str, Any]], *, seals: bool) -> None:
    """Tell what a message or a delta of one says, in the order that responses have."""
    thoughts = part.get("reasoning_content") or part.get("reasoning")
    details = part.get("reasoning_details") if seals else None
    if isinstance(thoughts, str) and thoughts:
        events.thought(sendable(thoughts))
    if isinstance(details, list) and details:
        events.seal(details)
    for name, say in (("content", events.text), ("refusal", events.refusal)):
        text = part.get(name)
        if isinstance(text, str) and text:
            say(sendable(text), logprobs)
    for place, (call, function) in enumerate(calls_of(part.get("tool_calls"))):
        index = call.get("index")
        events.call(
            index if type(index) is int else place,
            str(call.get("id") or ""),
            str(function.get("name") or ""),
            sendable(str(function.get("arguments") or "")),
        )


def ending(events: ResponseEvents, finish: Any, usage: Usage | None) -> None:
    """End a response as its chat completion ended."""
    reason = _INCOMPLETE.get(finish) if isinstance(finish, str) else None
    events.end(usage_shape(usage), reason=reason, at=int(time.time()))


def response_of(completion: dict[str, Any], usage: Usage | None, ask: Ask) -> dict[str, Any]:
    """Return a chat completion's first choice as a response."""
    choice = completion["choices"][0]
    events = ResponseEvents({**frame_of(ask), "model": str(completion.get("model") or ask.model)})
    take(events, choice["message"], logprobs_of(choice), seals=wants_thoughts(ask))
    ending(events, choice.get("finish_reason"), usage)
    return events.response
