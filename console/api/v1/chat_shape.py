"""The body of a chat completion request: checked as far as we rely on it, the rest is the model's business."""

from typing import Any

from django.conf import settings

from console.core.errors import BadInput

_ROLES = {"system", "developer", "user", "assistant", "tool", "function"}
_MAX_MESSAGES = 2000
_MAX_TOOLS = 128
_KNOWN = frozenset(
    {
        "model",
        "messages",
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
# For us or for nobody: never sent on. Where a call goes and with whose credentials is not the caller's to say.
_NOT_THEIRS = frozenset({"api_base", "base_url", "api_key", "api_version", "headers", "extra_headers", "extra_body"})
_OURS = frozenset({"metadata", "store", "service_tier"})


def check(body: Any) -> dict[str, Any]:
    """Return the body, ready to be sent on; raise BadInput that names the field at fault."""
    if not isinstance(body, dict):
        raise BadInput("The body must be a JSON object.")
    model = body.get("model")
    if not isinstance(model, str) or not model or len(model) > 200:
        raise BadInput("Name the model to call; GET /v1/models lists them.", param="model")
    _messages(body.get("messages"))
    _whole(body, "n", 1, 16)
    for name in ("max_tokens", "max_completion_tokens"):
        _whole(body, name, 1, 10_000_000)
    for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty"):
        value = body.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise BadInput(f"{name} must be a number.", param=name)
    if not isinstance(body.get("stream", False), bool | None):
        raise BadInput("stream must be true or false.", param="stream")
    options = body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise BadInput("stream_options must be an object.", param="stream_options")
    for name in ("tools", "functions"):
        tools = body.get(name)
        if tools is not None and (not isinstance(tools, list) or len(tools) > _MAX_TOOLS):
            raise BadInput(f"{name} must be a list of at most {_MAX_TOOLS}.", param=name)
    wanted = body.get("response_format")
    if wanted is not None and not (isinstance(wanted, dict) and isinstance(wanted.get("type"), str)):
        raise BadInput("response_format must be an object with a type.", param="response_format")
    return _fields(body)


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


def _whole(body: dict[str, Any], name: str, least: int, most: int) -> None:
    value = body.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most):
        raise BadInput(f"{name} must be a whole number from {least} to {most:,}.", param=name)


def _fields(body: dict[str, Any]) -> dict[str, Any]:
    """Apply the policy for fields we do not know, and keep to ourselves what is ours."""
    if not body.keys().isdisjoint(_NOT_THEIRS):
        name = min(body.keys() & _NOT_THEIRS)
        raise BadInput(f"{name} cannot be set by a request; the alias decides where a call goes.", param=name)
    unknown = body.keys() - _KNOWN
    if unknown and settings.GATEWAY_UNKNOWN_FIELDS == "refuse":
        name = min(unknown)
        raise BadInput(f"{name[:60]!r} is not a field of this request.", param=name[:60])
    left_out = _OURS | (unknown if settings.GATEWAY_UNKNOWN_FIELDS == "drop" else frozenset())
    return body if body.keys().isdisjoint(left_out) else {k: v for k, v in body.items() if k not in left_out}
