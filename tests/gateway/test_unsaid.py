"""What the wire format of the provider that answers has no word for is named to the caller, or refused by name."""

import json

import pytest

from console.audit.models import AuditEvent
from console.catalog.models import Provider
from console.core.ids import parse_request_id
from tests import claude, make
from tests.gateway.test_fallback import EVERYTHING, change_pin

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
HINTS = {"seed": 7, "prompt_cache_key": "k", "prediction": {"type": "content", "content": "x"}}
HELLO = [{"role": "user", "content": "Hello?"}]


@pytest.fixture
def sonnet(world):
    """A model at a provider of Anthropic's kind, which the alias `claude` means."""
    url = world.upstream.url
    provider = Provider.objects.create(slug="anthropic", name="Anthropic", kind="anthropic", base_url=url)
    able = ["chat", "tools", "json_schema", "vision"]
    model = make.make_model("claude-sonnet-5", provider=provider, capabilities=able)
    make.make_alias("claude", production=model)
    return model


def named(response):
    """Return the fields an answer names, which are those its line in the log names."""
    assert response.status_code == 200, response.text
    header = response.headers.get("x-facet-dropped-fields", "")
    line = AuditEvent.objects.get(pk=parse_request_id(response.headers["x-request-id"]))
    assert json.loads(line.detail or "{}").get("dropped_fields", []) == [n for n in header.split(", ") if n]
    return header


def strict(world):
    _, text = make.make_key(world.team, "strict", unknown_fields="refuse")
    return {"Authorization": f"Bearer {text}"}


def test_a_chat_completion_at_a_provider_of_anthropics_kind(client, world, sonnet):
    up = world.upstream
    body = {"model": "claude", "messages": HELLO}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
    inside = [{"role": "user", "name": "Ann", "content": [picture]}]
    few = {"type": "array", "items": {"type": "string"}, "maxItems": 3}
    for more, said in (
        ({}, ""),
        ({"seed": None, "n": 1, "stream_options": {}, "user": "u"}, ""),
        (HINTS, "prediction, prompt_cache_key, seed"),
        ({"seed": 7, "store": True, "stream": True}, "seed, store"),
        ({"messages": inside}, "messages[].content[].image_url.detail, messages[].name"),
        ({"user": "u", "safety_identifier": "s"}, "user"),
        (
            {
                "response_format": {"type": "json_schema", "json_schema": {"name": "o", "schema": few}},
                "tools": [
                    {"type": "function", "function": {"name": "f", "strict": is_strict, "parameters": some}}
                    for is_strict, some in ((True, few), (False, {"type": "integer", "minimum": 1}))
                ],
            },
            "response_format.json_schema.schema.maxItems, tools[].function.parameters.maxItems",
        ),
    ):
        if more.get("stream"):
            up.enqueue_stream(claude.sse(*claude.events(claude.message())), done=False)
        else:
            up.enqueue(claude.message())
        assert named(client.post(CHAT, json={**body, **more})) == said
    assert named(client.post(CHAT, json={**body, **HINTS, "model": "support-chat"})) == ""

    refused = client.post(CHAT, json={**body, **HINTS}, headers=strict(world))
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "prediction")
    up.enqueue(claude.message())
    allowed = client.post(CHAT, json={**body, "messages": inside, "store": True}, headers=strict(world))
    assert "messages[].name" in named(allowed), "what is inside messages is named, and no reason to refuse"

    up.enqueue(claude.message())
    tool = {"type": "function", "name": "f", "strict": True, "parameters": few}
    told = {"text": {"format": {"type": "json_schema", "name": "o", "schema": few}}, "tools": [tool]}
    answer = client.post("/v1/responses", json={"model": "claude", "input": "Hello?", **told})
    assert named(answer) == "text.format.schema.maxItems, tools[].parameters.maxItems", "in the words of who asks"


