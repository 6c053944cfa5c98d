"""Anthropic's own client on /v1/messages, with both kinds of provider behind the alias."""

import hashlib
import json
from decimal import Decimal

import httpx2 as httpx
import pytest

from console.audit.models import Payload
from console.catalog.models import Amounts, Provider
from console.catalog.services.versions import set_price
from console.core.ids import parse_request_id
from console.teams.actors import SYSTEM
from tests import claude, make, sdks
from tests.upstream import chunk, completion, sse, usage
from usage_app.services.quotas import set_quota

HELLO = [{"role": "user", "content": "Where is order 7?"}]
ASK = {"model": "support-chat", "max_tokens": 200, "messages": HELLO}
TOOL = {"name": "track", "description": "Find it.", "input_schema": {"type": "object", "properties": {}}}


@pytest.fixture
def desk(world):
    """The world with an alias `claude` whose provider speaks messages itself."""
    url = world.upstream.url
    provider = Provider.objects.create(slug="anthropic", name="Anthropic", kind="anthropic", base_url=url)
    able = ["chat", "tools", "json_schema", "reasoning"]
    world.claude = make.make_model("claude-sonnet-5", provider=provider, capabilities=able)
    make.make_alias("claude", production=world.claude)
    return world


def test_a_message_of_a_model_that_does_not_speak_them(anthropic_sdk, world):
    answer = completion("Hello there.")
    answer["usage"] = usage() | {"prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2}}
    world.upstream.enqueue(answer)
    said = anthropic_sdk.messages.create(
        **ASK,
        system=[{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
        tools=[TOOL],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        stop_sequences=["END"],
        metadata={"user_id": "u-1"},
        extra_headers={"anthropic-beta": "yet-to-come-2030-01-01"},
    )
    assert [(b.type, b.text) for b in said.content] == [("text", "Hello there.")]
    assert (said.id, said.role, said.stop_reason, said.stop_sequence) == ("msg_1", "assistant", "end_turn", None)
    assert (said.usage.input_tokens, said.usage.cache_read_input_tokens, said.usage.output_tokens) == (18, 3, 5)
    assert said.usage.cache_creation_input_tokens == 2
    assert world.upstream.seen[0].path == "/v1/chat/completions"
    assert world.upstream.seen[0].body == {
        "model": "fake-model",
        "max_tokens": 200,
        "messages": [{"role": "system", "content": "Be kind."}, *HELLO],
        "tools": [
            {
                "type": "function",
                "function": {"name": "track", "description": "Find it.", "parameters": TOOL["input_schema"]},
            }
        ],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "stop": ["END"],
        "user": "u-1",
    }
    line = world.calls()[0]
    assert (line.type, line.route, line.status) == ("message", "/v1/messages", "ok")
    assert (line.prompt_tokens, line.completion_tokens) == (23, 5)
    assert parse_request_id(said._request_id) == line.pk


def test_a_stream_of_a_model_that_does_not_speak_them(anthropic_sdk, world):
    def part(index, **function):
        head = {"id": f"call_{index}", "type": "function"} if "name" in function else {}
        return chunk({"tool_calls": [{"index": index, **head, "function": function}]})

    events = [
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "Hm."}),
        chunk({"content": "I "}),
    ]
    events += [chunk({"content": "look."}), part(0, name="track", arguments=""), part(0, arguments='{"n":')]
    events += [part(0, arguments="7}"), part(1, name="now", arguments="{}"), chunk({}, finish="tool_calls")]
    world.upstream.enqueue_stream(*(sse(e) for e in [*events, chunk(usage=usage(23, 9))]))
    with anthropic_sdk.messages.stream(**ASK, tools=[TOOL]) as stream:
        kinds = [event.type for event in stream]
        said = stream.get_final_message()
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop" and kinds.count("content_block_stop") == 4
    assert [b.type for b in said.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert said.content[1].text == "I look." and said.content[2].input == {"n": 7} and said.content[3].id == "call_1"
    assert said.stop_reason == "tool_use" and said.usage.output_tokens == 9 and said.usage.input_tokens == 23
    assert world.upstream.seen[0].body["stream_options"] == {"include_usage": True}
    kept = json.loads(Payload.objects.get(event_id=world.calls()[0].pk, kind="output").body)
    assert kept["content"][2]["input"] == {"n": 7} and kept["usage"]["output_tokens"] == 9

    # Names of tools may be twice as long as OpenAI takes them, and those of MCP are.
    name = "mcp__" + "a-server-of-many-words__" * 3 + "find"
    short = f"{name[:55]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    call = {"id": "call_1", "type": "function", "function": {"name": short, "arguments": "{}"}}
    used = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": name, "input": {}}]}
    turns = [*HELLO, used, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "x"}]}]
    long = {**ASK, "messages": turns, "tools": [{**TOOL, "name": name}], "tool_choice": {"type": "tool", "name": name}}
    whole = completion(None)
    whole["choices"][0]["message"]["tool_calls"] = [call]
    world.upstream.enqueue(whole)
    assert anthropic_sdk.messages.create(**long).content[0].name == name
    world.upstream.enqueue_stream(
        sse(part(0, name=short, arguments="{}")), sse(chunk({}, finish="tool_calls")), sse(chunk(usage=usage(23, 9)))
    )
    with anthropic_sdk.messages.stream(**long) as stream:
        assert stream.get_final_message().content[0].name == name
    sent = world.upstream.seen[-1].body
    assert sent["tools"][0]["function"]["name"] == sent["tool_choice"]["function"]["name"] == short and len(short) == 64
    assert sent["messages"][1]["tool_calls"][0]["function"]["name"] == short

    expected = anthropic_sdk.messages.count_tokens(model="support-chat", messages=HELLO).input_tokens
    world.upstream.enqueue_stream(sse(chunk({"content": "Here."}), chunk({}, finish="stop")))  # and counts nothing
    first, *_, last, _ = anthropic_sdk.messages.create(**ASK, stream=True)
    assert abs(first.message.usage.input_tokens - expected) < 20, "what is not known yet is estimated"
    (line,) = (call for call in world.calls() if call.usage_note == "estimated")
    assert last.usage.input_tokens == line.prompt_tokens == first.message.usage.input_tokens
    assert 0 < last.usage.output_tokens == line.completion_tokens

    history = [*HELLO, {"role": "assistant", "content": [b.model_dump() for b in said.content]}]
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    results = [{"type": "tool_result", "tool_use_id": f"call_{i}", "content": "late"} for i in (0, 1)]
    results[1]["content"] = [{"type": "text", "text": "late"}, picture]
    anthropic_sdk.messages.create(**ASK | {"messages": [*history, {"role": "user", "content": [*results, picture]}]})
    sent = world.upstream.seen[-1].body["messages"]
    assert [m["role"] for m in sent] == ["user", "assistant", "tool", "tool", "user"]
    assert sent[1]["tool_calls"][0] == {
        "id": "call_0",
        "type": "function",
        "function": {"name": "track", "arguments": '{"n":7}'},
    }
    shown = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert [one["content"] for one in sent[2:]] == ["late", "late", [shown, shown]], "a tool's own message is text"


