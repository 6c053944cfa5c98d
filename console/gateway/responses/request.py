"""Convert a request to /v1/responses to a chat completion. Fields without counterpart are refused by name."""

from collections.abc import Iterable
from typing import Any

from console.core.errors import BadInput
from console.gateway.responses.tools import say_tools
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
    responses it continues from. `keeps_thoughts`: the provider takes back the thoughts it signed.
    """
    chat = {name: value for name, value in body.items() if name not in _SAID_OTHERWISE}
    messages = list(body.get("messages", ()))
    if body.get("instructions"):
        messages.append({"role": "system", "content": body["instructions"]})
    chat["messages"] = messages + messages_of(items_of(body), history, keeps_thoughts=keeps_thoughts)
    if not chat["messages"]:
        raise BadInput("The prompt says nothing; send input beside it.", param="input")
    say_tools(body, chat)
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
    format = text.get("format") or {"type": "text"}
    if format["type"] not in _FORMATS:
        raise BadInput("text.format is of type text, json_schema or json_object.", param="text.format.type")
    if format["type"] == "json_schema":
        schema = {name: format[name] for name in ("name", "description", "strict", "schema") if name in format}
        chat["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", **schema}}
    elif format["type"] == "json_object":
        chat["response_format"] = {"type": "json_object"}