def test_a_message_at_any_other_provider(client, world, sonnet):
    body = {"model": "support-chat", "max_tokens": 50, "messages": HELLO}
    cached = {"cache_control": {"type": "ephemeral"}}
    turns = [
        *HELLO,
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": ""},
                {"type": "tool_use", "id": "t", "name": "f", "input": {}, **cached},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "no", "is_error": True}]},
    ]
    for more, said in (
        ({"speed": "standard", "thinking": {"type": "disabled"}, "metadata": {"user_id": "u"}, "top_k": 3}, ""),
        ({"speed": "fast", "inference_geo": "eu"}, "inference_geo, speed"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "thinking"),
        ({"output_config": {"effort": "low"}}, "output_config.effort"),
        ({"system": [{"type": "text", "text": "Hi.", **cached}], **cached}, "cache_control, system[].cache_control"),
        ({"tools": [{"name": "f", "input_schema": {}, "defer_loading": True}]}, "tools[].defer_loading"),
        (
            {"messages": turns},
            "messages[].content[].cache_control, messages[].content[].is_error, messages[].content[].thinking",
        ),
    ):
        assert named(client.post(MESSAGES, json={**body, **more})) == said
    sent = world.upstream.seen[1].body
    assert not {"speed", "inference_geo"} & sent.keys()
    refused = client.post(MESSAGES, json={**body, "cache_control": {"type": "ephemeral"}}, headers=strict(world))
    assert refused.status_code == 400 and "cache_control" in refused.json()["error"]["message"]
    for name, value in (("mcp_servers", [{"type": "url"}]), ("container", "c"), ("compaction", {"a": 1})):
        refused = client.post(MESSAGES, json={**body, name: value})
        assert refused.status_code == 400 and name in refused.json()["error"]["message"]
    world.upstream.enqueue(claude.message())
    fast = {"model": "claude", "speed": "fast", "cache_control": {"type": "ephemeral"}}
    assert named(client.post(MESSAGES, json={**body, **fast})) == ""


def test_a_fallback_of_the_other_kind_names_what_is_lost_there(client, world, sonnet):
    change_pin(world, fallbacks=[(sonnet, EVERYTHING)])
    body = {"model": "support-chat", "messages": HELLO, **HINTS}
    world.upstream.enqueue("no", status=500)
    world.upstream.enqueue(claude.message())
    answer = client.post(CHAT, json=body)
    assert named(answer) == "prediction, prompt_cache_key, seed"
    assert answer.headers["x-facet-model-version"] == "anthropic/claude-sonnet-5"
    (attempt,) = [line for line in world.calls() if line.status == "error"]
    assert "dropped_fields" not in attempt.detail, "the first provider was told everything"

    world.forgive()
    world.upstream.enqueue("no", status=500)
    refused = client.post(CHAT, json=body, headers=strict(world))
    assert refused.status_code == 502, "a fallback that cannot be told all is passed over where nothing may be lost"


def test_an_answer_given_again_says_what_the_first_one_was(client, world, sonnet):
    change_pin(world, fallbacks=[(sonnet, EVERYTHING)])
    said = ("model-version", "route", "fallback-from", "dropped-fields")
    for stream in (False, True):
        world.forgive()
        world.upstream.enqueue("no", status=500)
        if stream:
            world.upstream.enqueue_stream(claude.sse(*claude.events(claude.message())), done=False)
        else:
            world.upstream.enqueue(claude.message())
        body = {"model": "support-chat", "messages": HELLO, **HINTS, "stream": stream}
        first, again = (client.post(CHAT, json=body, headers={"Idempotency-Key": f"k-{stream}"}) for _ in range(2))
        assert again.headers["x-facet-idempotent-replay"] == "true"
        assert [again.headers[f"x-facet-{name}"] for name in said] == [
            first.headers[f"x-facet-{name}"] for name in said
        ]
        assert "seed" in again.headers["x-facet-dropped-fields"]
        ours = {name for name in again.headers if name.startswith(("x-facet-", "x-ratelimit-", "openai-processing"))}
        assert ours - {f"x-facet-{name}" for name in said} == {
            "x-facet-release",
            "x-facet-idempotent-replay",
            "x-facet-original-request-id",
        }, "limits, cost and times were the first request's"
