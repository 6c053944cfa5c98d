"""A streamed message and a whole one tell the same chat completion, however the bytes are cut and written."""

import json

import orjson
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from console.core.errors import ProviderError
from console.providers.anthropic.answer import completion_of, usage_of
from console.providers.anthropic.kind import Anthropic
from console.providers.anthropic.request import messages_request
from console.providers.anthropic.stream import AnthropicStream
from console.providers.sse import MAX_EVENT_BYTES
from console.providers.types import Usage
from tests import claude
from tests.providers.test_openai_stream import cut, writings

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
blocks = st.one_of(
    st.builds(claude.text, words),
    st.builds(claude.thought, words | st.just(""), words),
    st.builds(lambda name, n: claude.tool_use(name, f"toolu_{n}", n=n), words, st.integers(0, 9)),
    st.just(claude.tool_use("now")),
    st.builds(lambda data: {"type": "redacted_thinking", "data": data}, words),
    st.just({"type": "invented_block", "secret": "x"}),
)
stops = st.sampled_from(["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal", "yet_to_come"])
messages = st.builds(lambda found, stop: claude.message(*found, stop=stop), st.lists(blocks, max_size=4), stops)


def read(pieces, **options):
    reader = AnthropicStream(**{"include_usage": True, **options})
    out = []
    for piece in pieces:
        out.append(reader.feed(piece))
        if reader.is_complete:
            break
    else:
        out.append(reader.finish())
    return reader, b"".join(out)


def chunks(out):
    """Return what a client sees: every frame is one data line of JSON, every chunk of one and the same answer."""
    found = []
    for frame in out.decode().split("\n\n")[:-1]:
        assert frame.startswith("data: ") and "\n" not in frame and "\r" not in frame
        found.append(json.loads(frame[6:]))
        assert found[-1]["object"] == "chat.completion.chunk" and found[-1]["id"] == "msg_1"
    assert not found or found[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    return found


def gathered(found):
    """Return the message a client builds: strings joined, entries appended, calls by their index."""
    message = {"content": "", "reasoning_content": "", "reasoning_details": [], "tool_calls": []}
    for delta in (choice["delta"] for chunk in found for choice in chunk["choices"]):
        for name in ("content", "reasoning_content"):
            message[name] += delta.get(name, "")
        message["reasoning_details"] += delta.get("reasoning_details", [])
        for call in delta.get("tool_calls", ()):
            if call["index"] == len(message["tool_calls"]):  # what OpenAI's client does
                message["tool_calls"].insert(call["index"], {**call, "function": dict(call["function"])})
            else:
                assert call.keys() == {"index", "function"}, "what is repeated gets doubled"
                message["tool_calls"][call["index"]]["function"]["arguments"] += call["function"]["arguments"]
    return message


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_any_cutting_and_any_writing_gives_the_whole_message(data):
    message = data.draw(messages)
    written = data.draw(writings(claude.events(message, size=data.draw(st.integers(1, 9))), done=False))
    reader, out = read(cut(written, data.draw(st.lists(st.integers(0, 10_000), max_size=12))))
    completion, usage = completion_of(message)
    whole = completion["choices"][0]
    assert reader.is_complete and reader.last_frames == b"data: [DONE]\n\n" and reader.usage == usage
    found = chunks(out)
    built = gathered(found)
    assert built["content"] == (whole["message"]["content"] or "")
    assert built["reasoning_content"] == whole["message"].get("reasoning_content", "")
    assert built["reasoning_details"] == whole["message"].get("reasoning_details", [])
    calls = [
        (c["id"], c["function"]["name"], json.loads(c["function"]["arguments"]))
        for c in whole["message"].get("tool_calls", [])
    ]
    assert [
        (c["id"], c["function"]["name"], json.loads(c["function"]["arguments"])) for c in built["tool_calls"]
    ] == calls
    assert found[-1]["choices"] == [] and found[-1]["usage"] == completion["usage"]
    assert found[-2]["choices"][0]["finish_reason"] == whole["finish_reason"]
    assert all(chunk["usage"] is None for chunk in found[:-1])
    logged = reader.answer()["choices"][0]
    for call in logged["message"].get("tool_calls", []):
        call["function"]["arguments"] = orjson.dumps(orjson.loads(call["function"]["arguments"])).decode()
    assert logged == {k: v for k, v in whole.items() if k != "logprobs"}
    said = json.dumps(message)  # hypothesis draws such words too, from this very file
    assert not any(word in out for word in (b"secret", b"invented", b"event:") if word.decode() not in said)


@given(st.lists(blocks.filter(lambda b: b["type"] != "invented_block"), min_size=1, max_size=4))
@settings(max_examples=80, deadline=None)
def test_an_answer_sent_back_is_the_blocks_it_was(told):
    said = completion_of(claude.message(*told))[0]["choices"][0]["message"]
    texts = [b for b in told if b["type"] == "text"]
    assume(len(texts) < 2 and all(b["text"].strip() for b in texts))  # several texts are one in OpenAI's form,
    assume(not texts or "tool_use" not in [b["type"] for b in told[: told.index(texts[0])]])  # and come before calls
    history = [{"role": "user", "content": "x"}, said]
    request = messages_request({"model": "claude-sonnet-5", "max_tokens": 9, "messages": history})
    back = [{k: v for k, v in b.items() if k != "citations"} for b in told]
    assert request["messages"][1]["content"] == back


@given(messages, st.integers(0, 5000))
@settings(max_examples=80, deadline=None)
def test_a_message_cut_before_its_end_is_never_complete(message, place):
    written = claude.sse(*claude.events(message))
    end = written.index(b'{"type": "message_stop"}') + len(b'{"type": "message_stop"')
    try:
        reader, out = read([written[: place % end]])
    except ProviderError as error:
        assert error.code == "upstream_invalid"  # cut within an event
        return
    assert not reader.is_complete and not reader.last_frames
    assert all(not c["choices"][0]["finish_reason"] for c in chunks(out))
    orjson.dumps(reader.answer())


@given(st.lists(st.binary(max_size=60), max_size=8))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_read_or_refused(pieces):
    try:
        _, out = read(pieces)
    except ProviderError as error:
        assert error.code in {"upstream_invalid", "upstream_error"}
    else:
        assert chunks(out) == []


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
some_blocks = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "thinking", "tool_use"]) | values},
    optional={"text": values, "thinking": values, "input": values, "id": values, "name": values, "signature": values},
)
some_deltas = st.fixed_dictionaries(
    {"type": st.sampled_from(["text_delta", "thinking_delta", "input_json_delta", "signature_delta"]) | values},
    optional={"text": values, "thinking": values, "partial_json": values, "signature": values, "stop_reason": values},
)
some_events = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"]
        )
        | values
    },
    optional={
        "index": st.integers(0, 1) | values,
        "content_block": some_blocks | values,
        "delta": some_deltas | values,
        "usage": values | st.fixed_dictionaries({"output_tokens": values, "output_tokens_details": values}),
    },
)


