"""Convert a request to /v1/messages to a chat completion. Fields without counterpart are refused by name."""

import base64
import hashlib
from typing import Any

import orjson

from console.core.errors import BadInput
from console.gateway.messages.names import short
from console.gateway.messages.schemas import can_be_strict

# Hints that only Anthropic's own models take: left out, and named to the caller.
HINTS = {"cache_control", "context_management", "diagnostics", "inference_geo"}
_NOT_SAID = HINTS | {"metadata", "output_config", "speed", "stop_sequences", "system", "thinking"}
# Without these the answer would be another one.
_ONLY_THEIRS = ("compaction", "container", "fallbacks", "mcp_servers")
_SAID_OTHERWISE = {"messages", "max_tokens", "tools", "tool_choice"}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_MOST_OF_A_USER = 64  # letters; Claude Code writes some two hundred, and OpenAI refuses the request for them
_SHOWN = {"image", "document"}
THOUGHTS = {"thinking", "redacted_thinking"}

Part = dict[str, Any]


def chat_request(body: dict[str, Any], *, can_reason: bool) -> dict[str, Any]:
    """Return the chat completion request that a checked body amounts to; other fields go along as they are."""
    for name in _ONLY_THEIRS:
        if body.get(name):
            raise BadInput(f"{name} needs a model of Anthropic's.", param=name)
    chat = {k: v for k, v in body.items() if k not in _NOT_SAID | _SAID_OTHERWISE and v is not None}
    chat["messages"] = _messages(body)
    chat["max_tokens"] = body["max_tokens"]
    if body.get("stop_sequences"):
        chat["stop"] = body["stop_sequences"]
    user = (body.get("metadata") or {}).get("user_id")
    if isinstance(user, str) and user:
        chat["user"] = user if len(user) <= _MOST_OF_A_USER else hashlib.sha256(user.encode()).hexdigest()
    _tools(body, chat)
    config = body.get("output_config") or {}
    format = config.get("format")
    if isinstance(format, dict):
        is_strict = can_be_strict(format.get("schema"))
        schema = {"name": "answer", "strict": is_strict, "schema": format.get("schema")}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    if can_reason and (effort := _effort(body.get("thinking") or {}, config)):
        chat["reasoning_effort"] = effort
    return chat


def _effort(thinking: dict[str, Any], config: dict[str, Any]) -> str:
    """Return how hard to try: as said in a word, or by the size of the budget."""
    if isinstance(config.get("effort"), str):
        return "xhigh" if config["effort"] == "max" else str(config["effort"])
    budget = thinking.get("budget_tokens")
    if thinking.get("type") != "enabled" or not isinstance(budget, int):
        return ""
    return "low" if budget <= 2048 else "medium" if budget <= 8192 else "high"


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if body.get("system"):
        messages.append({"role": "system", "content": _text_of(body["system"], "system")})
    for place, message in enumerate(body["messages"]):
        where, role, content = f"messages[{place}].content", message["role"], message["content"]
        if role == "system":
            messages.append({"role": "system", "content": _text_of(content, where)})
        elif isinstance(content, str):
            messages.append({"role": role, "content": content})
        elif role == "assistant":
            messages.append(_assistant(content, where))
        else:
            messages += _user(content, where)
    return messages


def _text_of(content: Any, where: str) -> str:
    """Return content that may be text only."""
    if isinstance(content, str):
        return content
    for place, block in enumerate(content):
        if block["type"] != "text":
            raise _only_theirs(block, f"{where}[{place}]")
    return "\n\n".join(str(block.get("text") or "") for block in content)


def _assistant(blocks: list[Part], where: str) -> dict[str, Any]:
    """Return an assistant's turn. Thoughts are signed for the model that had them and mean nothing to another."""
    texts, calls = [], []
    for place, block in enumerate(blocks):
        if block["type"] == "text":
            texts.append(str(block.get("text") or ""))
        elif block["type"] == "tool_use":
            function = {
                "name": short(str(block.get("name"))),
                "arguments": orjson.dumps(block.get("input") or {}).decode(),
            }
            calls.append({"id": str(block.get("id")), "type": "function", "function": function})
        elif block["type"] not in THOUGHTS:
            raise _only_theirs(block, f"{where}[{place}]")
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) or None}
    if calls:
        message["tool_calls"] = calls
    return message


