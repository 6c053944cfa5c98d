"""The body of a request to /v1/messages."""

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from console.core import size
from console.core.errors import BadInput
from console.core.pictures import estimated_tokens, pictures_in
from console.gateway.shapes import fields, knowledge_ref, prompt_ref

_ROLES = {"user", "assistant", "system"}
_MAX_MESSAGES = 2000
_MAX_TOOLS = 128
_BETA = re.compile(r"[a-z0-9-]{1,60}")
_MOST_BETAS = 50
KNOWN = frozenset(
    {
        "cache_control",
        "max_tokens",
        "knowledge",
        "messages",
        "metadata",
        "model",
        "output_config",
        "prompt",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)
WITHHELD = frozenset({"service_tier"})
# What a request to count tokens can have: the same without what concerns the answer.
COUNTED = frozenset(
    {"cache_control", "messages", "model", "output_config", "system", "thinking", "tool_choice", "tools"}
)

_CHECKS = {
    "knowledge": knowledge_ref.check,
    "max_tokens": fields.whole_number(1, 10_000_000),
    "temperature": fields.number,
    "top_p": fields.number,
    **fields.STREAMING,
}


def betas_in(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of the names that `anthropic-beta` can have; they become a header to a provider."""
    return tuple(filter(_BETA.fullmatch, map(str.strip, names)))[:_MOST_BETAS]


class ThreadUnsupported(BadInput):
    """A conversation that the provider should hold; Anthropic's clients send the whole when they read these details.

    Which provider answers the next turn is the pin's to say, and what a turn was asked with is for the log.
    """

    details: ClassVar = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}


def check(value: Any) -> dict[str, Any]:
    """Return the body, ready to be sent on; raise BadInput that names the field at fault."""
    body = _checked(value)
    if body.get("thread") is not None:
        raise ThreadUnsupported("Send the whole conversation: no provider holds it for Facet.", param="thread")
    if body.get("max_tokens") is None:
        raise BadInput("Say how many tokens the answer may have at most.", param="max_tokens")
    fields.check_members(body, _CHECKS)
    # Here `metadata` names the caller's own user, for Anthropic's eyes; there is nothing else in it.
    user = (body.get("metadata") or {}).get("user_id")
    if user is not None:
        fields.text("metadata.user_id", user)
    if "metadata" in body and not body["metadata"]:
        body = {name: value for name, value in body.items() if name != "metadata"}
    return fields.theirs(body)


def check_count(value: Any) -> dict[str, Any]:
    """Return the body of a request to count tokens; what else is in it than COUNTED is for the caller's key to say."""
    body = _checked(value)
    if "prompt" in body:
        raise BadInput("Prompts of the library are not counted; leave prompt out.", param="prompt")
    return fields.theirs(body)


def _checked(value: Any) -> dict[str, Any]:
    body = fields.model(value)
    if body.get("prompt") is not None:
        prompt_ref.check(body["prompt"])
        if not body.get("messages"):
            body = {**body, "messages": []}
    else:
        body = {name: value for name, value in body.items() if name != "prompt"}
    if body.get("messages") or "prompt" not in body:
        _messages(body.get("messages"))
    _content(body.get("system"), "system")
    tools = body.get("tools")
    if tools is not None:
        if not isinstance(tools, list) or len(tools) > _MAX_TOOLS:
            raise BadInput(f"tools must be a list of at most {_MAX_TOOLS}.", param="tools")
        if not all(isinstance(tool, dict) for tool in tools):
            raise BadInput("Each tool must be an object.", param="tools")
    for name in ("thinking", "tool_choice", "output_config", "metadata"):
        if body.get(name) is not None and not isinstance(body[name], dict):
            raise BadInput(f"{name} must be an object.", param=name)
    return body


def estimate_tokens(body: dict[str, Any], text: str) -> int:
    """Return an upper estimate of a checked body's tokens, in which the bytes of a picture say little."""
    return estimated_tokens(pictures_in(body["messages"]), size.estimate_tokens(text))


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
            raise BadInput("role must be user, assistant or system.", param=f"messages[{place}].role")
        if message.get("content") is None:
            raise BadInput("Each message needs its content.", param=f"messages[{place}].content")
        _content(message["content"], f"messages[{place}].content")


def _content(content: Any, where: str) -> None:
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list):
        raise BadInput("content must be text or a list of blocks.", param=where)
    for place, block in enumerate(content):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise BadInput("Each block must be an object with a type.", param=f"{where}[{place}]")
        if block["type"] == "tool_result":
            _content(block.get("content"), f"{where}[{place}].content")
