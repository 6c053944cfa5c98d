"""OpenAI's own client on /v1/responses, with both kinds of provider behind the alias."""

import json
import threading

import pydantic
import pytest

from console.audit.models import Payload
from console.catalog.models import Provider
from console.core.ids import parse_request_id
from console.teams.actors import SYSTEM
from console.teams.services.keys import revoke_key
from tests import claude, make, sdks
from tests.upstream import chunk, completion, sse, text_chunks, usage
from tests.waiting import until
from usage_app.services.quotas import set_quota

ASK = {"model": "support-chat", "input": "Where is order 7?"}
HELLO = [{"role": "user", "content": "Where is order 7?"}]
TRACK = {"type": "function", "name": "track", "parameters": {"type": "object", "properties": {}}, "strict": False}


class Order(pydantic.BaseModel):
    number: int
    is_late: bool


def events_of(text):
    """Return the events of a raw stream, after checking how each is written."""
    found = []
    for frame in text.split("\n\n")[:-1]:
        if frame == ": ping":
            continue
        name, data = frame.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}" and data.startswith("data: ")
    numbers = [event["sequence_number"] for event in found]
    assert numbers == sorted(set(numbers))
    return found


def test_create(sdk, world):
    raw = sdk.responses.with_raw_response.create(
        **ASK,
        instructions="Be kind.",
        tools=[TRACK],
        tool_choice="auto",
        max_output_tokens=200,
        metadata={"ticket": "7"},
        store=False,
        service_tier="auto",
        truncation="auto",
    )
    said = raw.parse()
    assert said.output_text == "Hello there." and said.status == "completed" and said.error is None
    assert (said.usage.input_tokens, said.usage.output_tokens, said.usage.total_tokens) == (23, 5, 28)
    assert (said.metadata, said.instructions, said.tools[0].name) == ({"ticket": "7"}, "Be kind.", "track")
    assert raw.headers["x-facet-dropped-fields"] == "service_tier, truncation"
    assert raw.headers["x-facet-model-version"] == "fake/fake-model" and "x-ratelimit-limit-requests" not in raw.headers
    (seen,) = world.upstream.seen
    assert seen.path == "/v1/chat/completions"
    function = {"name": "track", "parameters": TRACK["parameters"], "strict": False}
    assert seen.body == {
        "model": "fake-model",
        "max_tokens": 200,
        "messages": [{"role": "system", "content": "Be kind."}, *HELLO],
        "tools": [{"type": "function", "function": function}],
        "tool_choice": "auto",
    }
    (line,) = world.calls()
    assert (line.type, line.route, line.status) == ("response", "/v1/responses", "ok")
    assert (line.prompt_tokens, line.completion_tokens) == (23, 5)
    assert parse_request_id(raw.headers["x-request-id"]) == line.pk and said.id == f"resp_{line.pk.hex}"
    kept = json.loads(Payload.objects.get(event_id=line.pk, kind="output").body)
    assert kept["output"][0]["content"][0]["text"] == "Hello there."


async def test_create_async(async_sdk):
    said = await async_sdk.responses.create(**ASK)
    assert said.output_text == "Hello there."
    stream = await async_sdk.responses.create(**ASK, stream=True)
    kinds = [event.type async for event in stream]
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"


def test_stream(sdk, world):
    def part(**function):
        head = {"id": "call_1", "type": "function"} if "name" in function else {}
        return chunk({"tool_calls": [{"index": 0, **head, "function": function}]})

    events = [
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "Hm."}),
        chunk({"content": "I "}),
    ]
    events += [
        chunk({"content": "look."}),
        part(name="track", arguments=""),
        part(arguments='{"n":'),
        part(arguments="7}"),
    ]
    events += [chunk({}, finish="tool_calls"), chunk(usage=usage(23, 9))]
    world.upstream.enqueue_stream(*(sse(e) for e in events))
    with sdk.responses.stream(**ASK, tools=[TRACK]) as stream:
        seen = list(stream)
        said = stream.get_final_response()
    kinds = [event.type for event in seen]
    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    assert kinds[:2] == ["response.created", "response.in_progress"] and kinds[-1] == "response.completed"
    assert kinds.count("response.function_call_arguments.delta") == 2
    assert [item.type for item in said.output] == ["reasoning", "message", "function_call"]
    assert said.output_text == "I look." and json.loads(said.output[2].arguments) == {"n": 7}
    assert said.usage.output_tokens == 9 and world.upstream.seen[0].body["stream_options"] == {"include_usage": True}
    (line,) = world.calls()
    assert (line.status, line.completion_tokens) == ("ok", 9) and said.id == f"resp_{line.pk.hex}"
    kept = json.loads(Payload.objects.get(event_id=line.pk, kind="output").body)
    assert kept["output"][2]["arguments"] == '{"n":7}' and kept["usage"]["output_tokens"] == 9

    history = [*HELLO, *(item.model_dump(exclude_none=True) for item in said.output)]
    history.append({"type": "function_call_output", "call_id": "call_1", "output": "late"})
    raw = sdk.responses.with_raw_response.create(**ASK | {"input": history}, tools=[TRACK])
    assert [m["role"] for m in world.upstream.seen[1].body["messages"]] == ["user", "assistant", "tool"]
    assert raw.headers["x-facet-dropped-fields"].startswith("input[].reasoning")


