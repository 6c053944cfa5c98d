"""The tools of a response as functions of a chat completion, and the way back.

A response may group functions in a namespace, and calls say both names. A chat completion has functions only: there
the namespace's name stands before the function's.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from console.core.errors import BadInput

Part = dict[str, Any]
_CHOICES = ("none", "auto", "required")


def full_name(function: Part) -> str:
    """Return the name a chat completion has for a function, a call of one, or a choice of one."""
    namespace = function.get("namespace")
    return f"{namespace}__{function['name']}" if namespace else str(function["name"])


def functions_of(tools: Iterable[Part]) -> Iterator[Part]:
    """Return the functions in the namespaces among checked tools; each says which is its own."""
    spaces = (tool for tool in tools if tool.get("type") == "namespace")
    return ({**inner, "namespace": space["name"]} for space in spaces for inner in space["tools"])


def grouped(tools: Iterable[Part]) -> dict[str, Part]:
    """Return the two names that a call says of each function in a namespace, by the one chat completions have."""
    return {full_name(one): {"name": one["name"], "namespace": one["namespace"]} for one in functions_of(tools)}


def say_tools(body: Part, chat: Part) -> None:
    """Say the tools and the choice among them; a choice among none is none, and not all servers take one."""
    if not body.get("tools"):
        return
    tools = [said for place, tool in enumerate(body["tools"]) for said in _told(tool, f"tools[{place}]")]
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "function" and isinstance(choice.get("name"), str):
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
    of_these = {full_name(one) for one in functions_of(tools) if one.get("namespace") in whole}
    return of_these | {full_name(one) for one in named}


def _told(tool: Part, where: str) -> Iterator[Part]:
    if tool["type"] == "namespace":
        for place, inner in enumerate(tool["tools"]):
            yield _function({**inner, "namespace": tool["name"]}, f"{where}.tools[{place}]")
    else:
        yield _function(tool, where)


def _function(tool: Part, where: str) -> Part:
    if tool["type"] == "custom":
        raise BadInput(
            "A custom tool takes text of any form, which models are not told of here. Offer a function with one text.",
            param=f"{where}.type",
        )
    if tool["type"] != "function":
        raise BadInput(
            f"A tool of type {tool['type'][:40]!r} runs at OpenAI, and nothing runs it here. Offer a function and"
            " run it yourself, or name an agent that has such a tool: model agent:<its name>.",
            param=f"{where}.type",
        )
    if not isinstance(tool.get("name"), str) or not tool["name"]:
        raise BadInput("A function needs its name.", param=f"{where}.name")
    function = {"name": full_name(tool)}
    function |= {name: tool[name] for name in ("description", "parameters", "strict") if tool.get(name) is not None}
    return {"type": "function", "function": function}
