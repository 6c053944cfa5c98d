"""The clients people really use: OpenAI's, in both its forms, and Anthropic's list of models."""

import pydantic
import pytest

from console.core.ids import parse_request_id
from console.teams.actors import SYSTEM
from tests import make, sdks
from tests.upstream import chunk, completion, sse, text_chunks, usage
from tests.waiting import until
from usage_app.services.quotas import set_quota

ASK = {"model": "support-chat", "messages": [{"role": "user", "content": "Hello?"}]}
TOOL = {"type": "function", "function": {"name": "track", "parameters": {"type": "object", "properties": {}}}}


class Order(pydantic.BaseModel):
    number: int
    is_late: bool


def test_create(sdk, world):
    answer = sdk.chat.completions.create(**ASK)
    assert answer.choices[0].message.content == "Hello there." and answer.usage.total_tokens == 28
    assert parse_request_id(answer._request_id) == world.calls()[0].pk


async def test_create_async(async_sdk):
    answer = await async_sdk.chat.completions.create(**ASK)
    assert answer.choices[0].message.content == "Hello there."


def test_raw_response(sdk):
    raw = sdk.chat.completions.with_raw_response.create(**ASK)
    assert raw.status_code == 200 and raw.headers["x-facet-model-version"] == "fake/fake-model"
    assert raw.parse().choices[0].finish_reason == "stop" and raw.retries_taken == 0


def test_stream(sdk):
    with sdk.chat.completions.create(**ASK, stream=True) as stream:
        chunks = list(stream)
    assert {c.object for c in chunks} == {"chat.completion.chunk"} and len({c.id for c in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "Hello there."
    assert chunks[-1].choices[0].finish_reason == "stop" and all(c.usage is None for c in chunks)


async def test_stream_async_with_usage(async_sdk):
    stream = await async_sdk.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True})
    chunks = [c async for c in stream]
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 3


def test_the_stream_helper(sdk):
    with sdk.chat.completions.stream(**ASK) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert kinds.count("content.delta") >= 3 and "content.done" in kinds
    assert final.choices[0].message.content == "Hello there."


def test_the_stream_helper_with_tool_calls_and_two_choices(sdk, world):
    def part(index, call, **more):
        one = chunk({"tool_calls": [{"index": call, **more}]})
        one["choices"][0]["index"] = index
        return one

    events = []
    for index in (0, 1):
        events.append({**chunk({"role": "assistant", "content": None})})
        events[-1]["choices"][0]["index"] = index
        for call in (0, 1):
            head = {"id": f"call_{index}{call}", "type": "function", "function": {"name": "track", "arguments": ""}}
            events += [part(index, call, **head), part(index, call, function={"arguments": '{"n":'})]
            events.append(part(index, call, function={"arguments": f"{call}}}"}))
    for index in (0, 1):
        events.append(chunk({}, finish="tool_calls"))
        events[-1]["choices"][0]["index"] = index
    world.upstream.enqueue_stream(*(sse(e) for e in events))
    with sdk.chat.completions.stream(**ASK, tools=[TOOL], n=2) as stream:
        final = stream.get_final_completion()
    for index, choice in enumerate(final.choices):
        calls = choice.message.tool_calls
        assert [c.id for c in calls] == [f"call_{index}0", f"call_{index}1"]
        assert [c.function.arguments for c in calls] == ['{"n":0}', '{"n":1}']


def test_a_provider_that_only_goes_for_compatible(sdk, world):
    """Its calls have no number and no id, its chunks neither head nor role, its words for the end are its own."""
    calls = [{"function": {"name": "track", "arguments": {"n": n}}} for n in (1, 2)]
    events = [{"choices": [{"delta": {"role": "assistant", "tool_calls": [call]}}]} for call in calls]
    world.upstream.enqueue_stream(*map(sse, [*events, {"choices": [{"delta": {}, "finish_reason": "tool_use"}]}]))
    with sdk.chat.completions.stream(**ASK, tools=[TOOL]) as stream:
        streamed = stream.get_final_completion()
    world.upstream.enqueue({"choices": [{"message": {"tool_calls": calls}, "finish_reason": "tool_use"}]})
    for said in (streamed, sdk.chat.completions.create(**ASK, tools=[TOOL])):
        choice = said.choices[0]
        assert (choice.finish_reason, choice.message.role, choice.index) == ("tool_calls", "assistant", 0)
        assert [call.function.arguments for call in choice.message.tool_calls] == ['{"n":1}', '{"n":2}']
        assert len({call.id for call in choice.message.tool_calls}) == 2 and said.id and said.created


def test_parse(sdk, world):
    world.upstream.enqueue(completion('{"number": 7, "is_late": false}'))
    answer = sdk.chat.completions.parse(**ASK, response_format=Order)
    assert answer.choices[0].message.parsed == Order(number=7, is_late=False)
    assert world.upstream.seen[0].body["response_format"]["type"] == "json_schema"
    cut = completion('{"number"')
    cut["choices"][0]["finish_reason"] = "length"
    world.upstream.enqueue(cut)
    with pytest.raises(sdks.openai.LengthFinishReasonError):
        sdk.chat.completions.parse(**ASK, response_format=Order)


