"""The body of a chat completion request."""

from typing import Any

from console.core.errors import BadInput
from console.gateway.shapes import fields, prompt_ref

_ROLES = {"system", "developer", "user", "assistant", "tool", "function"}
_MAX_MESSAGES = 2000
_MAX_TOOLS = 128
_KNOWN = frozenset(
    {
        "model",
        "messages",
        "prompt",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "n",
        "stop",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "user",
        "safety_identifier",
        "metadata",
        "store",
        "service_tier",
        "parallel_tool_calls",
        "tool_choice",
        "tools",
        "functions",
        "function_call",
        "reasoning_effort",
        "verbosity",
        "response_format",
        "prediction",
        "modalities",
        "audio",
        "web_search_options",
        "prompt_cache_key",
        "top_k",
        "min_p",
        "repeat_penalty",
    }
)


def check(value: Any) -> dict[str, Any]:
    """Return the body, ready to be sent on; raise BadInput that names the field at fault."""
    body = fields.model(value)
    if body.get("prompt") is None:
        _messages(body.get("messages"))
        if "prompt" in body:
            body = {name: value for name, value in body.items() if name != "prompt"}
    else:
        prompt_ref.check(body["prompt"])
        if body.get("messages"):
            _messages(body["messages"])
        else:
            body = {name: value for name, value in body.items() if name != "messages"}
    fields.whole(body, "n", 1, 16)
    fields.whole(body, "max_tokens", 1, 10_000_000)
    fields.whole(body, "max_completion_tokens", 1, 10_000_000)
    fields.numbers(body, "temperature", "top_p", "presence_penalty", "frequency_penalty")
    fields.streaming(body)
    for name in ("tools", "functions"):
        tools = body.get(name)
        if tools is not None and (not isinstance(tools, list) or len(tools) > _MAX_TOOLS):
            raise BadInput(f"{name} must be a list of at most {_MAX_TOOLS}.", param=name)
    wanted = body.get("response_format")
    if wanted is not None and not (isinstance(wanted, dict) and isinstance(wanted.get("type"), str)):
        raise BadInput("response_format must be an object with a type.", param="response_format")
    return fields.keep(body, _KNOWN)


def uses_functions(body: dict[str, Any]) -> bool:
    """Say whether a checked body is written with the older `functions` instead of `tools`."""
    return (
        "functions" in body
        or "function_call" in body
        or any(m.get("role") == "function" or m.get("function_call") for m in body.get("messages", ()))
    )


def _messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise BadInput("messages must be a list with at least one message.", param="messages")
    if len(messages) > _MAX_MESSAGES:
        raise BadInput(
            f"A request may have {_MAX_MESSAGES:,} messages; this one has {len(messages):,}.", param="messages"
        )
    for place, message in enumerate(messages):
        if not isinstance(message, dict):
            raise BadInput("Each message must be an object.", param=f"messages[{place}]")
        role = message.get("role")
        if not isinstance(role, str) or role not in _ROLES:
            raise BadInput(
                "role must be one of system, developer, user, assistant, tool, function.",
                param=f"messages[{place}].role",
            )
        content = message.get("content")
        if content is not None and not isinstance(content, str | list):
            raise BadInput("content must be text, a list of parts, or null.", param=f"messages[{place}].content")
        if isinstance(content, list) and not all(isinstance(part, dict) for part in content):
            raise BadInput("Each part of a message's content must be an object.", param=f"messages[{place}].content")