def _user(blocks: list[Part], where: str) -> list[dict[str, Any]]:
    """Return a user's turn: the results of tools first, each a message of its own, then what the user says.

    A tool's message holds text only, so pictures and documents of a result stand before the user's words.
    """
    results, parts = [], []
    for place, block in enumerate(blocks):
        if block["type"] == "tool_result":
            content, inside = block.get("content") or "", f"{where}[{place}].content"
            if isinstance(content, list):
                pictures = [(at, item) for at, item in enumerate(content) if item["type"] in _SHOWN]
                parts += [_part(item, f"{inside}[{at}]") for at, item in pictures]
                content = [item for item in content if item["type"] not in _SHOWN]
            text = _text_of(content, inside)
            results.append({"role": "tool", "tool_call_id": str(block.get("tool_use_id")), "content": text})
        else:
            parts.append(_part(block, f"{where}[{place}]"))
    return [*results, {"role": "user", "content": parts}] if parts else results


def _part(block: Part, where: str) -> Part:
    source = block.get("source")
    source = source if isinstance(source, dict) else {}
    kind = block["type"], source.get("type")
    if block["type"] == "text":
        return {"type": "text", "text": str(block.get("text") or "")}
    if kind == ("image", "base64"):
        return {"type": "image_url", "image_url": {"url": _data_url(source)}}
    if kind == ("image", "url"):
        return {"type": "image_url", "image_url": {"url": str(source.get("url"))}}
    if kind == ("document", "base64"):
        return {
            "type": "file",
            "file": {"filename": str(block.get("title") or "document"), "file_data": _data_url(source)},
        }
    if kind == ("document", "text"):
        data = base64.b64encode(str(source.get("data") or "").encode()).decode()
        url = f"data:text/plain;base64,{data}"
        return {"type": "file", "file": {"filename": str(block.get("title") or "document"), "file_data": url}}
    raise _only_theirs(block, where)


def _data_url(source: Part) -> str:
    return f"data:{source.get('media_type')};base64,{source.get('data')}"


def _tools(body: dict[str, Any], chat: dict[str, Any]) -> None:
    if not body.get("tools"):
        return
    chat["tools"] = [_tool(tool, f"tools[{place}]") for place, tool in enumerate(body["tools"])]
    choice = body.get("tool_choice") or {"type": "auto"}
    if choice.get("type") == "tool":
        chat["tool_choice"] = {"type": "function", "function": {"name": short(str(choice.get("name")))}}
    elif isinstance(choice.get("type"), str) and choice["type"] in _CHOICES:
        chat["tool_choice"] = _CHOICES[choice["type"]]
    else:
        raise BadInput("tool_choice must be of type auto, any, none or tool.", param="tool_choice.type")
    if choice.get("disable_parallel_tool_use"):
        chat["parallel_tool_calls"] = False


def _tool(tool: Part, where: str) -> Part:
    if tool.get("type") not in (None, "custom") or not isinstance(tool.get("name"), str):
        raise BadInput("A tool that Anthropic runs needs a model of Anthropic's.", param=f"{where}.type")
    parameters = tool.get("input_schema") or {"type": "object", "properties": {}}
    function = {"name": short(tool["name"]), "parameters": parameters}
    if tool.get("description"):
        function["description"] = tool["description"]
    if tool.get("strict") and can_be_strict(function["parameters"]):
        function["strict"] = True
    return {"type": "function", "function": function}


def _only_theirs(block: Part, where: str) -> BadInput:
    return BadInput(f"A block of type {block['type'][:40]!r} needs a model of Anthropic's.", param=f"{where}.type")