def test_parse(sdk, world):
    world.upstream.enqueue(completion('{"number": 7, "is_late": true}'))
    world.upstream.enqueue_stream(*(sse(e) for e in text_chunks('{"number": 7,', ' "is_late": true}')))
    said = sdk.responses.parse(**ASK, text_format=Order)
    assert said.output_parsed == Order(number=7, is_late=True)
    with sdk.responses.stream(**ASK, text_format=Order) as stream:
        assert stream.get_final_response().output_parsed == Order(number=7, is_late=True)
    for seen in world.upstream.seen:
        wanted = seen.body["response_format"]
        assert wanted["json_schema"]["name"] == "Order" and wanted["json_schema"]["strict"] is True


def test_a_refusal_and_an_answer_that_was_too_long(sdk, world):
    refused, cut = completion(None), completion("Half")
    refused["choices"][0]["message"]["refusal"] = "I would rather not."
    cut["choices"][0]["finish_reason"] = "length"
    for answer in (refused, cut):
        world.upstream.enqueue(answer)
    said = sdk.responses.create(**ASK)
    assert said.status == "completed" and said.output[0].content[0].refusal == "I would rather not."
    said = sdk.responses.create(**ASK)
    assert said.status == "incomplete" and said.incomplete_details.reason == "max_output_tokens"
    world.upstream.enqueue_stream(sse(chunk({"content": "Half"}), chunk({}, finish="length")))
    kinds = [event.type for event in sdk.responses.create(**ASK, stream=True)]
    assert kinds[-1] == "response.incomplete"


def test_thoughts_of_a_model_of_anthropics_come_back_to_it(sdk, world):
    provider = Provider.objects.create(
        slug="anthropic", name="Anthropic", kind="anthropic", base_url=world.upstream.url
    )
    able = ["chat", "tools", "json_schema", "reasoning"]
    make.make_alias("claude", production=make.make_model("claude-sonnet-5", provider=provider, capabilities=able))
    world.upstream.enqueue(claude.message(claude.thought(), claude.tool_use(n=7), stop="tool_use"))
    world.upstream.enqueue(claude.message(claude.text("It is late.")))
    asked = {"model": "claude", "tools": [TRACK], "include": ["reasoning.encrypted_content"]}
    first = sdk.responses.create(**asked, input=HELLO, reasoning={"effort": "high"})
    assert [item.type for item in first.output] == ["reasoning", "function_call"]
    assert (first.usage.input_tokens_details.cached_tokens, first.usage.input_tokens_details.cache_write_tokens) == (
        100,
        30,
    )
    result = {"type": "function_call_output", "call_id": first.output[1].call_id, "output": "late"}
    kept = [item.model_dump(exclude_none=True) for item in first.output]
    said = sdk.responses.create(**asked, input=[*HELLO, *kept, result])
    assert said.output_text == "It is late."
    turn = world.upstream.seen[1].body["messages"][1]["content"]
    assert [block["type"] for block in turn] == ["thinking", "tool_use"] and turn[0]["signature"] == "c2lnbmVk"


def test_prompts_of_the_library_and_agents(client, world):
    prompt = make.make_prompt(world.team, "support/answer", "Speak for {{shop}}.", variables=[{"name": "shop"}])
    make.publish(prompt, label="staging")
    make.make_agent(
        world.team, "helper", prompt=prompt, prompt_variables={"shop": "Larkfield"}, limits={"output_tokens": 50}
    )
    shop = {"type": "input_text", "text": "Larkfield"}
    named = {"id": "support/answer", "version": "1", "variables": {"shop": shop}}
    spoken = "Speak for Larkfield."
    for fields, messages in (
        ({"prompt": named}, [{"role": "user", "content": spoken}]),
        (
            {"prompt": named, "input": "Where?"},
            [{"role": "system", "content": spoken}, {"role": "user", "content": "Where?"}],
        ),
        (
            {"model": "agent:helper", "input": "Where?"},
            [{"role": "system", "content": spoken}, {"role": "user", "content": "Where?"}],
        ),
    ):
        response = client.post("/v1/responses", json={"model": "support-chat", **fields})
        assert response.status_code == 200, response.text
        assert world.upstream.seen[-1].body["messages"] == messages
        assert response.headers["x-facet-prompt"] == "support/answer@1"
        shown = response.json()["prompt"]
        assert shown == (
            {"id": "support/answer", "version": "1", "variables": {"shop": "Larkfield"}} if "prompt" in fields else None
        )
    assert world.upstream.seen[-1].body["max_tokens"] == 50 and world.calls()[-1].agent == "helper@1"


