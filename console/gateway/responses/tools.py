"""The tools of a response as functions of a chat completion, and the way back.

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


def input_of(arguments: str) -> str:
    """Return the text a custom tool is called with; where a model wrote something else, all that it wrote."""
    try:
        text = orjson.loads(arguments)[_INPUT]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return arguments
    return text if isinstance(text, str) else arguments


def grouped(tools: Iterable[Part]) -> Iterator[Part]:
    """Return the tools in the namespaces among checked ones; each says which is its own."""
    spaces = (tool for tool in tools if tool.get("type") == "namespace")
    return ({**inner, "namespace": space["name"]} for space in spaces for inner in space["tools"])


def calls_by_name(tools: Iterable[Part]) -> dict[str, Part]:
    """Return what a call says of its tool besides a function's name, by the name chat completions have for that."""
    tools = list(tools)
    custom = (tool for tool in tools if tool.get("type") == "custom")
    return {
        full_name(one): {
            "type": CALLS.get(one["type"], "function_call"),
            **{name: one[name] for name in ("name", "namespace") if name in one},
        }
        for one in (*custom, *grouped(tools))
    }


def say_tools(body: Part, chat: Part) -> None:
    """Say the tools and the choice among them; a choice among none is none, and not all servers take one."""
    if not body.get("tools"):
        return
    tools = [said for place, tool in enumerate(body["tools"]) for said in _told(tool, f"tools[{place}]")]
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in tuple(CALLS) and isinstance(choice.get("name"), str):
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


def _allowed(given: Any, tools: Iterable[Part]) -> set[str]:
    """Return the names that are allowed: functions by their names, or all of a namespace by its own."""
    listed = given if isinstance(given, list) else []
    named = [one for one in listed if isinstance(one, dict) and isinstance(one.get("name"), str)]
    whole = {one["name"] for one in named if one.get("type") == "namespace"}
    of_these = {full_name(one) for one in grouped(tools) if one["namespace"] in whole}
    return of_these | {full_name(one) for one in named}


def _told(tool: Part, where: str) -> Iterator[Part]:
    if tool["type"] == "namespace":
        for place, inner in enumerate(tool["tools"]):
            yield _said({**inner, "namespace": tool["name"]}, f"{where}.tools[{place}]")
    else:
        yield _said(tool, where)


def _said(tool: Part, where: str) -> Part:
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
    said, form = str(tool.get("description") or ""), tool.get("format")
    if isinstance(form, dict) and form.get("type") == "grammar":
        said += f"\n\nThe text follows this grammar ({form.get('syntax')}):\n{form.get('definition')}"
    return said.strip()
