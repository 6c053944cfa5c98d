"""The body of a request to /v1/responses."""

from typing import Any

from console.core import size
from console.core.errors import BadInput
from console.core.pictures import estimated_tokens, pictures_in
from console.gateway.shapes import fields, knowledge_ref, prompt_ref

REFERENCE = "item_reference"
_ROLES = {"user", "assistant", "system", "developer"}
_MAX_ITEMS = 2000
_MAX_TOOLS = 128
KNOWN = frozenset(
    {
        "background",
        "include",
        "input",
        "instructions",
        "knowledge",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    }
)
# What OpenAI's servers read and a chat completion has no word for, but it changes no answer.
WITHHELD = frozenset({"access_programs", "background_options", "client_metadata", "image", "service_tier"})
# What a request to count tokens can have.
COUNTED = frozenset(
    {
        "input",
        "instructions",
        "model",
        "parallel_tool_calls",
        "reasoning",
        "text",
        "tool_choice",
        "tools",
        "truncation",
    }
)
# What is in the model's input and not in the body: it is not counted, and a count without it would be wrong.
_ELSEWHERE = {
    "previous_response_id": "Earlier responses are not counted; send the whole conversation as input.",
    "prompt": "Prompts of the library are not counted; leave prompt out.",
    "knowledge": "Documents are not counted; leave knowledge out.",
}

# What would make the answer another one, and what to do instead.
_NOT_HERE = {
    "conversation": "No conversation is held here: go on from previous_response_id, or send the whole of it as input.",
    "messages": "Send the messages as input; /v1/chat/completions is what takes messages.",
    "context_management": "Facet does not shorten conversations: send what the model is to read.",
    "moderation": "Facet does not moderate by a request's word; leave moderation out.",
}


def _text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise BadInput(f"{name} must be text.", param=name)


def _formatted(name: str, value: Any) -> None:
    fields.json_object(name, value)
    format = value.get("format")
    if format is not None and not (isinstance(format, dict) and isinstance(format.get("type"), str)):
        raise BadInput("text.format must be an object with a type.", param="text.format")


def _tools(name: str, value: Any) -> None:
    if not isinstance(value, list) or len(value) > _MAX_TOOLS:
        raise BadInput(f"tools must be a list of at most {_MAX_TOOLS}.", param=name)
    for place, tool in enumerate(value):
        if not isinstance(tool, dict) or not isinstance(tool.get("type"), str):
            raise BadInput("Each tool must be an object with a type.", param=f"tools[{place}]")
        if tool["type"] in {"function", "custom", "namespace"}:
            _check_name(tool, f"tools[{place}]")
        if tool["type"] == "namespace":
            _namespace(tool, f"tools[{place}]")


def _check_name(tool: dict[str, Any], where: str) -> None:
    if not isinstance(tool.get("name"), str) or not tool["name"]:
        raise BadInput("A tool needs its name.", param=f"{where}.name")


def _namespace(tool: dict[str, Any], where: str) -> None:
    inner = tool.get("tools")
    if not isinstance(inner, list) or not 1 <= len(inner) <= _MAX_TOOLS:
        raise BadInput(f"A namespace needs its tools, a list of at most {_MAX_TOOLS}.", param=f"{where}.tools")
    for place, inner_tool in enumerate(inner):
        if not isinstance(inner_tool, dict) or not isinstance(inner_tool.get("type"), str):
            raise BadInput("Each tool must be an object with a type.", param=f"{where}.tools[{place}]")
        if inner_tool["type"] == "namespace":
            raise BadInput("A namespace holds tools, and no other namespace.", param=f"{where}.tools[{place}].type")
        _check_name(inner_tool, f"{where}.tools[{place}]")


def _include(name: str, value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(name_, str) for name_ in value):
        raise BadInput("include must be a list of names.", param=name)


def _truncation(name: str, value: Any) -> None:
    if value not in ("auto", "disabled"):
        raise BadInput("truncation is auto or disabled.", param=name)


