"""The body of a chat completion request."""

from typing import Any

from console.core.errors import BadInput
from console.gateway.shapes import fields, knowledge_ref, prompt_ref

_ROLES = {"system", "developer", "user", "assistant", "tool", "function"}
_USUAL_ROLES = ("system", "user", "assistant", "developer", "tool")  # not a set: what is sent may be a list
_MAX_MESSAGES = 2000
_MAX_TOOLS = 128
KNOWN = frozenset(
    {
        "model",
        "knowledge",
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
        "moderation",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "top_k",
        "min_p",
        "repeat_penalty",
    }
)
WITHHELD = fields.NOT_SENT


def _tools(name: str, value: Any) -> None:
    if not isinstance(value, list) or len(value) > _MAX_TOOLS:
        raise BadInput(f"{name} must be a list of at most {_MAX_TOOLS}.", param=name)


def _response_format(name: str, value: Any) -> None:
    if not (isinstance(value, dict) and isinstance(value.get("type"), str)):
        raise BadInput(f"{name} must be an object with a type.", param=name)


_CHECKS = {
    "knowledge": knowledge_ref.check,
    "n": fields.whole_number(1, 16),
    "max_tokens": fields.whole_number(1, 10_000_000),
    "max_completion_tokens": fields.whole_number(1, 10_000_000),
    "temperature": fields.number,
    "top_p": fields.number,
    "presence_penalty": fields.number,
    "frequency_penalty": fields.number,
    "tools": _tools,
    "functions": _tools,
    "response_format": _response_format,
    **fields.STREAMING,
    **fields.END_USER,
    **fields.METADATA,
}


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
    fields.check_members(body, _CHECKS)
    return fields.theirs(body)


def uses_functions(body: dict[str, Any]) -> bool:
    """Return whether a checked body is written with the older `functions` instead of `tools`."""
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
        if type(message) is dict and type(message.get("content")) is str and message.get("role") in _USUAL_ROLES:
            continue
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
