"""Anthropic's messages over models of either kind: said as chat completions and told back, streamed or whole."""

import hashlib
import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.core.errors import BadInput, ProviderError
from console.gateway.messages.answer import message_of
from console.gateway.messages.dropped_fields import dropped_fields
from console.gateway.messages.request import chat_request
from console.gateway.messages.schemas import can_be_strict
from console.gateway.messages.stream import MessageStream
from console.gateway.shapes import messages as shape
from console.providers.anthropic.pass_through import PassedStream
from console.providers.anthropic.request import messages_request
from console.providers.openai.stream import OpenAIStream
from tests import claude
from tests.providers.test_anthropic_stream import messages
from tests.providers.test_openai_stream import cut, writings
from tests.upstream import chunk

HELLO = [{"role": "user", "content": [{"type": "text", "text": "Hello?"}]}]
CLOSED = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
FORMAT = {"type": "json_schema", "schema": CLOSED}


def read(reader, pieces):
    """Return the events a client sees, after checking that each has its name and nothing else around it."""
    out = [reader.feed(piece) for piece in pieces if not reader.is_complete]
    if not reader.is_complete:
        out.append(reader.finish())
    found = []
    for frame in (b"".join(out) + reader.last_frames).decode().split("\n\n")[:-1]:
        name, data = frame.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}" and data.startswith("data: ")
    return found


def gathered(events):
    """Return the blocks a client builds; blocks come one after another and are closed before the next."""
    blocks, is_open = [], False
    for event in events:
        if event["type"] == "content_block_start":
            assert not is_open and event["index"] == len(blocks)
            blocks.append({**event["content_block"], "json": ""})
            is_open = True
        elif event["type"] == "content_block_delta":
            assert is_open and event["index"] == len(blocks) - 1
            for name, piece in event["delta"].items():
                if name != "type":
                    name = "json" if name == "partial_json" else name
                    blocks[-1][name] = blocks[-1].get(name, "") + piece
        elif event["type"] == "content_block_stop":
            is_open = False
            written = blocks[-1].pop("json")
            if written:
                blocks[-1]["input"] = json.loads(written)
    assert not is_open
    return blocks


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_passed_events_are_the_events_however_they_are_cut_and_written(data):
    message = data.draw(messages)
    events = claude.events(message, size=data.draw(st.integers(1, 9)))
    invented = {"type": "run_script", "x": 1}
    pieces = cut(
        data.draw(writings([*events[:2], invented, *events[2:]], done=False)), data.draw(st.lists(st.integers(0, 9999)))
    )
    reader = PassedStream()
    assert read(reader, pieces) == events and reader.is_complete
    kept = reader.answer()
    assert [{k: v for k, v in b.items() if k != "citations"} for b in message["content"]] == kept["content"]
    assert kept["stop_reason"] == message["stop_reason"] and reader.usage.prompt == 150


def test_events_whose_name_is_no_text_are_left_out():
    events = claude.events(claude.message())
    odd = [{"type": kind, "index": 0} for kind in ({}, ["content_block_stop"], None, 5)]
    assert read(PassedStream(), [claude.sse(events[0], *odd, *events[1:])]) == events