def test_refusals_are_on_record_and_name_the_field(client, world):
    plain = make.make_model("plain-model", provider=world.provider, capabilities=["chat"])
    make.make_alias("plain", production=plain)
    for fields, param, word in (
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "agent:"),
        ({"conversation": "conv_1"}, "conversation", "previous_response_id"),
        ({"background": True, "store": False}, "store", "kept"),
        ({"input": ""}, "input", "at least one"),
        ({"text": {"format": {"type": "json_object"}}, "model": "plain"}, "text.format.type", "cannot promise"),
        ({"tools": [{"type": "function", "name": "look_up"}], "model": "plain"}, "tools", "an operator ticks that"),
    ):
        response = client.post("/v1/responses", json={**ASK, **fields})
        error = response.json()["error"]
        assert (response.status_code, error["param"]) == (400, param) and word in error["message"], error
    assert client.post("/v1/responses", json={**ASK, "model": "nobody"}).json()["error"]["code"] == "model_not_found"
    assert client.get("/v1/responses").status_code == 405
    assert {line.status for line in world.calls()} == {"refused"} and world.upstream.seen == []


def test_unknown_fields_and_limits_go_by_the_same_rules(client, world, settings):
    for policy, status, named in (("pass", 200, None), ("drop", 200, "seed"), ("refuse", 400, None)):
        settings.GATEWAY_UNKNOWN_FIELDS = policy
        response = client.post("/v1/responses", json={**ASK, "seed": 7})
        assert (response.status_code, response.headers.get("x-facet-dropped-fields")) == (status, named), policy
    assert world.upstream.seen[0].body["seed"] == 7 and "seed" not in world.upstream.seen[1].body
    theirs = {
        "client_metadata": {"a": "b"},
        "image": {"context_compression": "auto"},
    }  # that only OpenAI's servers read
    for policy in ("pass", "refuse"):
        settings.GATEWAY_UNKNOWN_FIELDS = policy
        response = client.post("/v1/responses", json={**ASK, **theirs})
        assert response.status_code == 200 and response.headers["x-facet-dropped-fields"] == "client_metadata, image"
        assert not theirs.keys() & world.upstream.seen[-1].body.keys()
    set_quota(actor=SYSTEM, team=world.team, metric="requests", window="day", limit=4)
    response = client.post("/v1/responses", json=ASK)
    assert response.status_code == 429 and response.json()["error"]["type"] == "rate_limit_error"


def test_it_counts_the_tokens_of_what_would_be_asked(sdk, client, world, settings):
    def count(**more):
        return sdk.responses.input_tokens.count(**{**ASK, **more})

    picture = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 40_000, "detail": "auto"}
    told, longer, seen = (
        count(instructions="Be kind."),
        count(input="x" * 4000, tools=[{"type": "function", "name": "look_up", "parameters": {}, "strict": False}]),
        count(input=[{"role": "user", "content": [picture]}]),
    )
    assert (told.object, 5 < told.input_tokens < 100) == ("response.input_tokens", True)
    assert longer.input_tokens > 1000 and seen.input_tokens < 10_000
    for refused, field in (
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"prompt": {"id": "shop/voice"}}, "prompt"),
        ({"knowledge": ["shop"]}, "knowledge"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input"),
        ({"tools": "all"}, "tools"),
        ({"model": "agent:helper"}, "model"),
    ):
        answer = client.post("/v1/responses/input_tokens", json={**ASK, **refused})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, field), answer.text
    assert client.post("/v1/responses/input_tokens", json={**ASK, "model": "nobody"}).status_code == 404
    settings.GATEWAY_UNKNOWN_FIELDS = "refuse"
    assert client.post("/v1/responses/input_tokens", json={**ASK, "max_output_tokens": 5}).status_code == 400
    assert [(one.status, one.type, one.route) for one in world.calls()] == [
        ("refused", "response", "/v1/responses/input_tokens")
    ] * 8
    assert world.upstream.seen == []