@given(st.lists(some_events, max_size=6))
@settings(max_examples=150, deadline=None)
def test_any_shape_is_read_or_refused(found):
    try:
        reader, out = read([claude.sse(claude.events(claude.message())[0], *({"type": "x", **e} for e in found))])
    except ProviderError as error:
        assert error.code in {"upstream_invalid", "upstream_error"}
    else:
        chunks(out)
        orjson.dumps(reader.answer())


def test_an_event_that_never_ends_is_refused():
    with pytest.raises(ProviderError, match="too large"):
        read([b"x" * (MAX_EVENT_BYTES + 1)])


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (lambda e: e[2:], "beginning"),
        (lambda e: [e[0], *e], "beginning"),
        (lambda e: [*e[:2], e[2], e[2]], "block"),
        (lambda e: [*e[:2], e[3]], "no block"),
        (lambda e: [*e[:2], {"type": "content_block_stop", "index": 9}], "no block"),
        (lambda e: [*e[:4], *e[-2:]], "whole"),
        (lambda e: [*e[:-2], e[-1]], "whole"),
        (lambda e: [*e[:3], claude.failure("api_error")], "mid-answer"),
        (lambda e: [*e[:3], claude.failure("overloaded_error")], "busy"),
        (lambda e: [*e[:3], {"type": "error", "error": {"type": ["api_error"]}}], "mid-answer"),
    ],
)
def test_a_broken_order_of_events_is_an_error_in_our_words(events, words):
    with pytest.raises(ProviderError, match=words) as caught:
        read([claude.sse(*events(claude.events(claude.message())))])
    assert "callers' eyes" not in caught.value.message


def test_nothing_may_follow_the_end_and_usage_is_for_those_who_asked():
    written = claude.sse(*claude.events(claude.message()), claude.failure("api_error"))
    reader, out = read([written], include_usage=False)
    assert reader.is_complete and all(c["choices"] for c in chunks(out)) and reader.usage == Usage(150, 7, 100, 4, 30)


def test_a_refusal_and_its_words():
    details = {"type": "refusal", "category": "bio", "explanation": "Not this."}
    message = claude.message(claude.text("I"), stop="refusal", stop_details=details)
    completion, _ = completion_of(message)
    assert completion["choices"][0]["message"]["refusal"] == "Not this."
    reader, out = read([claude.sse(*claude.events(message))])
    assert [c["choices"][0]["delta"].get("refusal") for c in chunks(out)[-3:-1]] == ["Not this.", None]
    assert reader.answer()["choices"][0]["finish_reason"] == "content_filter"