_CHECKS: dict[str, fields.Check] = {
    "background": fields.truth,
    "include": _include,
    "instructions": _text,
    "knowledge": knowledge_ref.check,
    "max_output_tokens": fields.whole_number(1, 10_000_000),
    "max_tool_calls": fields.whole_number(1, 10_000_000),
    "parallel_tool_calls": fields.truth,
    "previous_response_id": _text,
    "reasoning": fields.json_object,
    "store": fields.truth,
    "temperature": fields.number,
    "text": _formatted,
    "tools": _tools,
    "top_logprobs": fields.whole_number(0, 20),
    "top_p": fields.number,
    "truncation": _truncation,
    **fields.STREAMING,
    **fields.END_USER,
    **fields.METADATA,
}


def check(value: Any) -> dict[str, Any]:
    """Return the body, ready to be sent on; raise BadInput that names the field at fault."""
    body = {name: member for name, member in fields.model(value).items() if member is not None}
    for name, instead in _NOT_HERE.items():
        if name in body:
            raise BadInput(instead, param=name)
    if "prompt" in body:
        body["prompt"] = _as_ours(body["prompt"])
        prompt_ref.check(body["prompt"])
    if "input" in body or "prompt" not in body:
        _input(body.get("input"))
    fields.check_members(body, _CHECKS)
    if body.get("background") and body.get("store") is False:
        raise BadInput("What is answered in the background is kept, to be asked for: leave store out.", param="store")
    return fields.theirs(body)


def check_count(value: Any) -> dict[str, Any]:
    """Return the body of a request to count tokens; what else is in it than COUNTED is for the caller's key to say."""
    body = check(value)
    for name, instead in _ELSEWHERE.items():
        if name in body:
            raise BadInput(instead, param=name)
    if any(kind_of(item) == REFERENCE for item in items_of(body)):
        raise BadInput("Items named by their ids are not counted; send them whole.", param="input")
    return body


def estimate_tokens(body: dict[str, Any], text: str) -> int:
    """Return an upper estimate of a checked body's tokens, in which the bytes of a picture say little."""
    return estimated_tokens(pictures_in(items_of(body)), size.estimate_tokens(text))


def _as_ours(prompt: Any) -> Any:
    """Return a prompt as the library names it: OpenAI's clients write a version as text, and may write variables so."""
    if not isinstance(prompt, dict):
        return prompt
    version, variables = prompt.get("version"), prompt.get("variables")
    converted = dict(prompt)
    if isinstance(version, str) and version.isdecimal() and len(version) < 10:
        converted["version"] = int(version)
    if isinstance(variables, dict):
        converted["variables"] = {name: _plain(value) for name, value in variables.items()}
    return converted


def _plain(value: Any) -> Any:
    is_text = isinstance(value, dict) and value.get("type") == "input_text"
    return value.get("text") if is_text else value


def items_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the input of a checked body as items."""
    input = body.get("input", [])
    return [{"type": "message", "role": "user", "content": input}] if isinstance(input, str) else input


def kind_of(item: dict[str, Any]) -> str:
    """Return an item's type, which a message may leave out."""
    return str(item.get("type") or "message")


def _input(input: Any) -> None:
    if isinstance(input, str) and input:
        return
    if not isinstance(input, list) or not input:
        raise BadInput("input must be text, or a list with at least one item.", param="input")
    if len(input) > _MAX_ITEMS:
        raise BadInput(f"A request may have {_MAX_ITEMS:,} items; this one has {len(input):,}.", param="input")
    for place, item in enumerate(input):
        where = f"input[{place}]"
        if not isinstance(item, dict) or not isinstance(item.get("type", "message"), str | None):
            raise BadInput("Each item must be an object with a type.", param=where)
        if kind_of(item) == "message":
            role = item.get("role")
            if not isinstance(role, str) or role not in _ROLES:
                raise BadInput("role must be user, assistant, system or developer.", param=f"{where}.role")
            if item.get("content") is None:
                raise BadInput("Each message needs its content.", param=f"{where}.content")
        _content(item.get("content"), f"{where}.content")
        _content(item.get("output"), f"{where}.output")


def _content(content: Any, where: str) -> None:
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list):
        raise BadInput("It must be text or a list of parts.", param=where)
    for place, part in enumerate(content):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise BadInput("Each part must be an object with a type.", param=f"{where}[{place}]")
