"""OpenAI's responses over chat completions: said as one and told back, streamed or whole."""

import datetime as dt
import json
import uuid
from functools import cache

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from console.api.v1.responses_face import as_stream
from console.core import strict_json
from console.core.errors import BadInput, ProviderError
from console.gateway.asks import make_ask
from console.gateway.responses.answer import response_of
from console.gateway.responses.dropped_fields import dropped_fields
from console.gateway.responses.request import chat_request
from console.gateway.responses.stream import ResponseStream
from console.gateway.responses.turns import unsealed
from console.gateway.shapes import responses as shape
from console.providers.openai.stream import OpenAIStream, usage_in
from tests import sdks
from tests.gateway.test_messages import chats, read
from tests.providers.test_openai_stream import cut, writings
from tests.upstream import chunk, completion, usage

NUMBER = uuid.UUID(int=7)
TRACK = {"type": "function", "name": "track", "parameters": {"type": "object", "properties": {}}, "strict": True}
TRACKED = {"type": "function", "function": {"name": "track", "parameters": TRACK["parameters"], "strict": True}}
CALLED = {"type": "function_call", "call_id": "a", "name": "track"}
# Tools that have the name of the function x__y, and where the one is that is refused.
TWICE = [
    ([{"type": "custom", "name": "x__y"}], "tools[1]"),
    ([{"type": "namespace", "name": "x", "tools": [TRACK, {**TRACK, "name": "y"}]}], "tools[1].tools[1]"),
]


@cache
def event_type():
    return TypeAdapter(sdks.openai.types.responses.ResponseStreamEvent)


def typed(response):
    return sdks.openai.types.responses.Response.model_validate(response)


def asked(**fields):
    body = shape.check({"model": "support-chat", "input": "Hello?", **fields})
    text = json.dumps(body)
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return make_ask("response", body, text=text, id=NUMBER, at=at, surface="api", route="/v1/responses")


def said(can_reason=True, keeps_thoughts=False, **fields):
    return chat_request(asked(**fields).body, can_reason=can_reason, keeps_thoughts=keeps_thoughts)


def streamed(chunks, **fields):
    """Return the events of these chunks, after checking that each is what the client library's types say."""
    reader = ResponseStream(OpenAIStream(include_usage=True), asked(**fields))
    events = read(reader, [b"data: " + orjson.dumps(one) + b"\n\n" for one in chunks])
    return reader, checked(events)


def checked(events):
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    for event in events:
        event_type().validate_python(event)
    return events


def built(events):
    """Return the output that the events between the first and the last amount to, piece by piece."""
    output = []
    for event in events[2:-1]:
        kind = event["type"]
        if kind == "response.output_item.added":
            assert event["output_index"] == len(output)
            output.append(json.loads(json.dumps(event["item"])))
            continue
        item = output[event["output_index"]]
        assert event.get("item_id", item["id"]) == item["id"]
        if kind == "response.content_part.added":
            assert event["content_index"] == len(item["content"])
            item["content"].append(dict(event["part"]))
        elif kind == "response.reasoning_summary_part.added":
            item["summary"].append(dict(event["part"]))
        elif kind == "response.output_text.delta":
            item["content"][event["content_index"]]["text"] += event["delta"]
        elif kind == "response.refusal.delta":
            item["content"][event["content_index"]]["refusal"] += event["delta"]
        elif kind == "response.reasoning_summary_text.delta":
            item["summary"][0]["text"] += event["delta"]
        elif kind == "response.function_call_arguments.delta":
            item["arguments"] += event["delta"]
        elif kind == "response.output_item.done":
            assert item | {"status": event["item"]["status"]} == event["item"]
            item["status"] = event["item"]["status"]
    return output


def call(place, arguments, **head):
    return chunk({"tool_calls": [{"index": place, **head, "function": {**head.pop("f", {}), "arguments": arguments}}]})


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_chunks_are_told_as_items_however_they_are_cut(data):
    chunks, blocks = data.draw(chats())
    pieces = cut(data.draw(writings(chunks)), data.draw(st.lists(st.integers(0, 9999), max_size=9)))
    reader = ResponseStream(OpenAIStream(include_usage=True), asked())
    events = checked(read(reader, pieces))
    final = events[-1]["response"]
    kinds = {"thinking": "reasoning", "text": "message", "tool_use": "function_call"}
    expected = [kinds[block["type"]] for block in blocks]
    if all(kind == "reasoning" for kind in expected):
        expected.append("message")  # with nothing in it: a completed response says something
    assert [item["type"] for item in final["output"]] == expected and built(events) == final["output"]
    calls = [json.loads(item["arguments"]) for item in final["output"] if item["type"] == "function_call"]
    assert calls == [block["input"] for block in blocks if block["type"] == "tool_use"]
    assert (final["status"], final["usage"]["output_tokens"]) == ("completed", 4)
    assert reader.answer() == final and typed(final)
    assert as_stream(final).endswith(b"\n\n"), "it can be told again"


