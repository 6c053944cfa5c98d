"""Requests of odd shapes on their way to the other wire format: told, or refused by name, and never a fault of ours."""

from itertools import product

import pytest

from console.core.errors import BadInput
from console.core.pictures import estimated_tokens, pictures_in
from console.gateway.messages.dropped_fields import dropped_fields as dropped_as_chat
from console.gateway.messages.request import chat_request
from console.gateway.responses.dropped_fields import dropped_fields as dropped_of_response
from console.gateway.responses.request import chat_request as response_as_chat
from console.gateway.shapes import chat, messages, responses
from console.providers.anthropic.request import dropped_fields as dropped_to_anthropic
from console.providers.anthropic.request import messages_request

BASE = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
ODD = [None, 5, True, "x", [], {}, [5], [None], [[]], {"type": []}, {"type": {}}, [{"type": []}], {"name": []}]
FIELDS = [
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "metadata",
    "stop_sequences",
    "response_format",
]
FIELDS += ["stop", "user", "functions", "function_call", "reasoning_effort", "modalities", "parallel_tool_calls"]
KINDS = ["text", "image", "document", "tool_use", "tool_result", "thinking", "image_url", "file", "refusal"]
MEMBERS = ["type", "text", "source", "content", "input", "id", "name", "image_url", "file", "tool_use_id", "title"]
OF_MESSAGES = ["tool_calls", "tool_call_id", "name", "audio", "function_call", "reasoning_details", "refusal"]
OF_RESPONSES = ["instructions", "tools", "tool_choice", "text", "reasoning", "include", "input", "metadata", "prompt"]
ITEMS = ["message", "function_call", "function_call_output", "reasoning", "item_reference", "web_search_call"]
OF_ITEMS = ["type", "role", "content", "output", "call_id", "name", "arguments", "id", "encrypted_content", "summary"]
PARTS = ["input_text", "output_text", "refusal", "input_image", "input_file", "input_audio"]
OF_PARTS = ["type", "text", "refusal", "image_url", "detail", "file_data", "filename", "input_audio"]
OF_TOOLS = ["name", "input_schema", "type", "description", "strict", "function"]


def as_message(body):
    checked = messages.check(body)
    messages.estimate_tokens(checked, "")
    for can_reason in (True, False):
        dropped_as_chat(checked, can_reason=can_reason)
        chat_request(checked, can_reason=can_reason)


def as_chat(body):
    checked = chat.check(body)
    estimated_tokens(pictures_in(checked["messages"]), 8)
    dropped_to_anthropic(checked)
    messages_request(checked)


def bodies():
    tool = {"name": "f", "type": "function", "function": {"name": "f"}}
    for odd in ODD:
        yield from ({**BASE, name: odd} for name in FIELDS)
        yield from ({**BASE, "tools": [{"name": "f"}], "tool_choice": {"type": kind}} for kind in (odd, "any"))
        yield from ({**BASE, "tools": [{**one, name: odd}]} for name in OF_TOOLS for one in (tool, {"name": "f"}))
        for kind, member, role in product(KINDS, MEMBERS, ("user", "assistant", "system", "tool")):
            yield {**BASE, "messages": [{"role": role, "content": [{"type": kind, member: odd}]}]}
        for member, role in product(OF_MESSAGES, ("user", "assistant", "tool", "function")):
            yield {**BASE, "messages": [*BASE["messages"], {"role": role, "content": None, member: odd}]}


def as_response(body):
    checked = responses.check(body)
    estimated_tokens(pictures_in(responses.items_of(checked)), 8)
    for able in (True, False):
        dropped_of_response(checked, can_reason=able, keeps_thoughts=able)
        told = response_as_chat(checked, can_reason=able, keeps_thoughts=able)
        dropped_to_anthropic(told)
        messages_request({**told, "max_tokens": 5})


def response_bodies():
    base, tool = {"model": "m", "input": "Hi"}, {"type": "function", "name": "f"}
    item = {"role": "assistant", "content": "x", "call_id": "c", "name": "f", "output": "o"}
    for odd in ODD:
        yield from ({**base, "tools": [tool], name: odd} for name in OF_RESPONSES)
        yield from ({**base, "tools": [{**tool, name: odd}]} for name in OF_TOOLS)
        yield from (
            {**base, "tools": [tool], "tool_choice": {"type": kind, "name": odd, "tools": odd}}
            for kind in (odd, "function")
        )
        yield {
            **base,
            "tools": [tool],
            "tool_choice": {"type": "allowed_tools", "tools": [{"name": odd}, odd], "mode": odd},
        }
        for name in ("type", "name", "schema"):
            yield {**base, "text": {"format": {"type": "json_schema", "name": "n", "schema": {}, name: odd}}}
        for kind, member in product(ITEMS, OF_ITEMS):
            yield from ({**base, "input": [{"type": kind, **rest, member: odd}]} for rest in (item, {}))
        for kind, member in product(PARTS, OF_PARTS):
            part = {"type": kind, "text": "t", member: odd}
            yield from ({**base, "input": [{"role": role, "content": [part]}]} for role in ("user", "assistant"))
            yield {**base, "input": [{"type": "function_call_output", "call_id": "c", "output": [part]}]}


@pytest.mark.parametrize(("tell", "bodies"), [(as_message, bodies), (as_chat, bodies), (as_response, response_bodies)])
def test_it_tells_or_refuses_whatever_comes(tell, bodies):
    told = refused = 0
    for body in bodies():
        try:
            tell(body)
        except BadInput:
            refused += 1
        except Exception as fault:
            raise AssertionError(f"{fault!r} of {body}") from fault
        else:
            told += 1
    assert told > 100 and refused > 100