def test_a_refusal_of_the_model(sdk, world):
    answer = completion(None)
    answer["choices"][0]["message"]["refusal"] = "I would rather not."
    world.upstream.enqueue(answer)
    message = sdk.chat.completions.parse(**ASK, response_format=Order).choices[0].message
    assert message.refusal == "I would rather not." and message.parsed is None


def test_reasoning_comes_through(sdk, world):
    answer = completion("42")
    answer["choices"][0]["message"]["reasoning_content"] = "Six times seven."
    answer["usage"] = usage() | {"completion_tokens_details": {"reasoning_tokens": 4}}
    world.upstream.enqueue(answer)
    said = sdk.chat.completions.create(**ASK)
    assert said.choices[0].message.reasoning_content == "Six times seven."
    assert said.usage.completion_tokens_details.reasoning_tokens == 4


def test_models(sdk):
    assert [m.id for m in sdk.models.list()] == ["support-chat"]
    assert sdk.models.retrieve("support-chat").owned_by == "fake"
    with pytest.raises(sdks.openai.NotFoundError):
        sdk.models.retrieve("team/nobody")


def test_anthropics_models(anthropic_sdk, world):
    make.make_alias("team/special", production=world.model)
    page = anthropic_sdk.models.list()
    assert [m.id for m in page] == ["support-chat", "team/special"] and not page.has_more
    assert anthropic_sdk.models.retrieve("team/special").display_name == "team/special"
    assert page._request_id.startswith("req_")
    for kind, word, asks in (
        (sdks.anthropic.AuthenticationError, "authentication_error", anthropic_sdk.copy(api_key="nobody").models.list),
        (sdks.anthropic.NotFoundError, "not_found_error", lambda: anthropic_sdk.models.retrieve("nobody")),
    ):
        with pytest.raises(kind) as caught:
            asks()
        assert caught.value.body["error"]["type"] == word and caught.value.request_id == caught.value.body["request_id"]


def test_errors_are_the_right_exceptions(sdk, world):
    def fails_with(kind, code, client=sdk, **fields):
        with pytest.raises(kind) as caught:
            client.chat.completions.create(**{**ASK, **fields})
        assert type(caught.value) is kind and caught.value.code == code
        assert caught.value.request_id.startswith("req_")
        return caught.value

    assert fails_with(sdks.openai.BadRequestError, "invalid_request", n=99).param == "n"
    fails_with(sdks.openai.AuthenticationError, "invalid_api_key", sdk.copy(api_key="nobody"))
    fails_with(sdks.openai.NotFoundError, "model_not_found", model="nobody")
    _, reader = make.make_key(world.team, "reader", scopes=["audit:read"])
    fails_with(sdks.openai.PermissionDeniedError, "scope_missing", sdk.copy(api_key=reader))
    world.upstream.enqueue("oops", status=500)
    fails_with(sdks.openai.InternalServerError, "upstream_error")
    said = {"message": "too long", "code": "context_length_exceeded", "param": "messages"}
    world.upstream.enqueue({"error": said}, status=400)
    assert fails_with(sdks.openai.BadRequestError, "context_length_exceeded").param == "messages"
    set_quota(actor=SYSTEM, team=world.team, metric="requests", window="month", limit=0)
    fails_with(sdks.openai.RateLimitError, "insufficient_quota")
    fails_with(sdks.openai.RateLimitError, "insufficient_quota", stream=True)


def test_an_error_in_mid_stream_is_raised(sdk, world):
    words: list[str] = []
    broken = sse({"error": {"message": "x"}})
    world.upstream.enqueue_stream(sse(chunk({"content": "Half"})), lambda: words, broken)
    with pytest.raises(sdks.openai.APIError) as caught, sdk.chat.completions.create(**ASK, stream=True) as stream:
        for event in stream:
            words.append(event.choices[0].delta.content)
    assert words == ["Half"] and caught.value.code == "upstream_error" and "provider" in caught.value.message


def test_what_cannot_get_better_is_not_tried_again(sdk, world):
    patient = sdk.with_options(max_retries=2)
    set_quota(actor=SYSTEM, team=world.team, metric="requests", window="day", limit=0)
    with pytest.raises(sdks.openai.RateLimitError):
        patient.chat.completions.create(**ASK)
    assert len(world.calls()) == 1


def test_what_may_get_better_is_tried_again(sdk, world):
    world.upstream.enqueue("busy", status=503)
    world.upstream.enqueue("busy", status=503)
    raw = sdk.with_options(max_retries=2).chat.completions.with_raw_response.create(**ASK)
    assert raw.retries_taken == 2
    assert [(c.status, c.http_status) for c in world.calls()] == [("error", 503), ("error", 503), ("ok", 200)]


def test_a_client_that_loses_patience(sdk, world):
    for patience in (0.3, 3, 30):
        world.upstream.enqueue_silence(120)
        with pytest.raises(sdks.openai.APITimeoutError):
            sdk.with_options(timeout=patience).chat.completions.create(**ASK)
        if world.upstream.seen:  # where the machine is slow the first may end before the provider is asked
            break
    until(lambda: world.upstream.closed_early, "the provider's work is ended")


def test_a_stream_that_is_left(sdk, world):
    world.upstream.enqueue_stream(sse(*text_chunks("One")[:2]), done=False, hang=20)
    with sdk.chat.completions.create(**ASK, stream=True) as stream:
        next(iter(stream))
    assert world.upstream.was_closed_early()