def test_a_refusal_of_a_model_that_does_not_speak_messages(anthropic_sdk, world):
    """OpenAI's models end one with `stop`."""
    answer = completion(None)
    answer["choices"][0]["message"]["refusal"] = "I would rather not."
    world.upstream.enqueue(answer)
    world.upstream.enqueue_stream(sse(chunk({"refusal": "I would rather not."}), chunk({}, finish="stop")))
    whole = anthropic_sdk.messages.create(**ASK)
    with anthropic_sdk.messages.stream(**ASK) as stream:
        streamed = stream.get_final_message()
    for said in (whole, streamed):
        assert (said.stop_reason, said.content[0].text) == ("refusal", "I would rather not.")


def test_the_clients_own_loop_of_tools(anthropic_sdk, desk):
    """It would have the provider hold the conversation, and sends the whole when it hears that nobody does."""

    @sdks.anthropic.beta_tool
    def track(n: int) -> str:
        """Find order `n`."""
        return f"{n} is late"

    call = {"id": "call_1", "type": "function", "function": {"name": "track", "arguments": '{"n": 7}'}}
    wants = completion(None)
    wants["choices"][0] |= {"message": {"role": "assistant", "content": None, "tool_calls": [call]}}
    for model, answers in (
        ("support-chat", (wants, completion("It is late."))),
        ("claude", (claude.message(claude.tool_use(n=7), stop="tool_use"), claude.message(claude.text("It is late.")))),
    ):
        for answer in answers:
            desk.upstream.enqueue(answer)
        ran = list(anthropic_sdk.beta.messages.tool_runner(**ASK | {"model": model}, tools=[track]))
        assert [turn.stop_reason for turn in ran] == ["tool_use", "end_turn"], model
        assert "7 is late" in json.dumps(desk.upstream.seen[-1].body["messages"])
        assert ran[-1].content[0].text == "It is late." and "thread" not in desk.upstream.seen[-1].body


