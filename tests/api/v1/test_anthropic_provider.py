"""OpenAI's client on one side, Anthropic's wire format on the other, Facet in between."""

import json
from decimal import Decimal

import pytest

from console.audit.models import Payload
from console.catalog.models import Price, Provider
from console.core.crypto import encrypt
from tests import claude, make, sdks

HELLO = [{"role": "user", "content": "Where is order 7?"}]
ASK = {"model": "claude", "messages": HELLO}
TOOL = {"type": "function", "function": {"name": "track", "parameters": {"type": "object", "properties": {}}}}
SECRET = "sk-ant-of-the-test-0123456789"


@pytest.fixture
def desk(world):
    """The world with an alias `claude` at a provider of Anthropic's kind; what it got must be as they document it."""
    provider = Provider.objects.create(
        slug="anthropic", name="Anthropic", kind="anthropic", base_url=world.upstream.url, secret=encrypt(SECRET)
    )
    able = ["chat", "tools", "json_schema", "reasoning"]
    model = make.make_model("claude-sonnet-5", provider=provider, capabilities=able, price=("3", "15"))
    Price.objects.filter(model_version=model).update(
        cached_input=Decimal("0.3"), cache_write=Decimal("3.75"), cache_write_1h=Decimal(6)
    )
    make.make_alias("claude", production=model)
    yield world
    for seen in world.upstream.seen:
        claude.check_request(seen)
        assert seen.headers["x-api-key"] == SECRET


def test_a_conversation_with_thoughts_and_tools_both_whole_and_streamed(sdk, desk):
    up = desk.upstream
    first = claude.message(
        claude.thought("I must look."), claude.text("One moment."), claude.tool_use(n=7), stop="tool_use"
    )
    up.enqueue(first)
    options = {"tools": [TOOL], "reasoning_effort": "high", "max_completion_tokens": 2000}
    answer = sdk.chat.completions.create(**ASK, **options)
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.content == "One moment."
    assert choice.message.reasoning_content == "I must look."
    call = choice.message.tool_calls[0]
    assert (call.id, call.function.name, json.loads(call.function.arguments)) == ("toolu_1", "track", {"n": 7})
    used = answer.usage
    assert (used.prompt_tokens, used.completion_tokens, used.total_tokens) == (150, 7, 157)
    assert (used.prompt_tokens_details.cached_tokens, used.completion_tokens_details.reasoning_tokens) == (100, 4)

    up.enqueue_stream(claude.sse(*claude.events(claude.message())), done=False)
    said = choice.message.model_dump(exclude_none=True)
    result = {"role": "tool", "tool_call_id": call.id, "content": "On its way."}
    with sdk.chat.completions.stream(
        model="claude", messages=[*HELLO, said, result], **options, stream_options={"include_usage": True}
    ) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == "Hello there." and final.usage.prompt_tokens == 150

    sent = [seen.body for seen in up.seen]
    assert sent[0] == {
        "model": "claude-sonnet-5",
        "max_tokens": 2000,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Where is order 7?"}]}],
        "tools": [{"name": "track", "input_schema": {"type": "object", "properties": {}}}],
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "high"},
    }
    told = [{k: v for k, v in block.items() if k != "citations"} for block in first["content"]]
    back = [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "On its way."}]
    assert sent[1]["messages"][1:] == [{"role": "assistant", "content": told}, {"role": "user", "content": back}]
    assert sent[1]["stream"] is True

    whole, streamed = desk.calls()
    for line in (whole, streamed):
        assert (line.prompt_tokens, line.cached_tokens, line.completion_tokens, line.reasoning_tokens) == (
            150,
            100,
            7,
            4,
        )
        assert line.by_kind["cache_write_tokens"] == 30
        assert (
            line.cost_micros == 20 * 3 + 100 * 0.3 + 30 * 3.75 + 7 * 15 + 0.5
            and line.model == "anthropic/claude-sonnet-5"
        )


def test_a_streamed_call_of_a_tool(sdk, desk):
    blocks = [claude.thought(), claude.text("Both."), claude.tool_use(n=1), claude.tool_use("now", "toolu_2")]
    desk.upstream.enqueue_stream(
        *(claude.sse(e) for e in claude.events(claude.message(*blocks, stop="tool_use"))), done=False
    )
    with sdk.chat.completions.stream(**ASK, tools=[TOOL], parallel_tool_calls=True) as stream:
        seen = [event.type for event in stream]
        message = stream.get_final_completion().choices[0].message
    assert seen.count("tool_calls.function.arguments.done") == 2
    assert [(c.id, c.function.arguments) for c in message.tool_calls] == [("toolu_1", '{"n": 1}'), ("toolu_2", "{}")]
    assert message.reasoning_details[0]["signature"] == "c2lnbmVk" and message.reasoning_content == "Let me see."
    kept = json.loads(Payload.objects.get(event_id=desk.calls()[0].pk, kind="output").body)
    assert kept["choices"][0]["message"]["tool_calls"][1]["function"]["arguments"] == "{}"