def test_the_order_of_events():
    _, events = streamed(
        [chunk({"role": "assistant", "content": ""}), chunk({"content": "Hel"}), chunk({"content": "lo"})]
        + [call(0, "", id="c1", type="function", f={"name": "track"}), call(0, '{"n":7}')]
        + [chunk({}, finish="tool_calls"), chunk(usage=usage(23, 5))]
    )
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    text, call_item = events[-1]["response"]["output"]
    assert events[4] | {"sequence_number": 0} == {
        "type": "response.output_text.delta",
        "sequence_number": 0,
        "item_id": text["id"],
        "output_index": 0,
        "content_index": 0,
        "delta": "Hel",
        "logprobs": [],
    }
    assert call_item["id"] != text["id"] and (call_item["call_id"], call_item["name"]) == ("c1", "track")
    assert events[0]["response"]["status"] == events[1]["response"]["status"] == "in_progress"
    assert events[0]["response"]["output"] == [] and events[0]["response"]["id"] == f"resp_{NUMBER.hex}"


def test_how_a_stream_can_end():
    for finish, reason in (("length", "max_output_tokens"), ("content_filter", "content_filter")):
        _, events = streamed([chunk({"content": "Half"}), chunk({}, finish=finish)])
        final = events[-1]
        assert final["type"] == "response.incomplete"
        assert final["response"]["incomplete_details"] == {"reason": reason}
        assert final["response"]["output"][0]["status"] == "incomplete" and final["response"]["usage"] is None
    _, events = streamed([chunk({"refusal": "I would "}), chunk({"refusal": "not."}), chunk({}, finish="stop")])
    assert [e["type"] for e in events[3:7]] == [
        "response.content_part.added",
        "response.refusal.delta",
        "response.refusal.delta",
        "response.refusal.done",
    ]
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "refusal", "refusal": "I would not."}]

    reader = ResponseStream(OpenAIStream(include_usage=True), asked())
    begun = read(reader, [b"data: " + orjson.dumps(chunk({"content": "Half"})) + b"\n\n"])
    assert not reader.is_complete and not reader.last_frames and begun[-1]["type"] == "response.output_text.delta"
    raw = reader.fail(ProviderError("It was cut off.", code="upstream_truncated")).decode()
    failed = [json.loads(frame.split("\ndata: ")[1]) for frame in raw.split("\n\n")[:-1]]
    checked([*begun, *failed])
    assert failed[0] == {
        "type": "error",
        "sequence_number": len(begun),
        "code": "upstream_truncated",
        "message": "It was cut off.",
        "param": None,
    }
    response = failed[1]["response"]
    assert (failed[1]["type"], response["status"]) == ("response.failed", "failed")
    assert response["error"] == {"code": "server_error", "message": "It was cut off."}
    assert response["output"][0]["content"][0]["text"] == "Half" and response["output"][0]["status"] == "incomplete"
    assert reader.answer() == response


def test_calls_that_are_mixed_are_refused():
    with pytest.raises(ProviderError):
        streamed([call(n, "{", id=f"c{n}", type="function", f={"name": "track"}) for n in (0, 1)] + [call(0, "}")])