def test_nothing_is_lost_between_two_that_speak_messages(anthropic_sdk, desk):
    cached = {"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}
    whole = claude.message(claude.thought(), claude.text(), claude.tool_use(n=7), stop="tool_use")
    by_time = {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}
    whole["usage"] = {**claude.USAGE, "cache_creation": by_time}
    prices = {"cache_write": Decimal("3.75"), "cache_write_1h": Decimal(6)}
    set_price(actor=SYSTEM, version=desk.claude, amounts=Amounts(Decimal(3), Decimal(15), **prices))
    desk.upstream.enqueue(whole)
    fields = {"system": [cached], "thinking": {"type": "adaptive"}, "tools": [TOOL], "metadata": {"user_id": "u"}}
    said = anthropic_sdk.messages.create(**ASK | {"model": "claude"}, **fields)
    assert said.model_dump(exclude_unset=True, exclude={"_request_id"}) == whole
    desk.upstream.enqueue_stream(claude.sse(*claude.events(whole)), done=False)
    with anthropic_sdk.messages.stream(**ASK | {"model": "claude"}, **fields) as stream:
        streamed = stream.get_final_message()
    assert [b.model_dump(exclude_unset=True) for b in streamed.content] == whole["content"]
    assert streamed.stop_reason == "tool_use" and streamed.usage.cache_creation_input_tokens == 30
    for seen in desk.upstream.seen:
        claude.check_request(seen)
        assert {k: v for k, v in seen.body.items() if k != "stream"} == {
            **ASK,
            "model": "claude-sonnet-5",
            **fields,
        }
        assert "anthropic-beta" not in seen.headers
    for line in desk.calls():
        assert (line.prompt_tokens, line.cached_tokens, line.completion_tokens) == (150, 100, 7)
        assert json.loads(line.token_kinds) == {"cache_write_tokens": 30, "cache_write_1h_tokens": 20}
        assert line.cost_micros == 120 * 3 + 10 * 3.75 + 20 * 6 + 7 * 15 + 0.5  # rounded up
        kept = json.loads(Payload.objects.get(event_id=line.pk, kind="output").body)
        assert kept["content"][2]["input"] == {"n": 7} and kept["usage"]["cache_read_input_tokens"] == 100


def test_betas_and_budgets_of_coding_agents_go_to_who_speaks_messages(anthropic_sdk, desk, settings):
    """As Claude Code asks: a system message in mid-conversation is one of them, and refused without."""
    said = "context-management-2025-06-27, mid-conversation-system-2026-04-07,mcp-client-2025-11-20,No Name,fast-mode-2"
    said += ",context-1m-2025-08-07"
    turns = [*HELLO, {"role": "system", "content": "Be brief."}]
    ask = {**ASK, "model": "claude", "messages": turns, "extra_body": {"context_management": {"edits": []}}}
    create = anthropic_sdk.messages.with_raw_response.create
    for policy, model, sent, named in (
        (
            "pass",
            "claude",
            "context-management-2025-06-27,mid-conversation-system-2026-04-07",
            "anthropic-beta.context-1m-2025-08-07, anthropic-beta.fast-mode-2, anthropic-beta.mcp-client-2025-11-20",
        ),
        ("drop", "claude", None, "anthropic-beta, context_management"),
        ("pass", "support-chat", None, "context_management"),
    ):
        settings.GATEWAY_UNKNOWN_FIELDS = policy
        desk.upstream.enqueue(claude.message() if model == "claude" else completion())
        answer = create(**{**ask, "model": model}, extra_headers={"anthropic-beta": said})
        seen = desk.upstream.seen[-1]
        assert seen.headers.get("anthropic-beta") == sent and answer.headers["x-facet-dropped-fields"] == named
        assert ("context_management" in seen.body) == (sent is not None)
        assert [m["role"] for m in seen.body["messages"]] == ["user", "system"]

    # Inputs of a million tokens cost more above 200,000, so they are asked for where the price says how much.
    settings.GATEWAY_UNKNOWN_FIELDS = "pass"
    for above, sent in ((200_001, None), (200_000, "context-1m-2025-08-07")):
        long = Amounts(Decimal(3), Decimal(15), long_above=above, long_input=Decimal(6), long_output=Decimal("22.5"))
        set_price(actor=SYSTEM, version=desk.claude, amounts=long)
        desk.upstream.enqueue(claude.message())
        answer = create(**ask, extra_headers={"anthropic-beta": "context-1m-2025-08-07"})
        assert desk.upstream.seen[-1].headers.get("anthropic-beta") == sent
        assert ("x-facet-dropped-fields" in answer.headers) == (sent is None)

    # Claude Code's budget for thoughts is all of its answer but one token; the model here answers with 4,096 at most.
    for most, budget, sent in ((32000, 31999, (4096, 4095)), (4000, 2000, (4000, 2000)), (2000, 3000, (2000, 3000))):
        desk.upstream.enqueue(claude.message())
        thinking = {"type": "enabled", "budget_tokens": budget}
        anthropic_sdk.messages.create(**{**ASK, "model": "claude", "max_tokens": most}, thinking=thinking, timeout=9)
        body = desk.upstream.seen[-1].body
        assert (body["max_tokens"], body["thinking"]["budget_tokens"]) == sent


def test_errors_in_their_shape(anthropic_sdk, desk, client):
    def fails(kind, said, client=anthropic_sdk, **fields):
        with pytest.raises(kind) as caught:
            client.messages.create(**{**ASK, **fields})
        assert caught.value.body["type"] == "error" and caught.value.body["error"]["type"] == said
        assert caught.value.body["request_id"] == caught.value.request_id == caught.value.response.headers["request-id"]
        return caught.value

    fails(sdks.anthropic.AuthenticationError, "authentication_error", client=anthropic_sdk.copy(api_key="nobody"))
    fails(sdks.anthropic.NotFoundError, "not_found_error", model="nobody")
    refused = fails(
        sdks.anthropic.BadRequestError, "invalid_request_error", messages=[{"role": "robot", "content": "x"}]
    )
    assert refused.body["error"]["message"].startswith("messages[0].role: ")
    fails(sdks.anthropic.BadRequestError, "invalid_request_error", tools=[{"type": "web_search_20250305", "name": "w"}])
    desk.upstream.enqueue({"error": {"message": "x"}}, status=429, extra="retry-after: 7\r\n")
    fails(sdks.anthropic.InternalServerError, "overloaded_error")
    for alias, status in (("support-chat", 503), ("support-chat", 529), ("claude", 503), ("claude", 529)):
        desk.upstream.enqueue({"error": {"message": "x"}}, status=status, extra="retry-after: 7\r\n")
        late = fails(sdks.anthropic.InternalServerError, "overloaded_error", model=alias)
        assert (late.status_code, late.response.headers["retry-after"]) == (529, "7"), (alias, status)
    for alias, sentence in (
        ("support-chat", "This model's maximum context length is 8192 tokens."),
        ("claude", "prompt is too long: 9 tokens > 8 maximum"),
    ):
        error = {"message": sentence, "code": "context_length_exceeded"}
        desk.upstream.enqueue({"type": "error", "error": error}, status=400)
        long = fails(sdks.anthropic.BadRequestError, "invalid_request_error", model=alias).body["error"]["message"]
        assert sentence in long and long.count("prompt is too long") == 1, "the words their clients shorten at"
    desk.upstream.enqueue(b"<html>", content_type="text/html")
    fails(sdks.anthropic.InternalServerError, "api_error")
    answer = client.post("/v1/messages", json={"model": "support-chat", "messages": HELLO})
    assert answer.status_code == 400 and "max_tokens" in answer.json()["error"]["message"]
    assert client.get("/v1/messages").json()["error"]["type"] == "invalid_request_error"
    elsewhere = client.post("/v1/complete", json={}, headers={"anthropic-version": "2023-06-01"})
    assert elsewhere.json()["error"]["type"] == "not_found_error" and elsewhere.headers["request-id"]
    theirs = client.post("/v1/chat/completions", json={}, headers={"anthropic-version": "2023-06-01"})
    assert theirs.json()["error"]["param"] == "model", "a route of OpenAI's answers as OpenAI does"
    for alias, begun in (
        ("support-chat", sse(chunk({"content": "x"}))),
        (
            "claude",
            claude.sse(*claude.events(claude.message())[:4]),
        ),
    ):
        desk.upstream.enqueue_stream(begun, done=False)
        with pytest.raises(sdks.anthropic.APIError, match="cut off"):
            list(anthropic_sdk.messages.create(**ASK | {"model": alias}, stream=True))
    desk.forgive()
    searching = [TOOL, {"type": "web_search_20250305", "name": "web_search"}]
    desk.upstream.enqueue(claude.message())
    assert anthropic_sdk.messages.create(**ASK | {"model": "claude"}, tools=searching).content
    set_quota(actor=SYSTEM, team=desk.team, metric="cost", window="month", limit=10**9)
    for fields in ({"tools": searching}, {"extra_body": {"inference_geo": "us"}}):
        refused = fails(sdks.anthropic.PermissionDeniedError, "permission_error", model="claude", **fields)
        assert "where a cost limit applies" in refused.body["error"]["message"]
    desk.upstream.enqueue(claude.message())
    assert anthropic_sdk.messages.create(**ASK | {"model": "claude"}, tools=[TOOL]).content
    set_quota(actor=SYSTEM, team=desk.team, metric="requests", window="hour", limit=1)
    assert fails(sdks.anthropic.RateLimitError, "rate_limit_error").response.headers["retry-after"]


def test_the_same_message_twice_is_answered_once(anthropic_sdk, desk):
    for alias in ("support-chat", "claude"):
        if alias == "claude":
            desk.upstream.enqueue_stream(
                claude.sse(*claude.events(claude.message(claude.thought(), claude.text()))), done=False
            )
        ids = []
        for _ in range(2):
            with anthropic_sdk.messages.stream(
                **ASK | {"model": alias}, extra_headers={"Idempotency-Key": f"once-{alias}"}
            ) as stream:
                said = stream.get_final_message()
            assert said.content[-1].text == "Hello there." and said.stop_reason == "end_turn"
            ids.append((said.id, said.usage.output_tokens))
        assert ids[0] == ids[1]
    assert len(desk.upstream.seen) == 2


def test_it_counts_tokens(anthropic_sdk, desk, client: httpx.Client):
    counted = anthropic_sdk.messages.count_tokens(model="claude", messages=HELLO, system="Be kind.")
    longer = anthropic_sdk.messages.count_tokens(model="claude", messages=[{"role": "user", "content": "x" * 4000}])
    assert 5 < counted.input_tokens < 100 and longer.input_tokens > 1000
    with pytest.raises(sdks.anthropic.NotFoundError):
        anthropic_sdk.messages.count_tokens(model="nobody", messages=HELLO)
    assert client.get("/v1/messages/count_tokens").status_code == 405
    assert [line.status for line in desk.calls()] == ["refused"] and desk.upstream.seen == []


def test_unknown_fields_go_by_the_policy_where_messages_are_written_and_counted(anthropic_sdk, desk, settings):
    count, create = (
        anthropic_sdk.messages.with_raw_response.count_tokens,
        anthropic_sdk.messages.with_raw_response.create,
    )
    beyond, asked = {"max_tokens": 9, "topp": 1}, {"model": "claude", "messages": HELLO}
    for policy, named in (("pass", None), ("drop", "max_tokens, topp")):
        settings.GATEWAY_UNKNOWN_FIELDS = policy
        answer = count(**asked, extra_body=beyond)
        assert answer.headers.get("x-facet-dropped-fields") == named and answer.parse().input_tokens > 5
    settings.GATEWAY_UNKNOWN_FIELDS = "refuse"
    thinks = {"thinking": {"type": "adaptive"}, "tools": [TOOL], "tool_choice": {"type": "auto"}, "system": "Be kind."}
    assert "x-facet-dropped-fields" not in count(**asked, **thinks, output_config={"effort": "low"}).headers
    with pytest.raises(sdks.anthropic.BadRequestError) as refused:
        count(**asked, extra_body={"topp": 1})
    error = refused.value.body["error"]
    assert (error["type"], error["message"]) == ("invalid_request_error", "'topp' is not a field of this request.")
    (line,) = desk.calls()
    assert (line.status, line.route, line.key_id) == ("refused", "/v1/messages/count_tokens", desk.key.pk)
    with pytest.raises(sdks.anthropic.BadRequestError, match="api_key"):
        count(**asked, extra_body={"api_key": "x"})
    assert desk.upstream.seen == []

    desk.upstream.enqueue(claude.message(claude.text()))
    answer = create(**{**ASK, "model": "claude"}, metadata={"user_id": "u-1"}, service_tier="standard_only")
    sent = desk.upstream.seen[0].body
    assert (answer.headers["x-facet-dropped-fields"], sent["metadata"]) == ("service_tier", {"user_id": "u-1"})
    assert "service_tier" not in sent


def test_a_prompt_and_an_agent_answer_where_messages_are_written(anthropic_sdk, desk):
    voice = make.make_prompt(desk.team, "shop/voice", "You speak for {{shop}}.", variables=[{"name": "shop"}])
    prompt = {"id": "shop/voice", "variables": {"shop": "Larkfield"}}
    make.make_agent(
        desk.team,
        "helper",
        prompt=voice,
        prompt_variables={"shop": "Larkfield"},
        parameters={"temperature": 0.3, "seed": 7},
        limits={"output_tokens": 50, "messages": 3},
        alias="claude",
    )
    instructions = {"type": "text", "text": "You speak for Larkfield."}

    desk.upstream.enqueue(claude.message(claude.text()))
    anthropic_sdk.messages.create(**{**ASK, "model": "claude"}, system="Be kind.", extra_body={"prompt": prompt})
    sent = desk.upstream.seen[-1].body
    assert sent["system"] == [instructions, {"type": "text", "text": "Be kind."}]
    assert sent["messages"] == HELLO and "prompt" not in sent

    anthropic_sdk.messages.create(**ASK, extra_body={"prompt": prompt})
    assert desk.upstream.seen[-1].body["messages"] == [{"role": "system", "content": instructions["text"]}, *HELLO]

    desk.upstream.enqueue(claude.message(claude.text()))
    answered = anthropic_sdk.messages.with_raw_response.create(**{**ASK, "model": "agent:helper"})
    assert answered.headers["x-facet-agent"] == "helper@1"
    sent = desk.upstream.seen[-1].body
    assert (sent["system"], sent["temperature"], sent["max_tokens"]) == ([instructions], 0.3, 50)
    assert "seed" not in sent and sent["model"] == "claude-sonnet-5"

    with pytest.raises(sdks.anthropic.BadRequestError, match="prompt.id"):
        anthropic_sdk.messages.create(**ASK, extra_body={"prompt": {"id": 7}})
    with pytest.raises(sdks.anthropic.BadRequestError, match="not counted"):
        anthropic_sdk.messages.count_tokens(model="claude", messages=HELLO, extra_body={"prompt": prompt})
