"""Convert a chat completion request to /v1/messages. Fields without counterpart are refused by name."""

import hashlib
import re
from typing import Any

from console.core.errors import BadInput
from console.providers.anthropic import thinking
from console.providers.anthropic.answer import JSON_ANSWER
from console.providers.anthropic.schema import limits_of, narrowed, strict_places
from console.providers.anthropic.turns import turns_of

# What these ask for, Anthropic cannot do; the values listed ask for nothing.
_REFUSED: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "repeat_penalty": (1,),
    "min_p": (0,),
    "modalities": (["text"],),
    "moderation": (),
    "audio": (),
    "web_search_options": (),
    "verbosity": ("medium",),
}
# Hints that promise nothing: left out, and named to the caller.
_HINTS = {"prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "seed"}
_HOUSES = {"metadata", "service_tier", "store", "stream_options"}
_SAID_OTHERWISE = {
    "function_call",
    "functions",
    "max_completion_tokens",
    "parallel_tool_calls",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "stop",
    "stream",
    "tool_choice",
    "tools",
    "user",
}
_MOST_OF_A_USER = 256
_PHONE = re.compile(r"\+?[\d\s().-]{7,20}")
_LEFT_OUT = _HINTS | _HOUSES | _SAID_OTHERWISE | _REFUSED.keys()


def messages_request(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body for /v1/messages; fields that are neither OpenAI's nor ours go along as they are."""
    _refuse(body)
    system, turns = turns_of(body["messages"])
    max_tokens = body.get("max_completion_tokens") or body["max_tokens"]
    request = {k: v for k, v in body.items() if k not in _LEFT_OUT and v is not None}
    request |= {"messages": turns, "max_tokens": max_tokens}
    if system:
        request["system"] = system
    if body.get("stream"):
        request["stream"] = True
    _sampling(request)
    _stop(body.get("stop"), request)
    _tools(body, request)
    thinks, output_config = thinking.effort(body["model"], body.get("reasoning_effort"), max_tokens)
    if thinks:
        request["thinking"] = thinks
    format = body.get("response_format")
    if isinstance(format, dict) and format.get("type") == "json_object":
        _any_json(request)
    else:
        output_config |= _format(format)
    if output_config:
        request["output_config"] = output_config
    user = body.get("safety_identifier") or body.get("user")
    if user:
        request["metadata"] = {"user_id": _opaque(str(user))}
    return request


def _opaque(user: str) -> str:
    """Return a name for the caller's user that Anthropic takes: it refuses addresses of people, and long ones."""
    if len(user) > _MOST_OF_A_USER or "@" in user or _PHONE.fullmatch(user):
        return hashlib.sha256(user.encode()).hexdigest()
    return user


def dropped_fields(body: dict[str, Any]) -> frozenset[str]:
    """Return what of a request there is no word for here: fields by their names, and what is inside messages."""
    dropped = {name for name in _HINTS if body.get(name) is not None}
    if body.get("safety_identifier") and body.get("user"):
        dropped.add("user")
    format = body.get("response_format")
    if isinstance(format, dict) and isinstance(format.get("json_schema"), dict):
        dropped.update(
            f"response_format.json_schema.schema.{name}" for name in limits_of(format["json_schema"].get("schema"))
        )
    strict = strict_places(body.get("tools"))
    for place, tool in enumerate(body.get("tools") or ()):
        function = tool.get("function") if isinstance(tool, dict) else None
        if isinstance(function, dict) and function.get("strict"):
            if place in strict:
                dropped.update(f"tools[].function.parameters.{name}" for name in limits_of(function.get("parameters")))
            else:
                dropped.add("tools[].function.strict")
    for message in body.get("messages", ()):
        if message.get("name") and message.get("role") != "function":
            dropped.add("messages[].name")
        if message.get("audio"):
            dropped.add("messages[].audio")
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            image = part.get("image_url")
            if isinstance(image, dict) and image.get("detail") not in (None, "auto"):
                dropped.add("messages[].content[].image_url.detail")
    return frozenset(dropped)


def _refuse(body: dict[str, Any]) -> None:
    for name, harmless in _REFUSED.items():
        value = body.get(name)
        if value is not None and value not in harmless:
            raise BadInput(f"The model behind {body['model']!r} cannot be asked for {name}.", param=name)


def _sampling(request: dict[str, Any]) -> None:
    """Leave out what asks for the default, since newer models take nothing else; refuse what is out of range."""
    for name in ("temperature", "top_p"):
        value = request.get(name)
        if value is None:
            continue
        if not 0 <= value <= 1:
            raise BadInput(f"{name} of this model is between 0 and 1.", param=name)
        if value == 1:
            del request[name]


def _stop(stop: Any, request: dict[str, Any]) -> None:
    if stop:
        request["stop_sequences"] = [stop] if isinstance(stop, str) else stop


def _tools(body: dict[str, Any], request: dict[str, Any]) -> None:
    if not body.get("tools"):
        return
    strict = strict_places(body["tools"])
    request["tools"] = [
        _tool(tool, f"tools[{place}]", is_strict=place in strict) for place, tool in enumerate(body["tools"])
    ]
    choice = _choice(body.get("tool_choice"))
    if body.get("parallel_tool_calls") is False and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    if choice != {"type": "auto"}:
        request["tool_choice"] = choice


def _tool(tool: Any, where: str, *, is_strict: bool) -> dict[str, Any]:
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise BadInput("Each tool of this model must be of type function and have a name.", param=where)
    if function["name"] == JSON_ANSWER:
        raise BadInput(f"{JSON_ANSWER} is the name of a tool of Facet's own.", param=where)
    tool_ = {
        "name": function["name"],
        "input_schema": function.get("parameters") or {"type": "object", "properties": {}},
    }
    if function.get("description"):
        tool_["description"] = function["description"]
    if is_strict:
        tool_["strict"] = True
        if isinstance(tool_["input_schema"], dict):
            tool_["input_schema"] = narrowed(tool_["input_schema"])
    if "cache_control" in tool:
        tool_["cache_control"] = tool["cache_control"]
    return tool_


def _choice(choice: Any) -> dict[str, Any]:
    if isinstance(choice, str):
        kind = {"auto": "auto", "none": "none", "required": "any"}.get(choice)
        if kind is not None:
            return {"type": kind}
    elif choice is None:
        return {"type": "auto"}
    elif isinstance(choice, dict) and choice.get("type") == "function":
        function = choice.get("function")
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            return {"type": "tool", "name": function["name"]}
    raise BadInput("tool_choice must be auto, none, required or a function.", param="tool_choice")


def _any_json(request: dict[str, Any]) -> None:
    """Have the answer be the input of a tool, which is the one JSON a model is held to without a schema."""
    choice = request.get("tool_choice", {"type": "auto"})
    if choice["type"] in {"any", "tool"}:
        return  # a call is wanted, and no answer yet
    if request.get("thinking", {}).get("type") not in (None, "disabled"):
        raise BadInput(
            "This model cannot think before it answers in any JSON: use json_schema, or leave reasoning_effort out.",
            param="response_format.type",
        )
    others = request.get("tools", []) if choice["type"] == "auto" else []
    tool = {
        "name": JSON_ANSWER,
        "description": "Gives the answer, as one JSON object.",
        "input_schema": {"type": "object"},
    }
    request["tools"] = [*request.get("tools", []), tool]
    if others:
        request["tool_choice"] = {**choice, "type": "any"}
    else:
        request["tool_choice"] = {"type": "tool", "name": JSON_ANSWER, "disable_parallel_tool_use": True}


def _format(format: Any) -> dict[str, Any]:
    kind = format.get("type") if isinstance(format, dict) else "text"
    if kind == "text":
        return {}
    if kind != "json_schema":
        raise BadInput(
            "response_format is of type text, json_schema or json_object.",
            param="response_format.type",
        )
    named = format.get("json_schema")
    schema = named.get("schema") if isinstance(named, dict) else None
    if not isinstance(schema, dict):
        raise BadInput("Give the schema to answer by.", param="response_format.json_schema.schema")
    return {"format": {"type": "json_schema", "schema": narrowed(schema)}}
