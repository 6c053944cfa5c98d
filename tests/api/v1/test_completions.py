"""Text completions, the older form: OpenAI's client over the whole pipeline."""

from collections.abc import Iterator
from typing import Any

import pytest

from console.audit.models import Payload
from console.teams.actors import SYSTEM
from tests import make, sdks
from tests.upstream import sse, usage
from usage_app.services.quotas import set_quota

ASK = {"model": "writer", "prompt": "Once upon a time"}


def text(*texts: str, **more: Any) -> dict[str, Any]:
    choices = [{"index": i, "text": t, "logprobs": None, "finish_reason": "stop"} for i, t in enumerate(texts)]
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1_700_000_000, "model": "fake-writer"}
    return {**head, "choices": choices, "usage": usage(5, 3), **more}


def frame(index: int, piece: str, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": index, "text": piece, "logprobs": None, "finish_reason": finish}
    return {**text(), "choices": [choice], "usage": None}


@pytest.fixture(autouse=True)
def writer(world) -> Iterator[None]:
    model = make.make_model("fake-writer", provider=world.provider, capabilities=["completion"])
    make.make_alias("writer", production=model)
    yield


def kept(call) -> str:
    return Payload.objects.get(event_id=call.pk, kind="output").body


def test_every_form_of_a_prompt_passes(sdk, world):
    for prompt in ("One", ["One", "Two"], [1, 2, 3], [[1, 2], [3]]):
        world.upstream.enqueue(text(" there was"))
        raw = sdk.completions.with_raw_response.create(model="writer", prompt=prompt)
        assert raw.parse().choices[0].text == " there was" and raw.parse().object == "text_completion"
        assert world.upstream.seen[-1].path == "/v1/completions" and world.upstream.seen[-1].body["prompt"] == prompt
    assert raw.headers["x-facet-model-version"] == "fake/fake-writer" and float(raw.headers["x-facet-cost"]) > 0
    assert world.upstream.seen[-1].body["max_tokens"] == 16  # what the wire format says when nobody asks
    call = world.calls()[-1]
    assert (call.type, call.route, call.status) == ("completion", "/v1/completions", "ok")
    assert (call.prompt_tokens, call.completion_tokens) == (5, 3) and " there was" in kept(call)


def test_what_a_provider_leaves_out_is_added(sdk, world):
    world.upstream.enqueue({**text(), "object": "x", "choices": [{"text": "a"}, {"text": "b", "finish_reason": "eos"}]})
    answer = sdk.completions.create(**ASK, n=2, suffix="The end.", best_of=2, logprobs=1)
    assert answer.object == "text_completion"
    assert [(c.index, c.text, c.finish_reason) for c in answer.choices] == [(0, "a", "stop"), (1, "b", "stop")]
    assert world.upstream.seen[-1].body | {"best_of": 2, "suffix": "The end."} == world.upstream.seen[-1].body


def test_the_prompt_comes_back_from_any_provider(sdk, world):
    world.upstream.enqueue(text(" one", " two", " three", " four"))
    answer = sdk.completions.create(model="writer", prompt=["A", "B"], n=2, echo=True)
    assert [c.text for c in answer.choices] == ["A one", "A two", "B three", "B four"]
    assert "echo" not in world.upstream.seen[-1].body and "B four" in kept(world.calls()[-1])
    world.upstream.enqueue_stream(sse(frame(1, " two"), frame(0, " one"), frame(0, "", "stop"), frame(1, "", "stop")))
    stream = list(sdk.completions.create(model="writer", prompt=["A", "B"], echo=True, stream=True))
    assert [c.choices[0].text for c in stream] == ["B two", "A one", "", ""]
    for fields in ({"prompt": [1, 2]}, {"prompt": "A", "logprobs": 1}):  # only the provider can tell these
        world.upstream.enqueue(text(" one"))
        assert sdk.completions.create(model="writer", echo=True, **fields).choices[0].text == " one"
        assert world.upstream.seen[-1].body["echo"] is True


async def test_a_stream_of_two_choices(async_sdk, world):
    frames = [frame(0, "Once"), frame(1, "Then"), frame(0, " more", "stop"), frame(1, "", "length")]
    for options in ({}, {"stream_options": {"include_usage": True}}):
        world.upstream.enqueue_stream(sse(*frames, {**text(), "choices": []}, "[DONE]"))
        stream = await async_sdk.completions.create(**ASK, n=2, stream=True, **options)
        chunks = [chunk async for chunk in stream]
        texts = [c.choices[0] for c in chunks if c.choices]
        assert "".join(c.text for c in texts if c.index == 0) == "Once more" and texts[-1].finish_reason == "length"
        assert len(chunks) == 4 + bool(options) and bool(chunks[-1].usage) is bool(options)
    assert world.upstream.seen[-1].body["stream_options"] == {"include_usage": True}


def test_a_field_that_is_wrong_is_named(client, world):
    completions = [
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt[1]"),
        ({"prompt": [1, "a"]}, "prompt"),
        ({"prompt": ["a", [1]]}, "prompt"),
        ({"prompt": [[1, -1]]}, "prompt[0]"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"n": 3, "best_of": 2}, "best_of"),
        ({"best_of": 2, "stream": True}, "best_of"),
        ({"logprobs": 6}, "logprobs"),
        ({"echo": 1}, "echo"),
        ({"suffix": 1}, "suffix"),
        ({"temperature": "hot"}, "temperature"),
    ]
    embeddings = [
        ({"input": {}}, "input"),
        ({"input": [""]}, "input[0]"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "encoding_format": []}, "encoding_format"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "stream": True}, "stream"),
        ({"input": ["a"] * 2049}, "input"),
    ]
    for path, bodies, base in (("completions", completions, ASK), ("embeddings", embeddings, {"model": "writer"})):
        for fields, param in bodies:
            answer = client.post(f"/v1/{path}", json={**base, **fields})
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), fields
    assert world.upstream.seen == [] and {c.status for c in world.calls()} == {"refused"}