def test_the_older_functions():
    message = claude.message(claude.tool_use(n=1), stop="tool_use")
    whole = json.loads(Anthropic().read(json.dumps(message).encode(), is_legacy=True).body)["choices"][0]
    assert whole["message"]["function_call"] == {"name": "track", "arguments": '{"n":1}'}
    assert whole["finish_reason"] == "function_call"
    reader, out = read([claude.sse(*claude.events(message))], is_legacy=True)
    deltas = [c["choices"][0]["delta"].get("function_call", {}) for c in chunks(out) if c["choices"]]
    assert "".join(d.get("arguments", "") for d in deltas) == '{"n": 1}' and b"tool_calls" not in out
    assert reader.answer()["choices"][0]["message"]["function_call"]["name"] == "track"


def test_counts():
    assert usage_of(claude.USAGE) == Usage(prompt=150, completion=7, cached=100, reasoning=4, cache_written=30)
    assert usage_of({"input_tokens": 0, "output_tokens": 0}) == Usage(0, 0)
    for said, counted in ((10, 10), (50, 30), (-1, 0), (True, 0), (None, 0)):
        by_time = {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": said}
        assert usage_of({**claude.USAGE, "cache_creation": by_time}).cache_written_1h == counted, (
            "no more than all of it"
        )
    assert usage_of({**claude.USAGE, "cache_creation": [1]}).cache_written_1h == 0
    for nonsense in (None, [], {}, {"input_tokens": 3}, {"output_tokens": "7"}):
        assert usage_of(nonsense) is None
    answered = {**claude.USAGE, "type": "message"}
    shortened = {"type": "compaction", "input_tokens": 900, "cache_read_input_tokens": 60, "output_tokens": 40}
    steps = [shortened, answered, shortened, "?", None, {"type": "compaction", "input_tokens": "9"}]
    counted = Usage(prompt=150 + 2 * 960, completion=7 + 2 * 40, cached=100 + 2 * 60, reasoning=4, cache_written=30)
    assert usage_of({**claude.USAGE, "iterations": steps}) == counted, "beside the sum, and paid"
    assert usage_of({**claude.USAGE, "iterations": {"type": "compaction"}}) == usage_of(claude.USAGE)
    assert usage_of({"input_tokens": 2**31 - 1, "cache_read_input_tokens": 1, "output_tokens": 1}) is None


@pytest.mark.parametrize("raw", [b"{", b"[]", b"{}", b'{"content": "x"}', b'{"content": ["x"]}'])
def test_a_whole_answer_that_is_none_is_refused(raw):
    with pytest.raises(ProviderError) as caught:
        Anthropic().read(raw)
    assert caught.value.code == "upstream_invalid"


@pytest.mark.parametrize(
    ("status", "kind", "ours", "code", "is_passed_on"),
    [
        (400, "invalid_request_error", 400, "upstream_refused", True),
        (413, "request_too_large", 400, "upstream_refused", True),
        (404, "not_found_error", 400, "upstream_refused", True),
        (401, "authentication_error", 502, "upstream_credentials", False),
        (403, "permission_error", 502, "upstream_credentials", False),
        (402, "billing_error", 502, "upstream_error", False),
        (429, "rate_limit_error", 503, "upstream_busy", False),
        (500, "api_error", 502, "upstream_error", False),
        (529, "overloaded_error", 503, "upstream_busy", False),
    ],
)
def test_a_failure_is_told_in_our_words(status, kind, ours, code, is_passed_on):
    error = Anthropic().failure(status, json.dumps(claude.failure(kind, "sk-ant-api03-" + "x" * 30)).encode())
    assert (error.status, error.code, error.upstream_status) == (ours, code, status)
    assert ("[redacted]" in error.message) == is_passed_on and "sk-ant" not in error.message
    assert Anthropic().failure(status, b"<html>").upstream_status == status


def test_too_long_a_prompt_has_its_code():
    raw = json.dumps(claude.failure("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum")).encode()
    assert Anthropic().failure(400, raw).code == "context_length_exceeded"


def test_the_list_of_models():
    page = {"data": [{"type": "model", "id": "claude-b"}, {"type": "model", "id": "claude-a"}], "has_more": False}
    assert Anthropic().read_models(json.dumps(page).encode()) == ["claude-a", "claude-b"]
    for raw in (b"{", b"[]", b"{}", b'{"data": 3}', b'{"data": [3]}'):
        with pytest.raises(ProviderError):
            Anthropic().read_models(raw)
