"""Providers that go for OpenAI-compatible and leave out, repeat or rename what its clients rely on."""

import json

import orjson
import pytest

from console.core.errors import ProviderError
from console.gateway.messages.answer import message_of
from console.gateway.messages.stream import MessageStream
from console.providers.openai.completion import CompletionStream
from console.providers.openai.kind import OpenAI
from console.providers.openai.stream import OpenAIStream
from tests import sdks

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def frames(*events, reader=None):
    reader = reader or OpenAIStream(include_usage=False)
    raw = b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events)
    out = reader.feed(raw) + reader.finish()
    return [json.loads(frame[6:]) for frame in out.decode().split("\n\n")[:-1]], reader


def chunk(delta, finish=None, **more):
    return {**HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def calls_added_up(*events):
    """Return the calls as OpenAI's own client adds the pieces up, and as the log keeps them."""
    from openai.lib.streaming._deltas import accumulate_delta

    out, reader = frames(*events, chunk({}, finish="tool_calls"))
    whole = {}
    for event in out:
        assert sdks.openai.types.chat.ChatCompletionChunk.model_validate(event)
        whole = accumulate_delta(whole, event["choices"][0]["delta"])
    assert whole["role"] == "assistant"
    kept = reader.answer()["choices"][0]["message"]["tool_calls"]
    assert [{**call, "index": place} for place, call in enumerate(kept)] == whole["tool_calls"]
    return [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in whole["tool_calls"]]


def piece(**call):
    return chunk({"tool_calls": [call]})


def test_calls_without_a_number():
    """As Gemini writes them: each whole, in one piece or in several chunks."""
    first = {"id": "a", "type": "function", "function": {"name": "find", "arguments": '{"n":1}'}}
    second = {"id": "b", "function": {"name": "find", "arguments": '{"n":2}'}}
    wanted = [("a", "find", '{"n":1}'), ("b", "find", '{"n":2}')]
    assert calls_added_up(chunk({"tool_calls": [first, second]})) == wanted
    assert calls_added_up(piece(**first), piece(**second)) == wanted
    assert calls_added_up(piece(index=0, **first), piece(index=0, **second)) == wanted, "all under one number"
    assert calls_added_up(piece(index=1, **first), piece(index=3, **second)) == wanted, "numbers with gaps"


def test_calls_whose_every_piece_says_everything():
    said = [piece(index=0, id="a", type="function", function={"name": "find", "arguments": p}) for p in ('{"n"', ":1}")]
    assert calls_added_up(*said) == [("a", "find", '{"n":1}')]
    renamed = [piece(index=0, id=f"x{n}", function={"arguments": p}) for n, p in enumerate(('{"n"', ":1}"))]
    begun = piece(index=0, id="a", function={"name": "find", "arguments": None})
    assert calls_added_up(begun, *renamed) == [("a", "find", '{"n":1}')], "another id with each piece"


def test_calls_without_an_id_and_with_an_object():
    made = calls_added_up(piece(index=0, id="", function={"name": "find", "arguments": {"n": 1}}), piece(index=0))
    assert [one[1:] for one in made] == [("find", '{"n":1}')] and made[0][0].startswith("call_")
    message = {"content": None, "tool_calls": [{"function": {"name": "find", "arguments": {"n": 1}}}]}
    message["tool_calls"].append({"id": "b", "type": "function", "function": {"name": "now", "arguments": ""}})
    said = whole({"message": message, "finish_reason": None})
    assert said.choices[0].finish_reason == "tool_calls" and said.choices[0].message.role == "assistant"
    first, second = said.choices[0].message.tool_calls
    assert first.id.startswith("call_") and (first.type, first.function.arguments) == ("function", '{"n":1}')
    assert (second.id, second.function.arguments) == ("b", "{}")


def test_a_call_of_a_custom_tool_stays_one():
    begun = piece(index=0, id="a", type="custom", custom={"name": "sql", "input": ""})
    out, reader = frames(begun, piece(index=0, custom={"input": "SELECT 1"}), chunk({}, finish="tool_calls"))
    assert out[1]["choices"][0]["delta"]["tool_calls"] == [{"index": 0, "custom": {"input": "SELECT 1"}}]
    kept = reader.answer()["choices"][0]["message"]["tool_calls"]
    assert kept == [{"id": "a", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}]


def test_every_chunk_has_the_same_head_and_one_says_the_role():
    out, _ = frames(
        {"id": "", "model": "", "object": "", "created": 0, "choices": [], "prompt_filter_results": []},
        {"created": 5.5, "choices": [{"delta": {"content": "a"}}]},
        {"id": "other", "created": 7, "model": "x", "choices": [{"index": 0, "delta": {"role": "assistant"}}]},
        {"choices": [{"index": 0, "delta": None, "finish_reason": "stop"}]},
    )
    assert len(out) == 3, "what Azure says of the prompt is no chunk of the answer"
    assert len({(e["id"], e["object"], e["created"], e["model"]) for e in out}) == 1
    assert out[0]["id"].startswith("chatcmpl-") and out[0]["object"] == "chat.completion.chunk"
    assert [e["choices"][0]["delta"] for e in out] == [{"role": "assistant", "content": "a"}, {}, {}]
    assert [e["choices"][0]["index"] for e in out] == [0, 0, 0]


def test_texts_without_a_number():
    ends = {"id": "cmpl-1", "created": 1, "model": "m", "choices": [{"text": "a", "finish_reason": "max_tokens"}]}
    out, _ = frames(ends, reader=CompletionStream(include_usage=False))
    assert (out[0]["object"], out[0]["choices"][0]["index"]) == ("text_completion", 0)
    assert out[0]["choices"][0]["finish_reason"] == "length"


def test_content_in_parts():
    """As models of Mistral's that reason write it."""
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Yes."}]
    out, reader = frames(chunk({"content": parts[:1]}), chunk({"content": parts[1:]}), chunk({}, finish="stop"))
    assert out[0]["choices"][0]["delta"] == {"role": "assistant", "content": None, "reasoning_content": "Hm."}
    assert out[1]["choices"][0]["delta"] == {"content": "Yes."}
    assert reader.answer()["choices"][0]["message"]["reasoning_content"] == "Hm."
    message = whole({"message": {"role": "assistant", "content": parts}, "finish_reason": "stop"}).choices[0].message
    assert (message.content, message.reasoning_content) == ("Yes.", "Hm.")


def whole(*choices, **more):
    """Return a whole answer as OpenAI's client validates it."""
    raw = OpenAI().read(orjson.dumps({"choices": list(choices), **more})).body
    return sdks.openai.types.chat.ChatCompletion.model_validate_json(raw)


def test_a_whole_answer_that_says_nothing_of_itself():
    said = whole({"message": {"content": "a"}}, {"message": {"content": "b"}})
    assert said.id.startswith("chatcmpl-") and said.object == "chat.completion" and said.created and said.model == ""
    assert [(c.index, c.finish_reason, c.message.role) for c in said.choices] == [
        (0, "stop", "assistant"),
        (1, "stop", "assistant"),
    ]
    complete = {**HEAD, "object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant"}}]}
    complete["choices"][0] |= {"finish_reason": "stop", "logprobs": None}
    complete["choices"][0]["message"]["content"] = "x"
    raw = json.dumps(complete).encode()
    assert OpenAI().read(raw).body is raw, "who keeps to the format is passed on byte by byte"