def test_a_whole_answer():
    answer = completion("Hello.")
    answer["choices"][0]["message"] |= {
        "reasoning_content": "Hm.",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "track", "arguments": ""}}],
    }
    token = {"token": "Hello.", "logprob": -0.5, "bytes": None, "top_logprobs": [{"token": "Hi", "logprob": -1.0}]}
    odd = {"token": "\0", "logprob": -0.5, "top_logprobs": ["no object"]}
    answer["choices"][0]["logprobs"] = {"content": [token, odd]}
    answer["usage"]["prompt_tokens_details"] = {"cached_tokens": 3, "cache_write_tokens": 2}
    fields = {"instructions": "Be kind.", "tools": [TRACK], "metadata": {"a": "b"}, "temperature": 0.5}
    told = response_of(answer, usage_in(answer, 1), asked(**fields))
    typed(told)
    thought, text, tracked = told["output"]
    assert thought["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert text["content"][0]["logprobs"] == [
        {**token, "bytes": [], "top_logprobs": [{"token": "Hi", "logprob": -1.0, "bytes": []}]},
        {"token": "\ufffd", "bytes": [], "logprob": -0.5, "top_logprobs": []},
    ]
    assert tracked["arguments"] == "{}" and {item["status"] for item in told["output"]} == {"completed"}
    assert told["usage"] == {
        "input_tokens": 23,
        "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 28,
    }
    assert (told["instructions"], told["metadata"], told["temperature"]) == ("Be kind.", {"a": "b"}, 0.5)
    assert told["tools"][0]["name"] == "track" and told["model"] == "fake-model"


def test_items_are_said_as_messages():
    result = {"type": "function_call_output"}
    items = [
        {"role": "developer", "content": "Be brief."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Where?"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_1",
            "content": [{"type": "output_text", "text": "I look."}],
        },
        {"type": "function_call", "call_id": "a", "name": "track", "arguments": '{"n":7}', "id": "fc_1"},
        {"type": "function_call", "call_id": "b", "name": "track", "arguments": ""},
        {**result, "call_id": "a", "output": "late"},
        {**result, "call_id": "b", "output": [{"type": "input_text", "text": "see"}, {"type": "input_image"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "And?"}, {"type": "input_file"}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
    ]
    items[7]["output"][1] |= {"image_url": "data:image/png;base64,AAAA", "detail": "low"}
    items[8]["content"][1] |= {"file_data": "data:application/pdf;base64,AAAA"}
    calls = [
        {"id": "a", "type": "function", "function": {"name": "track", "arguments": '{"n":7}'}},
        {"id": "b", "type": "function", "function": {"name": "track", "arguments": "{}"}},
    ]
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
    document = {"filename": "document", "file_data": "data:application/pdf;base64,AAAA"}
    assert said(input=items, instructions="Be kind.")["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Where?"},
        {"role": "assistant", "content": "I look.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a", "content": "late"},
        {"role": "tool", "tool_call_id": "b", "content": "see"},
        {"role": "user", "content": [picture]},
        {"role": "user", "content": [{"type": "text", "text": "And?"}, {"type": "file", "file": document}]},
        {"role": "assistant", "content": "No."},
    ]


def test_it_says_a_field_in_the_words_of_a_chat_completion():
    schema = {"type": "json_schema", "name": "order", "schema": {"type": "object"}, "strict": True}
    named = {"type": "function", "function": {"name": "track"}}
    only = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "track"}]}
    other = {**TRACK, "name": "other"}
    for fields, expected in (
        ({"tools": [TRACK]}, {"tools": [TRACKED]}),
        ({"tools": [TRACK], "tool_choice": "required"}, {"tools": [TRACKED], "tool_choice": "required"}),
        (
            {"tools": [TRACK], "tool_choice": {"type": "function", "name": "track"}},
            {"tools": [TRACKED], "tool_choice": named},
        ),
        ({"tools": [TRACK, other], "tool_choice": only}, {"tools": [TRACKED], "tool_choice": "required"}),
        ({"tools": [TRACK], "parallel_tool_calls": False}, {"tools": [TRACKED], "parallel_tool_calls": False}),
        ({"tool_choice": "auto", "parallel_tool_calls": True, "tools": []}, {}),
        ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
        ({"text": {"verbosity": "low", "format": {"type": "text"}}}, {"verbosity": "low"}),
        (
            {"text": {"format": schema}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {k: v for k, v in schema.items() if k != "type"},
                }
            },
        ),
        ({"reasoning": {"effort": "high", "summary": "auto"}}, {"reasoning_effort": "high"}),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
        (
            {"temperature": 0.1, "top_p": 0.2, "user": "u", "seed": 3},
            {"temperature": 0.1, "top_p": 0.2, "user": "u", "seed": 3},
        ),
        (
            {"metadata": {"a": "b"}, "store": True, "truncation": "auto", "max_output_tokens": 9, "background": False},
            {},
        ),
    ):
        chat = said(**fields)
        assert chat == {"model": "support-chat", "messages": [{"role": "user", "content": "Hello?"}], **expected}
    assert "reasoning_effort" not in said(can_reason=False, reasoning={"effort": "high"})