def test_what_goes_wrong_there(sdk, desk):
    up = desk.upstream
    for status, kind, error, code in [
        (400, "invalid_request_error", sdks.openai.BadRequestError, "upstream_refused"),
        (401, "authentication_error", sdks.openai.InternalServerError, "upstream_credentials"),
        (429, "rate_limit_error", sdks.openai.InternalServerError, "upstream_busy"),
        (529, "overloaded_error", sdks.openai.InternalServerError, "upstream_busy"),
    ]:
        up.enqueue(claude.failure(kind), status=status, extra="retry-after: 7\r\n")
        with pytest.raises(error) as caught:
            sdk.chat.completions.create(**ASK)
        assert caught.value.code == code
        assert caught.value.response.headers.get("retry-after") == ("7" if code == "upstream_busy" else None)
    desk.forgive()
    events = claude.events(claude.message())
    for ending, code in ([claude.failure("overloaded_error")], "upstream_busy"), ([], "upstream_truncated"):
        up.enqueue_stream(claude.sse(*events[:4], *ending), done=False)
        with pytest.raises(sdks.openai.APIError) as caught:
            list(sdk.chat.completions.create(**ASK, stream=True))
        assert caught.value.code == code
    assert [c.code for c in desk.calls()][-2:] == ["upstream_busy", "upstream_truncated"]


def test_what_it_cannot_do_is_refused_on_record_before_anything_is_sent(sdk, desk):
    for fields, param in [({"n": 2}, "n"), ({"logprobs": True}, "logprobs"), ({"temperature": 1.5}, "temperature")]:
        with pytest.raises(sdks.openai.BadRequestError) as caught:
            sdk.chat.completions.create(**ASK, **fields)
        assert caught.value.param == param
        line = desk.calls()[-1]
        assert (line.status, line.http_status, line.team) == ("refused", 400, "Support") and param in line.reason
    with pytest.raises(sdks.openai.BadRequestError, match="does not make embeddings"):
        sdk.embeddings.create(model="claude", input="x")
    assert desk.upstream.seen == []


def test_an_answer_in_any_json_is_the_input_of_a_tool(sdk, desk):
    """The one JSON a model there is held to without a schema, so who asks for JSON of any shape gets it."""
    up, create = desk.upstream, sdk.chat.completions.create
    wanted = {"response_format": {"type": "json_object"}}
    given = claude.tool_use("facet_json_answer", n=7)
    up.enqueue(claude.message(given, stop="tool_use"))
    (choice,) = create(**ASK, **wanted).choices
    assert (choice.finish_reason, json.loads(choice.message.content)) == ("stop", {"n": 7})
    assert choice.message.tool_calls is None
    sent = up.seen[0].body
    assert [tool["name"] for tool in sent["tools"]] == ["facet_json_answer"] and sent["tool_choice"]["type"] == "tool"

    whole = claude.message(given, claude.tool_use("facet_json_answer", id="toolu_2"), stop="tool_use")
    for stop, finish in (("tool_use", "stop"), ("max_tokens", "length")):
        up.enqueue_stream(claude.sse(*claude.events({**whole, "stop_reason": stop}, size=3)), done=False)
        chunks = [chunk.choices[0] for chunk in create(**ASK, **wanted, stream=True)]
        assert "".join(one.delta.content or "" for one in chunks) == '{"n": 7}' and chunks[-1].finish_reason == finish
        assert not any(one.delta.tool_calls for one in chunks)
    kept = Payload.objects.filter(kind="output").order_by("event_id").values_list("body", flat=True)
    assert [json.loads(body)["choices"][0]["message"]["content"] for body in kept] == ['{"n":7}', *['{"n": 7}'] * 2]

    for fields, names, choice, stop in (
        ({"tools": [TOOL]}, ["track", "facet_json_answer"], {"type": "any"}, "tool_calls"),
        ({"tools": [TOOL], "tool_choice": "required"}, ["track"], {"type": "any"}, "tool_calls"),
    ):
        up.enqueue(claude.message(claude.tool_use(), stop="tool_use"))
        assert create(**ASK, **wanted, **fields).choices[0].finish_reason == stop
        sent = up.seen[-1].body
        assert ([tool["name"] for tool in sent["tools"]], sent["tool_choice"]) == (names, choice)
    up.enqueue(claude.message(given, stop="tool_use"))
    create(**ASK, **wanted, tools=[TOOL], tool_choice="none")
    assert up.seen[-1].body["tool_choice"]["name"] == "facet_json_answer", "the caller's are not to be called"
    up.enqueue(claude.message(given, stop="tool_use"))
    said = sdk.responses.create(model="claude", input="JSON, please.", text={"format": {"type": "json_object"}})
    assert (said.status, json.loads(said.output_text)) == ("completed", {"n": 7})
