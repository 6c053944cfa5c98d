"""A plain chat completion, end to end: client, server, ledger, scripted provider, log."""

import json

from console.audit.models import AuditEvent, Payload
from console.core.ids import parse_request_id
from tests import make
from tests.upstream import completion


def test_it_answers(ask, world):
    response = ask()
    assert response.status_code == 200
    assert response.json()["choices"][0]["message"]["content"] == "Hello there."
    assert response.headers["x-facet-model-version"] == "fake/fake-model"
    assert float(response.headers["x-facet-cost"]) == 0.000007
    assert float(response.headers["x-facet-overhead-ms"]) > 0
    assert response.headers["content-type"] == "application/json"


def test_it_writes_one_line_with_everything(ask, world):
    response = ask(headers={"X-Client-Request-Id": "their-id-7"})
    (line,) = world.calls()
    assert line.pk == parse_request_id(response.headers["x-request-id"])
    assert (line.type, line.status, line.http_status, line.attempts) == ("chat", "ok", 200, 1)
    assert (line.team_id, line.key_id, line.actor, line.environment) == (
        world.team.pk,
        world.key.pk,
        "help-app",
        "production",
    )
    assert (line.alias, line.model, line.model_version_id) == ("support-chat", "fake/fake-model", world.model.pk)
    assert (line.prompt_tokens, line.completion_tokens, line.cost_micros, line.usage_note) == (23, 5, 7, "")
    assert line.latency_us >= line.overhead_us > 0
    assert line.client_address == "127.0.0.1" and line.client_request_id == "their-id-7"
    assert line.route == "/v1/chat/completions" and not line.stream
    kept = {p.kind: p.body for p in Payload.objects.filter(event_id=line.pk)}
    assert json.loads(kept["input"])["messages"][0]["content"] == "Where is my order?"
    assert kept["output"] == response.text
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for headers, said in (
        ({"traceparent": parent}, parent),
        ({"traceparent": parent, "X-Client-Request-Id": "mine"}, "mine"),
        ({"traceparent": parent.replace("4", "0").replace("b", "x")}, ""),
    ):
        ask(headers=headers)
        line = world.calls()[-1]
        assert line.client_request_id == said
        trace = line.trace_parent[1] if line.trace_parent else ""
        assert trace == (parent[3:35] if said else "")
    ask(headers={"traceparent": parent, "X-Client-Request-Id": "mine"}, model="nobody")
    refused = AuditEvent.objects.get(status="refused")
    assert refused.client_request_id == "mine" and refused.trace_parent


def test_it_sends_the_models_own_name_and_a_cap(ask, world):
    ask(user="u-1", metadata={"a": "b"})
    (seen,) = world.upstream.seen
    assert seen.path == "/v1/chat/completions"
    assert seen.body["model"] == "fake-model"
    assert seen.body["max_tokens"] == 4096
    assert "metadata" not in seen.body


def test_it_caps_what_the_caller_asks_for(ask, world):
    ask(max_tokens=9_999_999)
    assert world.upstream.seen[0].body["max_tokens"] == world.model.max_output_tokens


def test_it_prefers_the_providers_count_also_when_it_is_zero(ask, world):
    world.upstream.enqueue(completion(usage={"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}))
    ask()
    (line,) = world.calls()
    assert (line.prompt_tokens, line.cost_micros, line.usage_note) == (0, 0, "")


def test_it_estimates_missing_usage_and_says_so(ask, world):
    answer = completion()
    del answer["usage"]
    world.upstream.enqueue(answer)
    told = ask().json()["usage"]
    (line,) = world.calls()
    assert line.prompt_tokens > 0 and line.completion_tokens > 0 and line.usage_note == "estimated"
    assert (told["prompt_tokens"], told["completion_tokens"]) == (line.prompt_tokens, line.completion_tokens)
    assert told["total_tokens"] == line.prompt_tokens + line.completion_tokens


def test_it_counts_cached_tokens_at_their_price(ask, world):
    world.model.prices.all().delete()
    from decimal import Decimal

    from console.audit import actions
    from console.audit.services import record
    from console.catalog.models import Price
    from console.teams.callers import SYSTEM

    Price.objects.create(model_version=world.model, input=Decimal(1000), cached_input=Decimal(100), output=Decimal(0))
    record(actions.PRICE_SET, actor=SYSTEM, target=world.model)
    world.upstream.enqueue(
        completion(usage={"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 4}})
    )
    ask()
    (line,) = world.calls()
    assert (line.cached_tokens, line.cost_micros) == (4, 6 * 1000 + 4 * 100)


def test_it_mends_a_finish_reason_no_client_knows(ask, world):
    answer = completion()
    answer["choices"][0]["finish_reason"] = "eos_token"
    world.upstream.enqueue(answer)
    assert ask().json()["choices"][0]["finish_reason"] == "stop"


def test_a_moved_pin_holds_for_the_next_call(ask, world):
    ask()
    other = make.make_model("other-model", provider=world.provider)
    from console.catalog.services.pins import move_pin
    from console.teams.callers import SYSTEM

    move_pin(actor=SYSTEM, alias=world.alias, environment="production", to=other, reason="try", seen_revision=1)
    assert ask().headers["x-facet-model-version"] == "fake/other-model"


def test_a_revoked_key_is_refused_by_the_next_call(ask, world):
    assert ask().status_code == 200
    from console.teams.callers import SYSTEM
    from console.teams.services.keys import revoke_key

    revoke_key(actor=SYSTEM, key=world.key)
    response = ask()
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_api_key"
    line = world.calls()[-1]
    assert (line.status, line.reason, line.key_id) == ("refused", "the key is revoked", world.key.pk)


def test_a_new_key_works_at_once(ask, world):
    ask()
    _, text = make.make_key(world.team, "second")
    assert ask(headers={"Authorization": f"Bearer {text}"}).status_code == 200


def test_secrets_do_not_reach_the_log(ask, world):
    planted = "sk-proj-CANARYCANARYCANARYCANARY1234"
    world.upstream.enqueue(completion(f"your key is {planted}"))
    response = ask(f"my key is {planted}")
    assert planted in response.text, "the caller gets what the model said"
    for payload in Payload.objects.all():
        assert planted not in payload.body and payload.redactions == 1
