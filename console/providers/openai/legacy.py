"""The older `functions` of the wire format, for callers that still write them.

Upstreams know `tools` only, so a request is put into that form, and what comes back is put into the caller's. The call
id, which the older form lacks, is made from the place of the message, so that each result finds its call.
"""

from typing import Any


def to_tools(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body with functions as tools and function messages as tool messages."""
    body = dict(body)
    functions, choice = body.pop("functions", None), body.pop("function_call", None)
    if functions:
        body["tools"] = [{"type": "function", "function": function} for function in functions]
        body["parallel_tool_calls"] = False  # the older form has room for one call a turn
    if isinstance(choice, str):
        body["tool_choice"] = choice
    elif isinstance(choice, dict):
        body["tool_choice"] = {"type": "function", "function": choice}
    messages, last_id = [], "call_0"
    for place, message in enumerate(body["messages"]):
        call = message.get("function_call")
        if call:
            last_id = f"call_{place}"
            message = {k: v for k, v in message.items() if k != "function_call"}
            message["tool_calls"] = [{"id": last_id, "type": "function", "function": call}]
        elif message.get("role") == "function":
            message = {"role": "tool", "tool_call_id": last_id, "content": message.get("content")}
        messages.append(message)
    body["messages"] = messages
    return body


def from_tools(answer: dict[str, Any], *, part: str) -> dict[str, Any]:
    """Return an answer (`part` is "message") or a chunk ("delta") with its tool call as a function call."""
    choices = []
    for choice in answer.get("choices", []):
        message = choice.get(part)
        if isinstance(message, dict) and message.get("tool_calls"):
            calls = message["tool_calls"]
            message = {k: v for k, v in message.items() if k != "tool_calls"}
            if isinstance(calls, list) and isinstance(calls[0], dict):
                message["function_call"] = calls[0].get("function", {})
            choice = {**choice, part: message}
        if choice.get("finish_reason") == "tool_calls":
            choice = {**choice, "finish_reason": "function_call"}
        choices.append(choice)
    return {**answer, "choices": choices}