def test_the_same_key_gets_the_same_answer(client, world):
    once = {"Idempotency-Key": "once"}
    first, again = (client.post("/v1/responses", json=ASK, headers=once) for _ in range(2))
    assert first.json() == again.json() and again.headers["x-facet-idempotent-replay"] == "true"
    once = {"Idempotency-Key": "streamed"}
    first, again = (
        events_of(client.post("/v1/responses", json={**ASK, "stream": True}, headers=once).text) for _ in range(2)
    )
    assert first[-1]["response"] == again[-1]["response"] and again[-1]["type"] == "response.completed"
    items = [[e["item"] for e in events if e["type"] == "response.output_item.done"] for events in (first, again)]
    assert items[0] == items[1] and len(world.upstream.seen) == 2


def test_a_stream_that_breaks_off_says_so_twice(client, world):
    world.upstream.enqueue_stream(sse(chunk({"content": "Half"})), done=False)
    found = events_of(client.post("/v1/responses", json={**ASK, "stream": True}).text)
    assert [event["type"] for event in found[-2:]] == ["error", "response.failed"]
    assert found[-2]["code"] == "upstream_truncated" and found[-1]["response"]["status"] == "failed"
    assert found[-1]["response"]["output"][0]["content"][0]["text"] == "Half"
    (line,) = world.calls()
    assert (line.status, line.code, line.usage_note) == ("error", "upstream_truncated", "estimated")

    world.upstream.enqueue({"error": {"message": "boom"}}, status=500)
    response = client.post("/v1/responses", json={**ASK, "stream": True})
    assert response.status_code == 502 and response.json()["error"]["code"].startswith("upstream")


def test_an_error_after_a_heartbeat_is_an_event(client, world, settings):
    settings.GATEWAY_HEARTBEAT_SECONDS = 0.2
    has_pinged, came = threading.Event(), ""
    world.upstream.enqueue_when(has_pinged.is_set, status=500)
    with client.stream("POST", "/v1/responses", json={**ASK, "stream": True}) as response:
        for piece in response.iter_text():
            came += piece
            if ": ping\n\n" in came:
                has_pinged.set()
    assert response.status_code == 200
    assert [event["type"] for event in events_of(came)][-2:] == ["error", "response.failed"]


def test_a_stream_ends_with_its_keys_access(client, world):
    world.upstream.enqueue_stream(sse(chunk({"content": "Half"})), done=False, hang=60)
    with client.stream("POST", "/v1/responses", json={**ASK, "stream": True}) as response:
        revoke_key(actor=SYSTEM, key=world.key)
        found = events_of(response.read().decode())
    assert [event["type"] for event in found[-2:]] == ["error", "response.failed"]
    assert found[-2]["code"] == "access_ended" and found[-1]["response"]["output"][0]["status"] == "incomplete"
    until(lambda: [line.code for line in world.calls()] == ["access_ended"], "its end is on record")


def test_what_nobody_counted_is_estimated_and_told(client, world):
    long = {**ASK, "instructions": "Be brief. " * 400}
    world.upstream.enqueue_stream(sse(*text_chunks("Hello ", "there.", with_usage=False)))
    *_, last = events_of(client.post("/v1/responses", json={**long, "stream": True}).text)
    uncounted = completion()
    del uncounted["usage"]
    world.upstream.enqueue(uncounted)
    whole = client.post("/v1/responses", json=long).json()
    for told, line in zip((last["response"], whole), world.calls(), strict=True):
        assert line.usage_note == "estimated" and line.prompt_tokens > 1000
        assert (told["usage"]["input_tokens"], told["usage"]["output_tokens"]) == (
            line.prompt_tokens,
            line.completion_tokens,
        )
        assert 0 < line.completion_tokens < 200, "the model did not write what the response repeats"
        kept = json.loads(Payload.objects.get(event_id=line.pk, kind="output").body)
        assert kept["status"] == "completed" and kept["usage"] == told["usage"]


def test_who_leaves_a_stream_is_settled(client, world):
    world.upstream.enqueue_stream(*(sse(e) for e in text_chunks("a", "b", with_usage=False)[:3]), done=False, hang=20)
    with client.stream("POST", "/v1/responses", json={**ASK, "stream": True}) as response:
        for line in response.iter_lines():
            if "output_text.delta" in line:
                break
    assert world.upstream.was_closed_early()
    until(lambda: [line.status for line in world.calls()] == ["client_disconnected"], "its end is on record")
    (line,) = world.calls()
    assert line.usage_note == "estimated" and line.prompt_tokens > 0


def test_errors_are_the_client_librarys(sdk, world):
    with pytest.raises(sdks.openai.AuthenticationError) as refused:
        sdk.with_options(api_key="nobody").responses.create(**ASK)
    assert refused.value.code == "invalid_api_key"
    with pytest.raises(sdks.openai.BadRequestError) as refused:
        sdk.responses.create(**ASK, tools=[{"type": "web_search"}])
    assert refused.value.param == "tools[0].type" and world.upstream.seen == []