def test_functions_of_a_namespace_are_called_by_both_names():
    crm = {"type": "namespace", "name": "crm", "description": "Orders.", "tools": [TRACK, {**TRACK, "name": "stop"}]}
    tools = [{**TRACK, "namespace": "crm"}, crm]  # which says nothing of a tool that is in none
    names = ["track", "crm__track", "crm__stop"]
    made = [{"type": "function", "function": {**TRACKED["function"], "name": name}} for name in names]
    assert said(tools=tools)["tools"] == made
    assert dropped_fields(asked(tools=tools).body, can_reason=False, keeps_thoughts=False) == {
        "tools[].description",
        "tools[].namespace",
    }
    for choice, expected in (
        ({"type": "function", "name": "stop", "namespace": "crm"}, "crm__stop"),
        ({"type": "function", "name": "track"}, "track"),
    ):
        chat = said(tools=tools, tool_choice=choice)
        assert chat["tool_choice"] == {"type": "function", "function": {"name": expected}}
    for allowed, expected in (
        ([{"type": "namespace", "name": "crm"}], names[1:]),
        ([{"type": "function", "name": "stop", "namespace": "crm"}, {"name": ["stop"]}], names[2:]),
        ([{"type": "function", "name": "track"}], names[:1]),
    ):
        chat = said(tools=tools, tool_choice={"type": "allowed_tools", "tools": allowed})
        assert [tool["function"]["name"] for tool in chat["tools"]] == expected

    pieces = [call(0, "", id="a", type="function", f={"name": "crm__track"}), call(0, '{"n":7}')]
    pieces.append(call(1, "{}", id="b", type="function", f={"name": "track"}))
    _, events = streamed([*pieces, chunk({}, finish="tool_calls")], tools=tools)
    one, other = built(events)
    assert (one["name"], one["namespace"], one["arguments"]) == ("track", "crm", '{"n":7}')
    assert (other["name"], "namespace" in other) == ("track", False)
    answer = completion(None)
    answer["choices"][0]["message"]["tool_calls"] = [
        {"id": "a", "type": "function", "function": {"name": "crm__track", "arguments": '{"n":7}'}}
    ]
    told = response_of(answer, None, asked(tools=tools))
    typed(told)
    assert (told["output"][0]["name"], told["output"][0]["namespace"]) == ("track", "crm")
    with pytest.raises(BadInput, match="no other namespace"):
        asked(tools=[{"type": "namespace", "name": "x", "tools": [{"type": "namespace", "name": "y"}]}])
    result = {"type": "function_call_output", "call_id": "a", "output": "late"}
    back = said(tools=tools, input=[*told["output"], result])["messages"]
    assert back[0]["tool_calls"] == answer["choices"][0]["message"]["tool_calls"]


