"""Convert tools of a response to functions of a chat completion, and back.

A chat completion has functions only. The name of a namespace, which groups tools, stands before the names of those in
it. A custom tool, which takes text of any form, is a function with that text for its one argument.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from console.core.errors import BadInput

Part = dict[str, Any]
CALLS = {"function": "function_call", "custom": "custom_tool_call"}  # what a tool's calls are, by its type
_INPUT = "input"
_CHOICES = ("none", "auto", "required")
_TEXT_ONLY = {
    "type": "object",
    "properties": {_INPUT: {"type": "string"}},
    "required": [_INPUT],
    "additionalProperties": False,
}


def full_name(function: Part) -> str:
    """Return the name a chat completion has for a function, a call of one, or a choice of one."""
    namespace = function.get("namespace")
    return f"{namespace}__{function['name']}" if namespace else str(function["name"])


def arguments_of(call: Part) -> Any:
    """Return the arguments of a call as a chat completion has them; what is no text, as it is."""
    if call.get("type") != CALLS["custom"]:
        return call.get("arguments") or "{}"
    text = call.get("input") or ""
    return orjson.dumps({_INPUT: text}).decode() if isinstance(text, str) else text


def sendable(text: str) -> str:
    """Return what a model wrote as what a request may hold: JSON can spell a NUL, which no body is let in with."""
    return text.replace("\0", "\ufffd")


def input_of(arguments: str) -> str:
    """Return the text a custom tool is called with; where a model wrote something else, all that it wrote."""
    try:
        text = orjson.loads(arguments)[_INPUT]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return arguments
    return sendable(text) if isinstance(text, str) else arguments


def flat(tools: Iterable[Part]) -> Iterator[tuple[Part, str]]:
    """Return checked tools one by one, each with its place; those in a namespace say in which, and no others do."""
    for place, tool in enumerate(tools):
        if tool.get("type") == "namespace":
            for inner, inner_tool in enumerate(tool["tools"]):
                yield {**inner_tool, "namespace": tool["name"]}, f"tools[{place}].tools[{inner}]"
        else:
            yield {name: value for name, value in tool.items() if name != "namespace"}, f"tools[{place}]"


def calls_by_name(tools: Iterable[Part]) -> dict[str, Part]:
    """Return what a call says of its tool besides a function's name, by the name chat completions have for that."""
    return {
        full_name(tool): {
            "type": CALLS.get(tool["type"], "function_call"),
            **{name: tool[name] for name in ("name", "namespace") if name in tool},
        }
        for tool, _ in flat(tools)
        if _is_told_otherwise(tool)
    }


def _is_told_otherwise(tool: Part) -> bool:
    """Return whether calls of a tool are more than those of a function of that name."""
    return tool.get("type") == "custom" or "namespace" in tool


def say_tools(body: Part, chat: Part) -> None:
    """Say the tools and the choice among them; a choice among none is none, and not all servers take one."""
    if not body.get("tools"):
        return
    offered = list(flat(body["tools"]))
    tools = [_as_chat_tool(tool, where) for tool, where in offered]
    _check_names(offered)
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in tuple(CALLS) and _is_name(choice):
        chat["tool_choice"] = {"type": "function", "function": {"name": full_name(choice)}}
    elif isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        # The allowed ones alone come to the same, and every provider understands that.
        names = _allowed(choice.get("tools"), body["tools"])
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


def _allowed(choices: Any, tools: Iterable[Part]) -> set[str]:
    """Return the names that are allowed: functions by their names, or all of a namespace by its own."""
    listed = choices if isinstance(choices, list) else []
    named = [tool for tool in listed if isinstance(tool, dict) and isinstance(tool.get("name"), str)]
    namespaces = {tool["name"] for tool in named if tool.get("type") == "namespace"}
    of_these = {full_name(tool) for tool, _ in flat(tools) if tool.get("namespace") in namespaces}
    return of_these | {full_name(tool) for tool in named}


def _is_name(choice: Part) -> bool:
    return isinstance(choice.get("name"), str) and isinstance(choice.get("namespace"), str | None)


def _check_names(tools: Iterable[tuple[Part, str]]) -> None:
    """Refuse a name that two tools come to, since a call of it could mean either.

    Functions alone that share one are the provider's to judge: their calls are told as they come.
    """
    names: dict[str, bool] = {}
    for tool, where in tools:
        name, is_told_otherwise = full_name(tool), _is_told_otherwise(tool)
        if name in names and (is_told_otherwise or names[name]):
            raise BadInput(
                f"Two tools would be the function {name[:100]!r} for the model, so its calls could mean either; rename"
                " one. The name of a namespace stands before those in it, with two underscores.",
                param=f"{where}.name",
            )
        names[name] = names.get(name, False) or is_told_otherwise


def _as_chat_tool(tool: Part, where: str) -> Part:
    if tool["type"] not in CALLS:
        raise BadInput(
            f"A tool of type {tool['type'][:40]!r} runs at OpenAI, and nothing runs it here. Offer a function and run"
            " it yourself, or name an agent that has such a tool: model agent:<its name>.",
            param=f"{where}.type",
        )
    function: Part = {"name": full_name(tool)}
    if tool["type"] == "custom":
        function |= {"description": _with_grammar(tool), "parameters": _TEXT_ONLY}
    else:
        function |= {name: tool[name] for name in ("description", "parameters", "strict") if tool.get(name) is not None}
    return {"type": "function", "function": function}


def _with_grammar(tool: Part) -> str:
    """Return a custom tool's description, and the grammar of its text, which nothing here can promise."""
    description, form = str(tool.get("description") or ""), tool.get("format")
    if isinstance(form, dict) and form.get("type") == "grammar":
        description += f"\n\nThe text follows this grammar ({form.get('syntax')}):\n{form.get('definition')}"
    return description.strip()