@st.composite
def chats(draw):
    """Return chunks of a chat completion, as a model writes them, and the blocks they amount to."""
    chunks, blocks, calls = [chunk({"role": "assistant", "content": ""})], [], 0
    words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
    for kind in draw(st.lists(st.sampled_from(["thinking", "text", "tool_use"]), max_size=4)):
        pieces = draw(st.lists(words, min_size=1, max_size=3))
        if kind == "tool_use":
            written = json.dumps({"said": "".join(pieces)})
            head = {"id": f"call_{calls}", "type": "function", "function": {"name": "track", "arguments": ""}}
            chunks.append(chunk({"tool_calls": [{"index": calls, **head}]}))
            for part in (written[:5], written[5:]):
                chunks.append(chunk({"tool_calls": [{"index": calls, "function": {"arguments": part}}]}))
            blocks.append({"type": kind, "id": f"call_{calls}", "name": "track", "input": json.loads(written)})
            calls += 1
            continue
        chunks += [chunk({"content" if kind == "text" else "reasoning_content": piece}) for piece in pieces]
        if blocks and blocks[-1]["type"] == kind:
            blocks[-1][kind] += "".join(pieces)
        else:
            blocks.append({"type": kind, kind: "".join(pieces)} | ({"signature": ""} if kind == "thinking" else {}))
    return [*chunks, chunk({}, finish="stop"), chunk(usage={"prompt_tokens": 3, "completion_tokens": 4})], blocks


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_chunks_are_told_as_blocks_however_they_are_cut(data):
    chunks, blocks = data.draw(chats())
    pieces = cut(data.draw(writings(chunks)), data.draw(st.lists(st.integers(0, 9999), max_size=9)))
    reader = MessageStream(OpenAIStream(include_usage=True), input_tokens=12, names={})
    events = read(reader, pieces)
    assert gathered(events) == blocks
    assert [e["type"] for e in (events[0], *events[-2:])] == ["message_start", "message_delta", "message_stop"]
    ended = "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn"
    assert events[0]["message"]["usage"]["input_tokens"] == 12, "an estimate, until the provider has counted"
    assert events[-2]["usage"]["input_tokens"] == 3 and events[-2]["usage"]["output_tokens"] == 4
    assert events[-2]["delta"]["stop_reason"] == ended
    kept = reader.answer()
    assert [b for b in kept["content"] if b["type"] == "tool_use"] == [b for b in blocks if b["type"] == "tool_use"]


def test_what_breaks_off_is_never_complete():
    for reader, begun in (
        (
            MessageStream(OpenAIStream(include_usage=True), input_tokens=12, names={}),
            b"data: " + orjson.dumps(chunk({"content": "x"})) + b"\n\n",
        ),
        (PassedStream(), claude.sse(*claude.events(claude.message())[:4])),
    ):
        events = read(reader, [begun])
        assert not reader.is_complete and not reader.last_frames and events[-1]["type"] == "content_block_delta"
        orjson.dumps(reader.answer())


def test_calls_that_are_mixed_are_refused():
    def call(index):
        return (
            b"data: "
            + orjson.dumps(chunk({"tool_calls": [{"index": index, "function": {"arguments": "{"}}]}))
            + b"\n\n"
        )

    with pytest.raises(ProviderError, match="mixed"):
        read(MessageStream(OpenAIStream(include_usage=True), input_tokens=12, names={}), [call(0), call(1), call(0)])


def said(messages=HELLO, **fields):
    return chat_request(shape.check({"model": "m", "max_tokens": 9, "messages": messages, **fields}), can_reason=True)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"system": "Be kind."}, {}),
        ({"stop_sequences": ["a"], "temperature": 0.5, "top_k": 3}, {"stop": ["a"], "temperature": 0.5, "top_k": 3}),
        ({"metadata": {"user_id": "u" * 64}}, {"user": "u" * 64}),
        ({"metadata": {"user_id": "u" * 65}}, {"user": hashlib.sha256(b"u" * 65).hexdigest()}),
        ({"metadata": {"user_id": "u"}, "cache_control": {"type": "ephemeral"}}, {"user": "u"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, {"reasoning_effort": "low"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 16000}}, {"reasoning_effort": "high"}),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, {"reasoning_effort": "xhigh"}),
        ({"thinking": {"type": "disabled"}}, {}),
        (
            {"output_config": {"format": FORMAT}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "strict": True, "schema": CLOSED},
                }
            },
        ),
    ],
)
def test_it_says_a_field_in_openais_word(fields, expected):
    request = said(**fields)
    assert {k: v for k, v in request.items() if k not in {"model", "max_tokens", "messages"}} == expected