def test_custom_tools_are_functions_with_one_text():
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: LINE+"}
    patch = {"type": "custom", "name": "patch", "description": "Edits files.", "format": grammar}
    plain = {"type": "custom", "name": "plain", "format": {"type": "text"}}
    tools = [patch, {"type": "namespace", "name": "ed", "description": "", "tools": [plain]}]
    one, other = (tool["function"] for tool in said(tools=tools)["tools"])
    assert (one["name"], other["name"]) == ("patch", "ed__plain")
    assert one["description"] == "Edits files.\n\nThe text follows this grammar (lark):\nstart: LINE+"
    assert one["parameters"]["properties"] == {"input": {"type": "string"}}
    assert dropped_fields(asked(tools=tools).body, can_reason=False, keeps_thoughts=False) == {"tools[].format"}
    chat = said(tools=tools, tool_choice={"type": "custom", "name": "patch"})
    assert chat["tool_choice"] == {"type": "function", "function": {"name": "patch"}}

    pieces = [call(0, '{"inp', id="a", type="function", f={"name": "patch"}), call(0, 'ut":"+ a\\n"}')]
    pieces.append(call(1, "no JSON", id="b", type="function", f={"name": "ed__plain"}))
    reader, events = streamed([*pieces, chunk({}, finish="tool_calls")], tools=tools)
    changed = [event for event in events if event["type"].startswith("response.custom_tool_call_input.")]
    assert [event.get("delta", event.get("input")) for event in changed] == ["+ a\n"] * 2 + ["no JSON"] * 2
    first, second = reader.answer()["output"]
    assert (first["type"], first["name"], first["input"]) == ("custom_tool_call", "patch", "+ a\n")
    assert (second["name"], second["namespace"], second["input"]) == ("plain", "ed", "no JSON")
    typed(reader.answer())
    again = [json.loads(line[6:]) for line in as_stream(reader.answer()).decode().splitlines() if line[:6] == "data: "]
    assert checked(again)[-1]["response"] == reader.answer()
    assert [e["item"] for e in again if e["type"] == "response.output_item.done"] == [first, second]

    # A NUL that a model spells is one no client could send back.
    odd = [call(0, '{"input": "a\\u0000b"}', id="a", type="function", f={"name": "patch"})]
    odd.append(call(1, '{"text": "a\\u0000b"}', id="b", type="function", f={"name": "track"}))
    reader, _ = streamed([chunk({"content": "a\0b"}), *odd, chunk({}, finish="tool_calls")], tools=[*tools, TRACK])
    output = reader.answer()["output"]
    assert output[0]["content"][0]["text"] == output[1]["input"] == "a\ufffdb"
    assert output[2]["arguments"] == '{"text": "a\\u0000b"}', "which says it in letters"
    strict_json.loads(orjson.dumps(output))

    # What came of one that broke off is on record, and counts where the provider counted nothing.
    broken = ResponseStream(OpenAIStream(include_usage=True), asked(tools=tools))
    broken.feed(b"data: " + orjson.dumps(pieces[0]) + b"\n\n")
    assert broken.answer()["output"][0]["input"] == '{"inp'
    broken.feed(b"data: " + orjson.dumps(pieces[1]) + b"\n\n")
    assert broken.answer()["output"][0] == {**first, "status": "in_progress"}

    result = {"type": "custom_tool_call_output", "call_id": "a", "output": "done"}
    messages = said(tools=tools, input=[first, second, result])["messages"]
    assert [c["function"]["arguments"] for c in messages[0]["tool_calls"]] == [
        '{"input":"+ a\\n"}',
        '{"input":"no JSON"}',
    ]
    assert [c["function"]["name"] for c in messages[0]["tool_calls"]] == ["patch", "ed__plain"]
    assert messages[1] == {"role": "tool", "tool_call_id": "a", "content": "done"}


def test_what_is_lost_has_a_name():
    for fields, names in (
        ({"truncation": "auto", "max_tool_calls": 3}, {"truncation", "max_tool_calls"}),
        ({"include": ["web_search_call.results"]}, {"include.web_search_call.results"}),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning.effort"}),
        ({"tools": [{**TRACK, "defer_loading": True}]}, {"tools[].defer_loading"}),
        ({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}, {"input[].reasoning"}),
        ({"metadata": {"a": "b"}, "store": False, "truncation": "disabled"}, set()),
    ):
        assert dropped_fields(asked(**fields).body, can_reason=False, keeps_thoughts=False) == names


