"""A request to /v1/responses as a chat completion request. What has no counterpart is refused by its name."""

from collections.abc import Iterable
from typing import Any

from console.core.errors import BadInput
from console.gateway.responses.turns import messages_of
from console.gateway.shapes.responses import items_of

# Fields that both have, under the same name: they go along, as do those that only the provider knows.
_SAID_OTHERWISE = frozenset(
    {
        "background",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "messages",
        "metadata",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "reasoning",
        "store",
        "stream_options",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "truncation",
    }
)
_CHOICES = ("none", "auto", "required")
_FORMATS = ("json_schema", "json_object", "text")
LOGPROBS = "message.output_text.logprobs"
# Where to look for the field of a chat completion that a provider refuses.
FIELDS = {
    "response_format": "text.format",
    "response_format.type": "text.format.type",
    "reasoning_effort": "reasoning.effort",
    "verbosity": "text.verbosity",
    "logprobs": "include",
}

Part = dict[str, Any]


def chat_request(body: Part, history: Iterable[Part] = (), *, can_reason: bool, keeps_thoughts: bool) -> Part:
    """Return the chat completion request that a checked body amounts to.

    A prompt of the library has put its own `messages` into the body, to stand first; `history` are the items of the
    responses it goes on from. `keeps_thoughts`: the provider takes back the thoughts it signed.
    """
    chat = {name: value for name, value in body.items() if name not in _SAID_OTHERWISE}
    said = list(body.get("messages", ()))
    if body.get("instructions"):
        said.append({"role": "system", "content": body["instructions"]})
    chat["messages"] = said + messages_of(items_of(body), history, keeps_thoughts=keeps_thoughts)
    if not chat["messages"]:
        raise BadInput("The prompt says nothing; send input beside it.", param="input")
    _tools(body, chat)
    _text(body.get("text") or {}, chat)
    effort = (body.get("reasoning") or {}).get("effort")
    if effort and can_reason:
        chat["reasoning_effort"] = effort
    if body.get("top_logprobs") or LOGPROBS in body.get("include", ()):
        chat["logprobs"] = True
        if body.get("top_logprobs"):
            chat["top_logprobs"] = body["top_logprobs"]
    return chat


def _text(text: Part, chat: Part) -> None:
    if text.get("verbosity"):
        chat["verbosity"] = text["verbosity"]
    wanted = text.get("format") or {"type": "text"}
    if wanted["type"] not in _FORMATS:
        raise BadInput("text.format is of type text, json_schema or json_object.", param="text.format.type")
    if wanted["type"] == "json_schema":
        schema = {name: wanted[name] for name in ("name", "description", "strict", "schema") if name in wanted}
        chat["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", **schema}}
    elif wanted["type"] == "json_object":
        chat["response_format"] = {"type": "json_object"}


def _tools(body: Part, chat: Part) -> None:
    """Say the tools and the choice among them; a choice among none is none, and not all servers take one."""
    if not body.get("tools"):
        return
    tools = [_tool(tool, f"tools[{place}]") for place, tool in enumerate(body["tools"])]
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "function" and isinstance(choice.get("name"), str):
        chat["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    elif isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        # The allowed ones alone come to the same, and every provider understands that.
        allowed = choice.get("tools")
        names = [one.get("name") for one in allowed if isinstance(one, dict)] if isinstance(allowed, list) else []
        tools = [tool for tool in tools if tool["function"]["name"] in names]
        if not tools:
            raise BadInput("tool_choice allows none of the tools.", param="tool_choice.tools")
        chat["tool_choice"] = "required" if choice.get("mode") == "required" else "auto"
    elif choice in _CHOICES:
        chat["tool_choice"] = choice
    elif choice is not None:
        raise BadInput(
            "tool_choice is none, auto, required, a function by its name, or allowed_tools.", param="tool_choice"
        )
    chat["tools"] = tools
    if "parallel_tool_calls" in body:
        chat["parallel_tool_calls"] = body["parallel_tool_calls"]


def _tool(tool: Part, where: str) -> Part:
    if tool["type"] != "function":
        raise BadInput(
            f"A tool of type {tool['type'][:40]!r} runs at OpenAI, and nothing runs it here. Offer a function and run"
            " it yourself, or name an agent that has such a tool: model agent:<its name>.",
            param=f"{where}.type",
        )
    if not isinstance(tool.get("name"), str) or not tool["name"]:
        raise BadInput("A function needs its name.", param=f"{where}.name")
    function = {"name": tool["name"]}
    function |= {name: tool[name] for name in ("description", "parameters", "strict") if tool.get(name) is not None}
    return {"type": "function", "function": function}