def test_a_count_without_its_total():
    counted = {"prompt_tokens": 3, "completion_tokens": 4}
    assert whole({"message": {"content": "a"}}, usage=dict(counted)).usage.total_tokens == 7
    reader = OpenAIStream(include_usage=True)
    out, _ = frames(chunk({"content": "a"}, finish="stop"), {**HEAD, "choices": [], "usage": counted}, reader=reader)
    assert out[-1]["usage"]["total_tokens"] == 7


@pytest.mark.parametrize(
    ("said", "ours"),
    [("model_length", "length"), ("tool_use", "tool_calls"), ("SAFETY", "content_filter"), ("eos", "stop")],
)
def test_other_words_for_the_end(said, ours):
    assert whole({"message": {"content": "a"}, "finish_reason": said}).choices[0].finish_reason == ours
    assert frames(chunk({"content": "a"}, finish=said))[0][0]["choices"][0]["finish_reason"] == ours


def test_an_end_that_is_an_error():
    for read in (lambda: frames(chunk({}, finish="error")), lambda: whole({"message": {}, "finish_reason": "error"})):
        with pytest.raises(ProviderError) as caught:
            read()
        assert caught.value.code == "upstream_error"


@pytest.mark.parametrize(
    ("body", "message", "code", "param"),
    [
        ({"error": {"message": "n is too much", "param": "n", "code": None}}, "n is too much", "", "n"),
        ([{"error": {"code": 400, "message": "Invalid", "status": "INVALID_ARGUMENT"}}], "Invalid", "", None),
        ({"error": "model is busy dreaming"}, "model is busy dreaming", "", None),
        (
            {"object": "error", "message": "This model's maximum context length is 8", "code": 400},
            "maximum",
            "cle",
            None,
        ),
        ({"detail": [{"loc": ["body", "top_p"], "msg": "must be a number"}]}, "body.top_p: must be a number", "", None),
        ({"message": {"detail": [{"loc": [], "msg": "no"}]}}, "no", "", None),
        ("<html>", "status 422", "", None),
        ([], "status 422", "", None),
    ],
)
def test_a_refusal_in_another_form_is_the_callers_to_read(body, message, code, param):
    raw = body.encode() if isinstance(body, str) else orjson.dumps(body)
    error = OpenAI().failure(422, raw)
    assert (error.status, error.permanent, error.param) == (400, True, param) and message in error.message
    assert error.code == ("context_length_exceeded" if code else "upstream_refused")
    nowhere = OpenAI().failure(404, b"<html>")
    assert (nowhere.status, "check its base URL" in nowhere.message) == (502, True), "it is the installation's fault"