def test_signed_thoughts_come_back_where_they_were():
    details = [{"type": "reasoning.text", "text": "Hm.", "signature": "c2ln", "index": 0}]
    answer = completion("Hello.")
    answer["choices"][0]["message"] |= {"reasoning_content": "Hm.", "reasoning_details": details}
    wants = {"include": ["reasoning.encrypted_content"]}
    told = response_of(answer, None, asked(**wants))
    typed(told)
    assert "encrypted_content" not in response_of(answer, None, asked())["output"][0]
    history = {"input": told["output"]}
    assert said(keeps_thoughts=True, **history)["messages"][0]["reasoning_details"] == details
    assert "reasoning_details" not in said(keeps_thoughts=False, **history)["messages"][0]
    assert dropped_fields(asked(**history).body, can_reason=True, keeps_thoughts=True) == set()
    for strange in ("gAAAA", "facet.%", "facet.e30="):
        items = [{**told["output"][0], "encrypted_content": strange}, told["output"][1]]
        assert "reasoning_details" not in said(keeps_thoughts=True, input=items)["messages"][0]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": [7]}, "input[0]"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [7]}]}, "input[0].content[0]"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}]},
            "input[0].content[0]",
        ),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "x"}]}]}, "input[0].content[0]"),
        ({"input": [{"role": "assistant", "content": [{"type": "input_image"}]}]}, "input[0].content[0].type"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type"),
        ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "input[0].type"),
        ({"input": [{"type": "function_call", "name": "x"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "x"}]}, "input[0].output"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "mcp", "server_label": "x"}]}, "tools[0].type"),
        ({"input": [{"type": "custom_tool_call", "name": "x", "call_id": "a", "input": 7}]}, "input[0].input"),
        ({"tools": [{"type": "custom"}]}, "tools[0].name"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "namespace", "tools": [TRACK]}]}, "tools[0].name"),
        ({"tools": [{"type": "namespace", "name": "x", "tools": []}]}, "tools[0].tools"),
        ({"tools": [{"type": "namespace", "name": "x", "tools": [{}]}]}, "tools[0].tools[0]"),
        ({"tools": [{"type": "namespace", "name": "x", "tools": [{"type": "function"}]}]}, "tools[0].tools[0].name"),
        (
            {"tools": [{"type": "namespace", "name": "x", "tools": [{"type": "shell", "name": "y"}]}]},
            "tools[0].tools[0].type",
        ),
        *(({"tools": [{**TRACK, "name": "x__y"}, *twice]}, f"{where}.name") for twice, where in TWICE),
        ({"tools": [TRACK], "tool_choice": {"type": "function", "name": "track", "namespace": ["x"]}}, "tool_choice"),
        ({"input": [{**CALLED, "namespace": {"x": 1}}]}, "input[0].namespace"),
        ({"tools": [TRACK], "tool_choice": {"type": "file_search"}}, "tool_choice"),
        ({"tools": [TRACK], "tool_choice": {"type": "allowed_tools", "tools": []}}, "tool_choice.tools"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"text": {"format": "json"}}, "text.format"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"truncation": "middle"}, "truncation"),
        ({"background": True, "store": False}, "store"),
        ({"previous_response_id": 7}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"messages": [{"role": "user", "content": "x"}]}, "messages"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"base_url": "http://x"}, "base_url"),
    ],
)
def test_it_refuses_by_name_what_cannot_be_said(fields, param):
    with pytest.raises(BadInput) as refusal:
        said(**fields)
    assert refusal.value.param == param


def test_signed_thoughts_of_one_item_stay_together():
    """Whatever they come after, and in however many pieces."""
    pieces = [{"type": "reasoning.text", "text": text, "signature": "c2ln", "index": 0} for text in ("One.", "Two.")]
    deltas = [{"content": "So."}, *({"reasoning_details": [piece]} for piece in pieces), {"content": "Done."}]
    chunks = [*map(chunk, deltas), chunk({}, finish="stop")]
    reader, events = streamed(chunks, include=["reasoning.encrypted_content"])
    (thoughts,) = [item for item in reader.answer()["output"] if item["type"] == "reasoning"]
    assert unsealed(thoughts["encrypted_content"]) == pieces
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done[1]["encrypted_content"] == thoughts["encrypted_content"]


def test_what_is_said_and_called_in_a_row_is_one_turn():
    call = {"type": "function_call", "call_id": "c", "name": "track", "arguments": "{}"}
    words = [{"role": "assistant", "content": text} for text in ("I", " look", " now.")]
    (turn,) = said(input=[words[0], call, *words[1:]])["messages"]
    assert turn["content"] == "I look now." and len(turn["tool_calls"]) == 1


def test_results_follow_their_calls_wherever_they_stand():
    """As Semantic Kernel goes on from a kept response: it repeats the words around a call before its result."""
    call = {"type": "function_call", "call_id": "c", "name": "track", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "c", "output": "late"}
    hello, other = {"role": "user", "content": "Where?"}, {**call, "call_id": "d"}
    late = {**result, "call_id": "d"}
    found = said(input=[hello, call, hello, {"role": "assistant", "content": "I look."}, other, result, late])[
        "messages"
    ]
    assert [(m["role"], m.get("tool_call_id")) for m in found] == [
        ("user", None),
        ("assistant", None),
        ("tool", "c"),
        ("user", None),
        ("assistant", None),
        ("tool", "d"),
    ]
    again = said(input=[call, result, call, {**result, "output": "here"}, {**result, "call_id": "nobody"}])["messages"]
    assert [m.get("content") for m in again] == [None, "late", None, "here", "late"], "an id may come twice"
