"""Any stream of events gives the same frames and the same answer, however its bytes are cut and written."""

import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.core.errors import ProviderError
from console.providers.openai.stream import OpenAIStream, usage_of
from console.providers.sse import MAX_EVENT_BYTES
from console.providers.types import Usage

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


@st.composite
def deltas(draw):
    kind = draw(st.sampled_from(["content", "reasoning_content", "refusal", "tool", "empty"]))
    if kind == "tool":
        return {"tool_calls": [{"index": draw(st.integers(0, 2)), "function": {"arguments": draw(text)}}]}
    return {} if kind == "empty" else {kind: draw(text)}


def _as_openai_writes(parts):
    """Number the calls of each choice from 0 without gaps; the first piece of each says what it is."""
    begun = {}
    for index, delta in parts:
        for call in delta.get("tool_calls", ()):
            known = begun.setdefault(index, [])
            call["index"] = min(call["index"], len(known))
            if call["index"] == len(known):
                known.append(call)
                call |= {"id": f"call_{index}{len(known)}", "type": "function"}
                call["function"]["name"] = "find"
    return parts


@st.composite
def answers(draw):
    """Return how many choices were asked for, and the events of a whole answer without its [DONE]."""
    choices = draw(st.integers(1, 3))
    parts = draw(st.lists(st.tuples(st.integers(0, choices - 1), deltas()), max_size=8))
    parts = [(i, {"role": "assistant"}) for i in range(choices)] + _as_openai_writes(parts)
    events = [{**HEAD, "choices": [{"index": i, "delta": d, "finish_reason": None}]} for i, d in parts]
    reasons = st.sampled_from(["stop", "length", "tool_calls"])
    events += [{**HEAD, "choices": [{"index": i, "delta": {}, "finish_reason": draw(reasons)}]} for i in range(choices)]
    if draw(st.booleans()):
        events.append({**HEAD, "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})
    return choices, events


@st.composite
def writings(draw, events, *, done=True):
    """Write events as any server might: line endings, comments, other fields, several data lines."""
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    noise = st.sampled_from([[], [": ping"], ["event: message"], ["id: 7", "retry: 10"], [":"], ["unknown"]])
    frames = []
    for event in [*events, *(["[DONE]"] if done else [])]:
        line = event if isinstance(event, str) else json.dumps(event, ensure_ascii=draw(st.booleans()))
        lines = [line]
        if isinstance(event, dict) and draw(st.booleans()):
            lines = json.dumps(event, indent=draw(st.sampled_from([0, 1]))).split("\n")
        space = draw(st.sampled_from(["", " "]))
        frames.append(end.join([*draw(noise), *(f"data:{space}{part}" for part in lines), *draw(noise)]))
        if draw(st.booleans()):
            frames.append(draw(st.sampled_from([": keep-alive", ":", "event: ping"])))
    return (end * 2).join(frames).encode() + (end * 2).encode()


def cut(data, places):
    edges = [0, *sorted({p % (len(data) + 1) for p in places}), len(data)]
    return [data[a:b] for a, b in zip(edges, edges[1:], strict=False) if a < b]


def read(pieces, **options):
    reader = OpenAIStream(**{"include_usage": True, **options})
    out = []
    for piece in pieces:
        out.append(reader.feed(piece))
        assert out[-1] == b"" or out[-1].endswith(b"\n\n"), "a frame left in two parts"
        if reader.is_complete:
            break
    else:
        out.append(reader.finish())
    return reader, b"".join(out)


def seen(events):
    """Return events as somebody sees them who asked for usage."""
    return [{"usage": None, **event} for event in events]


def frames(out):
    """Return the events a client sees. Every frame is one data line of JSON in UTF-8."""
    found = []
    for frame in out.decode().split("\n\n")[:-1]:
        assert frame.startswith("data: ") and "\n" not in frame and "\r" not in frame
        found.append(json.loads(frame[6:]))
    return found


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_cutting_and_any_writing_gives_the_same(data):
    choices, events = data.draw(answers())
    written = data.draw(writings(events))
    pieces = cut(written, data.draw(st.lists(st.integers(0, 10_000), max_size=12)))
    reader, out = read(pieces, choices=choices)
    plain, _ = read([b"".join(b"data: " + orjson.dumps(e) + b"\n\n" for e in events) + b"data: [DONE]\n\n"])
    assert frames(out) == seen(events)
    assert reader.answer() == plain.answer() and reader.usage == plain.usage
    assert reader.is_complete and reader.last_frames == b"data: [DONE]\n\n"


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_byte_by_byte_is_the_same(data):
    choices, events = data.draw(answers())
    written = data.draw(writings(events, done=False))
    reader, out = read([bytes([b]) for b in written], choices=choices)
    assert frames(out) == seen(events) and reader.is_complete


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_the_answer_for_the_log_is_what_the_client_got(data):
    choices, events = data.draw(answers())
    reader, out = read(cut(data.draw(writings(events)), [17, 99, 256]), choices=choices)
    said = {i: {"content": "", "reasoning_content": "", "refusal": "", "arguments": ""} for i in range(choices)}
    for event in frames(out):
        for choice in event["choices"]:
            for name, value in choice["delta"].items():
                if name == "tool_calls":
                    said[choice["index"]]["arguments"] += value[0]["function"]["arguments"]
                elif name != "role":
                    said[choice["index"]][name] += value
    for choice in reader.answer()["choices"]:
        message, expected = choice["message"], said[choice["index"]]
        assert (message["content"] or "") == expected["content"]
        assert message.get("reasoning_content", "") == expected["reasoning_content"]
        assert message.get("refusal", "") == expected["refusal"]
        arguments = [call["function"]["arguments"] for call in message.get("tool_calls", [])]
        assert sum(map(len, arguments)) == len(expected["arguments"])


@given(st.data(), st.integers(0, 5000))
@settings(max_examples=80, deadline=None)
def test_an_answer_cut_before_its_end_is_never_complete(data, place):
    choices, events = data.draw(answers())
    ending = json.dumps({**HEAD, "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]})
    written = data.draw(writings([e for e in events if not any(c["finish_reason"] for c in e["choices"])], done=False))
    cut_off = (written + b"data: " + ending.encode())[: len(written) + place % len(ending)]
    try:
        reader, _ = read([cut_off], choices=choices)
    except ProviderError:
        return
    assert not reader.is_complete and not reader.last_frames


@given(st.lists(st.binary(max_size=60), max_size=8))
@settings(max_examples=300)
def test_any_bytes_are_read_or_refused(pieces):
    try:
        _, out = read(pieces)
    except ProviderError as error:
        assert error.code in {"upstream_invalid", "upstream_error"}
    else:
        frames(out)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_shape_is_read_or_refused(data):
    shape = {
        "choices": st.lists(
            values
            | st.fixed_dictionaries(
                {},
                optional={
                    "index": values,
                    "finish_reason": values,
                    "delta": values
                    | st.fixed_dictionaries(
                        {},
                        optional={
                            "content": values,
                            "tool_calls": values
                            | st.lists(st.fixed_dictionaries({}, optional={"index": values, "function": values})),
                        },
                    ),
                },
            ),
            max_size=3,
        ),
        "usage": values | st.fixed_dictionaries({"prompt_tokens": values, "prompt_tokens_details": values}),
    }
    events = data.draw(st.lists(st.fixed_dictionaries(shape), max_size=3))
    try:
        reader, _ = read([b"data: " + json.dumps(e).encode() + b"\n\n" for e in events])
    except ProviderError as error:
        assert error.code in {"upstream_invalid", "upstream_error"}
    else:
        orjson.dumps(reader.answer())


def event(**choice):
    return b"data: " + orjson.dumps({**HEAD, "choices": [{"index": 0, "delta": {}, **choice}]}) + b"\n\n"


@pytest.mark.parametrize("piece", [1024, MAX_EVENT_BYTES])
def test_an_event_that_never_ends_is_refused(piece):
    reader = OpenAIStream(include_usage=False)
    with pytest.raises(ProviderError, match="too large"):
        for _ in range(MAX_EVENT_BYTES // piece + 2):
            reader.feed(b"x" * piece)


def test_one_of_two_choices_is_not_the_whole_answer():
    reader, _ = read([event(delta={"content": "a"}), event(finish_reason="stop")], choices=2)
    assert not reader.is_complete
    second = event(index=1, delta={"content": "b"})
    reader, _ = read([event(finish_reason="stop"), second], choices=1)
    assert not reader.is_complete, "a choice that began after the first had ended has not ended"
    reader, _ = read([event(finish_reason="stop"), second, event(index=1, finish_reason="stop")], choices=2)
    assert reader.is_complete


def test_a_finish_reason_no_client_knows_is_mended():
    reader, out = read([event(finish_reason="eos_token")])
    assert frames(out)[0]["choices"][0]["finish_reason"] == "stop" and reader.is_complete


def test_an_empty_data_line_is_nothing():
    reader, out = read([b"data:\n\ndata: \n\n", event(finish_reason="stop")])
    assert len(frames(out)) == 1 and reader.is_complete


def test_an_event_name_of_the_providers_own_does_not_reach_the_client():
    _, out = read([b"event: run-script\n" + event(delta={"content": "x"})])
    assert b"event:" not in out and frames(out)


@given(values)
def test_usage_is_numbers_or_nothing(value):
    found = usage_of(value)
    assert found is None or (found.prompt >= 0 and found.completion >= 0)


def test_zero_is_a_count():
    assert usage_of({"prompt_tokens": 0, "completion_tokens": 0}) == Usage(0, 0)
    assert usage_of({"prompt_tokens": 5}) == Usage(5, 0)
    assert usage_of({"prompt_tokens": 5, "completion_tokens": None}) == Usage(5, 0)


def test_usage_on_the_last_chunk_gets_a_chunk_of_its_own():
    counted = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    last = {**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": counted}
    for done in (b"data: [DONE]\n\n", b""):
        pieces = [event(delta={"content": "x"}), b"data: " + orjson.dumps(last) + b"\n\n", done]
        reader, out = read(pieces)
        assert [one["usage"] for one in frames(out)] == [None, None]
        assert reader.last_frames.endswith(b"data: [DONE]\n\n")
        assert frames(reader.last_frames.removesuffix(b"data: [DONE]\n\n")) == [
            {**HEAD, "choices": [], "usage": counted}
        ]
        assert reader.usage == Usage(3, 4)
        unasked, out = read(pieces, include_usage=False)
        assert b"usage" not in out + unasked.last_frames and unasked.usage == Usage(3, 4)