ODD = [None, 5, 5.5, True, "x", [], {}, [5], [None], {"type": []}, {"name": []}, {"arguments": []}]
ODD += [[{"type": "text", "text": 5}], [{"type": "thinking", "thinking": [5]}], [{"detail": {"detail": 5}}]]


def odd_answers():
    """Yield choices of every odd shape, each as a whole answer's and as a stream's has it."""
    for odd in ODD:
        yield from ([{"message": {"content": "a"}, "delta": {}, "text": "a", name: odd}] for name in CHOICE)
        yield from ([{"message": {name: odd}, "delta": {name: odd}, "text": ""}] for name in MESSAGE)
        for kind, name in (*(("", name) for name in CALL), *((k, n) for k in ("function", "custom") for n in HELD)):
            call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            call = {"id": "a", kind: {"name": "f", name: odd}} if kind else {**call, name: odd}
            calls = {"tool_calls": [call, {"index": 0, **call}]}
            yield [{"message": calls, "delta": calls, "text": ""}]


CHOICE = ["index", "message", "finish_reason", "logprobs", "delta", "text"]
MESSAGE = ["role", "content", "refusal", "reasoning_content", "tool_calls", "function_call", "audio"]
CALL, HELD = ["id", "type", "function", "custom", "index"], ["name", "arguments", "input"]


def test_answers_of_odd_shapes_are_read_or_the_providers_fault():
    kind = OpenAI()

    def at_once(raw):
        kind.read(raw, is_legacy=True)
        answer = kind.read(raw)
        message_of(orjson.loads(answer.body), answer.usage)
        kind.read_completion(raw)

    def streamed(raw):
        for reader in (
            OpenAIStream(include_usage=True),
            OpenAIStream(include_usage=False, is_legacy=True),
            MessageStream(OpenAIStream(include_usage=True), input_tokens=1, names={}),
            CompletionStream(include_usage=True),
        ):
            reader.feed((b"data: " + raw + b"\n\n") * 2 + b"data: [DONE]\n\n")
            orjson.dumps(reader.answer())

    whole_ones = [{"choices": choices} for choices in odd_answers()]
    heads = ("id", "object", "created", "model", "usage", "choices", "error")
    whole_ones += [{"choices": [{"message": {}, "delta": {}, "text": ""}], name: odd} for name in heads for odd in ODD]
    for body in whole_ones:
        for read in (at_once, streamed):
            try:
                read(orjson.dumps(body))
            except ProviderError:
                pass
            except Exception as fault:
                raise AssertionError(f"{fault!r} of {body}") from fault
    deep = b'{"detail":' * 900 + b"5" + b"}" * 900
    bodies = [{name: odd} for name in ("error", "message", "detail") for odd in [*ODD, [{"loc": 5, "msg": []}]]]
    for raw in (deep, *map(orjson.dumps, bodies)):
        assert kind.failure(422, raw).status == 400