def test_a_model_of_another_kind_is_refused_with_the_way_to_go(sdk, world):
    with pytest.raises(sdks.openai.BadRequestError, match="It chats: send messages to /v1/chat/completions") as refused:
        sdk.completions.create(model="support-chat", prompt="Once")
    assert refused.value.param == "model"
    with pytest.raises(sdks.openai.BadRequestError, match="does not chat"):
        sdk.chat.completions.create(model="writer", messages=[{"role": "user", "content": "Hi"}])
    with pytest.raises(sdks.openai.BadRequestError, match="does not make embeddings"):
        sdk.embeddings.create(model="writer", input="Hi")


def test_a_repeated_request_is_answered_once(sdk, world):
    world.upstream.enqueue(text(" there was"))
    head = {"Idempotency-Key": "tale"}
    first = sdk.completions.create(**ASK, extra_headers=head)
    again = sdk.completions.create(**ASK, extra_headers=head)
    assert first == again and len(world.upstream.seen) == 1
    world.upstream.enqueue_stream(sse(frame(0, "Once"), frame(0, "", "stop"), "[DONE]"))
    for _ in range(2):
        stream = list(sdk.completions.create(**ASK, stream=True, extra_headers={"Idempotency-Key": "streamed"}))
        assert "".join(c.choices[0].text for c in stream) == "Once" and stream[-1].choices[0].finish_reason == "stop"
    assert len(world.upstream.seen) == 2


def test_quotas_set_aside_every_answer_that_may_come(sdk, world):
    set_quota(actor=SYSTEM, team=world.team, metric="tokens", window="day", limit=200)
    with pytest.raises(sdks.openai.RateLimitError):  # 3 prompts x 4 answers x 16 tokens
        sdk.completions.create(model="writer", prompt=["a", "b", "c"], n=2, best_of=4)
    world.upstream.enqueue(text("x"))
    sdk.completions.create(model="writer", prompt=[1, 2, 3])
    assert world.calls()[-1].status == "ok"


def test_what_llama_cpp_does_differently_is_put_right(sdk, world):
    token = {"token": " a", "logprob": -0.5, "top_logprobs": [{"token": " a", "logprob": -0.5}]}
    chatty = {"content": [token, {**token, "token": "b", "top_logprobs": []}]}
    spent = {"usage": usage(2, 3)}

    def end(index: int) -> dict[str, Any]:
        return {**frame(index, "", "length"), **spent}

    first = frame(0, " ab")
    first["choices"][0]["logprobs"] = chatty
    for options in ({}, {"stream_options": {"include_usage": True}}):
        world.upstream.enqueue_stream(sse("null", first, frame(1, "x"), end(1), end(0), "[DONE]"))
        stream = list(sdk.completions.create(model="writer", prompt=["a", "b"], stream=True, **options))
        assert stream[0].choices[0].logprobs.tokens == [" a", "b"]
        assert stream[0].choices[0].logprobs.text_offset == [0, 2]
        assert all(c.usage is None for c in stream if c.choices)
        assert (world.calls()[-1].prompt_tokens, world.calls()[-1].completion_tokens) == (4, 6)
    assert stream[-1].choices == [] and stream[-1].usage.total_tokens == 10
    whole = text(" ab")
    whole["choices"][0]["logprobs"] = chatty
    world.upstream.enqueue(whole)
    found = sdk.completions.create(**ASK, logprobs=1).choices[0].logprobs
    assert found.token_logprobs == [-0.5, -0.5] and found.top_logprobs == [{" a": -0.5}, {}]
    of_the_first = {**text("a", "b"), "timings": {}}
    world.upstream.enqueue(of_the_first)
    sdk.completions.create(**ASK, n=2)
    assert world.calls()[-1].usage_note == "estimated" and world.calls()[-1].completion_tokens > 3