def test_a_schema_is_strict_where_openais_models_can_be_held_to_it():
    """Anthropic's clients leave what is optional out of `required`, for which OpenAI would refuse the request."""
    inside = {"type": "array", "items": {"anyOf": [CLOSED, {"type": "null"}]}}
    for schema, is_strict in (
        (CLOSED, True),
        ({"$defs": {"A": CLOSED}, "$ref": "#/$defs/A"}, True),
        ({**CLOSED, "properties": {"n": inside}}, True),
        ({"type": "string", "format": "date"}, True),
        ({**CLOSED, "required": []}, False),
        ({**CLOSED, "properties": {"n": {"type": "array", "items": {"type": "object"}}}}, False),
        ({"$defs": {"A": {**CLOSED, "required": []}}, "$ref": "#/$defs/A"}, False),
        ({"type": "integer", "default": 1}, False),
        ({"type": "string", "format": "uri"}, False),
        ({"type": "object"}, False),
        (None, False),
    ):
        body = {
            "output_config": {"format": {"type": "json_schema", "schema": schema}},
            "tools": [{"name": "t", "input_schema": schema, "strict": True}],
        }
        request = said(**body)
        assert request["response_format"]["json_schema"]["strict"] is is_strict
        assert request["tools"][0]["function"].get("strict", False) is is_strict or schema is None
        named = {"output_config.format.strict", "tools[].strict"} & dropped_fields(
            {**body, "messages": HELLO}, can_reason=True
        )
        assert len(named) == (0 if is_strict else 2)


def test_a_long_list_of_what_a_schema_requires_is_looked_through_once():
    """Ten thousand properties, each sought among half a million names, are a minute in which nobody is answered."""

    class Unsearched(list):
        def __contains__(self, name):
            raise AssertionError(f"all is looked through for {name}")

    for required, is_strict in ((["n"], True), ([["n"], {}, None, "n"], True), ([["n"]], False), ([], False)):
        assert can_be_strict({**CLOSED, "required": Unsearched(required)}) is is_strict


def test_there_and_back_is_the_same():
    result = {"type": "tool_result", "tool_use_id": "a", "content": "late"}
    document = {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}
    turns = [
        *HELLO,
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "a", "name": "t", "input": {"n": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                result,
                {"type": "image", "source": {"type": "url", "url": "https://a.example/x.png"}},
                {"type": "document", "source": document, "title": "x.pdf"},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "ü"}, "title": "t"},
            ],
        },
    ]
    tools = [{"name": "t", "description": "d", "input_schema": CLOSED, "strict": True}]
    for choice in ({"type": "any"}, {"type": "tool", "name": "t", "disable_parallel_tool_use": True}, {"type": "none"}):
        body = {"model": "m", "max_tokens": 9, "messages": turns, "tools": tools, "tool_choice": choice}
        body |= {"system": [{"type": "text", "text": "Be kind."}], "metadata": {"user_id": "u"}}
        assert messages_request(chat_request(shape.check(body), can_reason=True)) == body


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"system": 3}, "system"),
        ({"system": [{"type": "image"}]}, "system[0].type"),
        ({"tools": ["x"]}, "tools"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0].type"),
        ({"tools": [{"name": "t"}], "tool_choice": {"type": "sometimes"}}, "tool_choice.type"),
        ({"thinking": "hard"}, "thinking"),
        ({"messages": [{"role": "user", "content": [{"type": "search_result"}]}]}, "messages[0].content[0].type"),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "server_tool_use"}]}]},
            "messages[0].content[0].type",
        ),
    ],
)
def test_it_refuses_by_name_what_cannot_be_said(fields, param):
    with pytest.raises(BadInput) as caught:
        said(**fields)
    assert caught.value.param == param


def test_a_picture_counts_as_a_picture_and_not_by_its_bytes():
    def estimate(*blocks):
        body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": list(blocks)}]}
        return shape.estimate_tokens(shape.check(body), json.dumps(body))

    source = {"type": "base64", "media_type": "image/png", "data": "A" * 1_000_000}
    picture = {"type": "image", "source": source}
    shown = {"type": "tool_result", "tool_use_id": "a", "content": [picture]}
    far = {"type": "image", "source": {"type": "url", "url": "https://a.example/x.png"}}
    words = {"type": "text", "text": "x" * 4000}
    assert all(5000 < estimate(block) < 5100 for block in (picture, shown, far)) and 1000 < estimate(words) < 1100


def test_a_whole_answer():
    choice = {"message": {"content": None, "refusal": "No."}, "finish_reason": "content_filter"}
    told = message_of({"id": "chatcmpl-1", "model": "m", "choices": [choice]}, None)
    assert told["content"] == [{"type": "text", "text": "No."}] and told["stop_reason"] == "refusal"
    call = {"id": "a", "function": {"name": "t", "arguments": "{"}}
    with pytest.raises(ProviderError, match="not a JSON object"):
        message_of({"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}, None)
