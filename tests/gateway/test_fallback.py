"""When a version fails before its first byte, the next of the chain answers: admitted anew, priced at what served."""

import asyncio
import json
import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import httpx2 as httpx
import pytest

from console.audit import actions
from console.audit.models import AuditEvent, Payload
from console.audit.services import record
from console.catalog.models import ModelVersion, Pin, PinFallback, Provider, ProviderIncident
from console.catalog.models.providers import CLOSED, OPENED
from console.catalog.services.providers import change_provider
from console.core.ids import parse_request_id
from console.gateway import runtime
from console.gateway.hedging import send_hedged
from console.gateway.resilience import breaker as breaker_module
from console.gateway.targets import is_in_share
from console.teams.actors import SYSTEM
from tests import make
from tests.gateway.conftest import World
from tests.gateway.invariants import wait_until_settled
from tests.upstream import Upstream, completion, head
from tests.waiting import until
from usage_app.services.quotas import set_quota

Ask = Callable[..., httpx.Response]
EVERYTHING = ["error", "timeout", "busy", "unreachable"]
PICTURE = [
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]}
]


@pytest.fixture(scope="module")
def _spare() -> Iterator[Upstream]:
    spare = Upstream().start()
    yield spare
    spare.stop()


@pytest.fixture
def spare(world: World, _spare: Upstream) -> Upstream:
    """A second provider, whose `spare-model` costs ten times as much and stands second in the chain of the pin."""
    _spare.reset()
    provider = Provider.objects.create(slug="spare", name="Spare", kind="openai", base_url=_spare.url)
    model = make.make_model("spare-model", provider=provider, price=("1.50", "6.00"), capabilities=["chat"])
    change_pin(world, fallbacks=[(model, EVERYTHING)])
    return _spare


def change_pin(world: World, fallbacks=(), **fields) -> None:
    pin = Pin.objects.get(alias=world.alias, environment="production")
    for name, value in fields.items():
        setattr(pin, name, value)
    pin.save()
    pin.fallbacks.all().delete()
    for position, (model, on) in enumerate(fallbacks, start=1):
        PinFallback.objects.create(pin=pin, position=position, model_version=model, on=on)
    record(actions.PIN_MOVED, actor=SYSTEM, target=pin)


def cut(upstream: Upstream) -> None:
    upstream.enqueue_cut(b"")


def broken(upstream: Upstream) -> None:
    upstream.enqueue({"error": {"message": "boom"}}, status=500)


def busy(upstream: Upstream) -> None:
    upstream.enqueue({"error": {"message": "slow down"}}, status=429)


def silent(upstream: Upstream) -> None:
    upstream.enqueue_silence(20)


def run_into(trouble: Callable[[Upstream], None], upstream: Upstream, provider: Provider) -> None:
    """Have the next call run into trouble. Only silence is waited for shortly, and only of who is silent."""
    change_provider(actor=SYSTEM, provider=provider, first_byte_seconds=1 if trouble is silent else None)
    trouble(upstream)


@pytest.mark.parametrize("stream", [False, True])
def test_it_goes_on_with_the_next_version_after_each_kind_of_trouble(ask: Ask, world, spare, stream) -> None:
    for trouble in (broken, busy, cut, silent):
        run_into(trouble, world.upstream, world.provider)
        world.forgive()
        response = ask(stream=stream)
        assert response.status_code == 200 and "Hello" in response.text
        assert response.headers["x-facet-model-version"] == "spare/spare-model"
        assert response.headers["x-facet-fallback-from"] == "fake/fake-model"
        assert (response.headers["x-facet-attempts"], response.headers["x-facet-route"]) == ("2", "fallback 1")
        attempt, served = world.calls()[-2:] if world.calls()[-1].status == "ok" else world.calls()[-1:-3:-1]
        assert served.pk == parse_request_id(response.headers["x-request-id"])
        assert (served.status, served.model, attempt.status, attempt.model) == (
            *("ok", "spare/spare-model"),
            *("error", "fake/fake-model"),
        )
        assert json.loads(attempt.detail) == {"attempt_of": response.headers["x-request-id"]}
        assert json.loads(served.detail) == {"route": "fallback 1", "fell_back_from": "fake/fake-model"}
        assert served.cost_micros == math.ceil(served.prompt_tokens * 1.5 + served.completion_tokens * 6)
        assert set(Payload.objects.filter(event_id=served.pk).values_list("kind", flat=True)) == {"input", "output"}
    assert len(spare.seen) == 4 and spare.seen[0].body["model"] == "spare-model"


def lines_of(world: World, response: httpx.Response) -> tuple[AuditEvent, list[AuditEvent]]:
    """Return the line the caller's request id finds, and those of its attempts in order."""
    wait_until_settled()
    own = parse_request_id(response.headers["x-request-id"])
    attempts = [line for line in world.calls() if line.pk != own]
    named = {json.loads(line.detail)["attempt_of"] for line in attempts}
    assert named <= {response.headers["x-request-id"]}
    return next(line for line in world.calls() if line.pk == own), attempts


@pytest.mark.parametrize("stream", [False, True])
def test_a_fallback_that_no_limit_admits_leaves_the_caller_the_error(ask: Ask, world, spare, stream) -> None:
    set_quota(actor=SYSTEM, team=world.team, metric="requests", window="day", limit=1)
    broken(world.upstream)
    response = ask(stream=stream)
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_error") and not spare.seen
    own, attempts = lines_of(world, response)
    assert [(line.status, line.http_status, line.model) for line in attempts] == [
        ("error", 502, "fake/fake-model"),
        ("refused", 429, "spare/spare-model"),
    ]
    assert (own.status, own.http_status, own.code, own.attempts) == ("refused", 502, "upstream_error", 0)
    assert "The limit of 1 request a day" in json.loads(own.detail)["passed_over"]["spare/spare-model"]


def test_a_fallback_the_budget_has_no_room_for_is_passed_over(ask: Ask, world, spare) -> None:
    dear = PinFallback.objects.get().model_version
    cheap = make.make_model("cheap-model", provider=dear.provider, price=("0.01", "0.01"), capabilities=["chat"])
    change_pin(world, fallbacks=[(dear, EVERYTHING), (cheap, EVERYTHING)])
    set_quota(actor=SYSTEM, team=world.team, metric="cost", window="day", limit=3_000)
    broken(world.upstream)
    response = ask(max_tokens=1000)
    assert (response.status_code, response.headers["x-facet-model-version"]) == (200, "spare/cheap-model")
    own, attempts = lines_of(world, response)
    assert [line.status for line in attempts] == ["error", "refused"]
    assert json.loads(own.detail)["passed_over"]["spare/spare-model"].startswith("The limit of 0.00")
    assert response.headers["x-facet-passed-over"] == "spare/spare-model"


def test_a_fallback_that_cannot_be_told_what_is_asked_is_passed_over(ask: Ask, world, spare) -> None:
    anthropic = Provider.objects.create(slug="other", name="Other", kind="anthropic", base_url=spare.url)
    other = make.make_model("claude", provider=anthropic, capabilities=["chat"])
    plain = PinFallback.objects.get().model_version
    change_pin(world, fallbacks=[(other, EVERYTHING), (plain, EVERYTHING)])
    broken(world.upstream)
    response = ask(logprobs=True)
    assert (response.status_code, response.headers["x-facet-model-version"]) == (200, "spare/spare-model")
    own, attempts = lines_of(world, response)
    assert "logprobs" in json.loads(own.detail)["passed_over"]["other/claude"] and attempts[1].status == "refused"
    change_pin(world, fallbacks=[(other, EVERYTHING)])
    broken(world.upstream)
    assert ask(logprobs=True).json()["error"]["code"] == "upstream_error", "and never a 400 for what was fine before"
    change_pin(world, canary_version=other, canary_percent=100)
    response = ask(logprobs=True)
    assert (response.status_code, response.headers["x-facet-model-version"]) == (200, "fake/fake-model")


@pytest.mark.parametrize("stream", [False, True])
def test_a_canary_that_fails_leaves_its_callers_the_pinned_version(ask: Ask, world, spare, stream) -> None:
    canary = PinFallback.objects.get().model_version
    change_pin(world, fallbacks=[], canary_version=canary, canary_percent=100)
    for trouble in (broken, busy, cut, silent):
        run_into(trouble, spare, canary.provider)
        world.forgive()
        response = ask(stream=stream)
        assert response.status_code == 200 and "Hello" in response.text
        assert response.headers["x-facet-model-version"] == "fake/fake-model"
        assert response.headers["x-facet-fallback-from"] == "spare/spare-model"
        assert "x-facet-route" not in response.headers
    change_provider(actor=SYSTEM, provider=canary.provider, first_byte_seconds=None)
    assert ask(stream=stream).headers["x-facet-route"] == "canary", "the next call asks the canary again"
    last = make.make_model("last-model", provider=canary.provider, capabilities=["chat"])
    change_pin(world, fallbacks=[(last, EVERYTHING)])
    broken(spare)
    broken(world.upstream)
    response = ask(stream=stream)
    assert response.headers["x-facet-model-version"] == "spare/last-model", "and after the pin comes its chain"
    assert (response.headers["x-facet-attempts"], response.headers["x-facet-route"]) == ("3", "fallback 1")


def test_the_caller_hears_the_last_error_where_nothing_else_is_left(ask: Ask, world, spare) -> None:
    broken(world.upstream)
    spare.enqueue("<html>", content_type="text/html")
    response = ask()
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_invalid")
    assert [line.status for line in world.calls()] == ["error", "error"]


def test_only_the_trouble_a_fallback_is_for_leads_to_it(ask: Ask, world, spare) -> None:
    model = PinFallback.objects.get().model_version
    change_pin(world, fallbacks=[(model, ["busy"])])
    broken(world.upstream)
    assert ask().status_code == 502 and not spare.seen
    world.upstream.enqueue({"error": {"message": "too hot"}}, status=400)
    assert ask().status_code == 400 and not spare.seen, "bad input is bad everywhere"
    busy(world.upstream)
    assert ask().headers["x-facet-model-version"] == "spare/spare-model"


def test_a_fallback_or_canary_that_cannot_do_what_is_asked_for_is_passed_over(ask: Ask, world, spare) -> None:
    spare_model = PinFallback.objects.get().model_version
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    broken(world.upstream)
    response = ask(tools=tools)
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_error") and not spare.seen
    broken(world.upstream)
    assert ask(messages=PICTURE).status_code == 502 and not spare.seen, "it does not look at pictures"
    broken(world.upstream)
    assert ask().headers["x-facet-model-version"] == "spare/spare-model"
    change_pin(world, fallbacks=[], canary_version=spare_model, canary_percent=100)
    assert ask(tools=tools).headers["x-facet-model-version"] == "fake/fake-model"
    assert ask(messages=PICTURE).headers["x-facet-model-version"] == "fake/fake-model"
    assert ask().headers["x-facet-route"] == "canary"


def test_a_stream_that_breaks_between_its_head_and_its_first_bytes_falls_back(ask: Ask, world, spare) -> None:
    change_provider(actor=SYSTEM, provider=world.provider, first_byte_seconds=1)
    for start in (
        lambda: world.upstream.enqueue_stream(done=False),
        lambda: world.upstream.enqueue_stream(done=False, hang=20),
    ):
        start()
        world.forgive()
        response = ask(stream=True)
        assert response.headers["x-facet-model-version"] == "spare/spare-model" and "Hello" in response.text
    assert sorted(line.status for line in world.calls()) == ["error", "error", "ok", "ok"]


def test_no_fallback_begins_when_the_time_for_the_whole_call_is_over(ask: Ask, world, spare, settings) -> None:
    settings.GATEWAY_TOTAL_SECONDS = 1
    silent(world.upstream)
    response = ask()
    assert (response.status_code, response.json()["error"]["code"]) == (504, "upstream_timeout") and not spare.seen


def test_a_fallback_that_is_cut_off_before_it_is_sent_costs_nothing(ask: Ask, world, spare, monkeypatch) -> None:
    def cut_off(call, end_loser):
        if not call.fell_back_from:
            return send_hedged(call, end_loser)
        call.cut_off = "access_ended"
        raise asyncio.CancelledError

    monkeypatch.setattr("console.gateway.relay.send_hedged", cut_off)
    broken(world.upstream)
    line, attempts = lines_of(world, ask())
    assert [one.code for one in attempts] == ["upstream_error"]
    assert (line.code, line.model, len(spare.seen)) == ("access_ended", "spare/spare-model", 0)
    assert (line.prompt_tokens, line.cost_micros, line.usage_note) == (0, 0, "")


def test_a_secret_a_provider_repeats_goes_no_further(ask: Ask, world) -> None:
    change_provider(actor=SYSTEM, provider=world.provider, secret="quite-plain-words")
    world.upstream.enqueue({"error": {"message": "Not a key: quite-plain-words"}}, status=400)
    response = ask()
    assert response.status_code == 400 and "Not a key: [redacted]" in response.text
    assert "quite-plain" not in response.text + world.calls()[-1].reason


def test_nothing_is_sent_again_after_the_first_byte(ask: Ask, world, spare) -> None:
    first = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
    first += b'"delta":{"role":"assistant","content":"Hel"},"finish_reason":null}]}\n\n'
    world.upstream.enqueue_cut(head(200, "text/event-stream") + first)
    response = ask(stream=True)
    assert "Hel" in response.text and '"error"' in response.text and not spare.seen


def test_a_busy_provider_is_asked_again_and_its_errors_stand_on_its_page(ask: Ask, world, monkeypatch) -> None:
    monkeypatch.setattr(breaker_module, "_FIRST_PAUSE", 60)
    busy(world.upstream)
    response = ask()
    assert response.status_code == 200 and response.headers["x-facet-attempts"] == "2"
    for _ in range(5):
        broken(world.upstream)
        assert ask().status_code == 502
    held_back = ask()
    assert (held_back.status_code, held_back.json()["error"]["code"]) == (503, "upstream_open")
    assert 1 <= int(held_back.headers["retry-after"]) <= 60
    assert world.calls()[-1].attempts == 0, "nothing was sent"
    # They are written once a second and counted by the minute: all five are there at last, in one line or two.
    errors = ProviderIncident.objects.filter(provider=world.provider, code="upstream_error")
    until(lambda: sum(errors.values_list("count", flat=True)) >= 5, lambda: f"five errors in {list(errors.values())}")
    assert sum(errors.values_list("count", flat=True)) == 5


def test_the_built_in_model_is_waited_for_and_then_called_starting(ask: Ask, world, monkeypatch) -> None:
    monkeypatch.setattr("console.gateway.dispatch._STARTING_SECONDS", 1)
    Provider.objects.filter(pk=world.provider.pk).update(is_builtin=True)
    change_pin(world)
    loading = {"error": {"message": "Loading model", "code": 503}}
    world.upstream.enqueue(loading, status=503)
    assert (response := ask()).status_code == 200 and response.headers["x-facet-attempts"] == "2"
    Provider.objects.filter(pk=world.provider.pk).update(base_url="http://127.0.0.1:9/v1")  # nobody listens there
    change_pin(world)
    response = ask()
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert "is starting" in response.json()["error"]["message"]


def test_after_the_pause_one_call_that_is_answered_closes_the_breaker(ask: Ask, world, spare, monkeypatch) -> None:
    for name in ("_FIRST_PAUSE", "_LONGEST_PAUSE"):
        monkeypatch.setattr(breaker_module, name, 600)  # it ends when `let_pauses_pass` says so
    change_pin(world, fallbacks=[])
    for _ in range(5):
        broken(world.upstream)
        ask()
    assert ask().json()["error"]["code"] == "upstream_open"
    model = ModelVersion.objects.get(name="spare-model")
    for on, status in ((["error"], 200), (["timeout"], 200), (["busy"], 503)):
        change_pin(world, fallbacks=[(model, on)])
        assert ask().status_code == status, f"what opened it stands for {on}"
    change_pin(world, fallbacks=[])
    until(ProviderIncident.objects.filter(code=OPENED).exists, "its page says that it opened")
    let_pauses_pass()
    broken(world.upstream)
    assert ask().json()["error"]["code"] == "upstream_error", "the probe"
    assert ask().json()["error"]["code"] == "upstream_open", "which failed"
    let_pauses_pass()
    assert [ask().status_code for _ in range(3)] == [200, 200, 200]
    until(ProviderIncident.objects.filter(code=CLOSED).exists, "its page says that it closed")
    assert ProviderIncident.objects.get(code=CLOSED).sentence == "It answers again, so calls go there as before."


def let_pauses_pass() -> None:
    for gateway in runtime._gateways.values():
        for breaker in gateway.provider_gate.breakers.values():
            breaker.open_until = min(breaker.open_until, 1.0)


def test_a_share_of_the_calls_is_copied_and_counted_by_quotas_for_copies_only(ask: Ask, world, spare) -> None:
    shadow = PinFallback.objects.get().model_version
    change_pin(world, shadow_version=shadow, shadow_percent=100)
    assert ask().status_code == 200
    wait_until_settled()
    assert not spare.seen, "no budget, no copies"
    for purpose in ("", "shadow"):
        set_quota(
            actor=SYSTEM, team=world.team, metric="requests", window="day", limit=1 if purpose else 2, purpose=purpose
        )
    spare.enqueue(completion("Another answer."))
    response = ask()
    assert response.status_code == 200 and "Another" not in response.text
    until(lambda: len(world.calls()) == 3, "the copy has its line")
    _, original, copy = world.calls()
    assert (copy.type, copy.lane, copy.model, copy.status) == ("shadow", "batch", "spare/spare-model", "ok")
    assert json.loads(copy.detail) == {"shadow_of": response.headers["x-request-id"], "route": "shadow"}
    assert "Another answer." in Payload.objects.get(event_id=copy.pk, kind="output").body
    assert original.type == "chat" and ask().status_code == 429


def test_a_canary_answers_its_share_of_the_callers(ask: Ask, world, spare) -> None:
    canary = PinFallback.objects.get().model_version
    change_pin(world, canary_version=canary, canary_percent=50)
    key, sides = SimpleNamespace(actor_id=world.key.pk), {True: list[str](), False: list[str]()}
    for name in (f"customer {n}" for n in range(10_000)):
        side = sides[is_in_share(50, world.alias.name, key, SimpleNamespace(body={"user": name}))]
        side.extend([name] * (len(side) < 3))
    for _ in range(2):  # each caller stays with its version
        for is_canary, names in sides.items():
            served = [ask(user=name).headers["x-facet-model-version"] for name in names]
            assert served == ["spare/spare-model" if is_canary else "fake/fake-model"] * 3
    assert len(spare.seen) == 6


def test_the_lane_is_what_was_asked_for_and_never_faster_than_allowed(ask: Ask, world) -> None:
    assert ask(headers={"x-facet-lane": "express"}).json()["error"]["param"] == "x-facet-lane"
    for wanted in ("batch", "interactive"):
        assert ask(headers={"x-facet-lane": wanted}).status_code == 200
        assert world.calls()[-1].lane == wanted
    change_pin(world, lane="standard")
    ask(headers={"x-facet-lane": "interactive"})
    assert world.calls()[-1].lane == "standard"


def test_a_pin_s_maximum_cuts_the_length_and_refuses_the_rest(ask: Ask, world) -> None:
    change_pin(world, max_parameters={"max_tokens": 7, "temperature": 1})
    refused = ask(temperature=1.5).json()["error"]
    assert refused["param"] == "temperature" and "at most 1" in refused["message"]
    ask(temperature=1, max_tokens=100)
    ask()
    assert [seen.body["max_tokens"] for seen in world.upstream.seen] == [7, 7]
    world.upstream.seen.clear()
    change_pin(world, max_parameters={"max_completion_tokens": 5})
    ask(max_tokens=100)  # one limit, by whichever name
    ask(max_completion_tokens=100)
    sent = [seen.body for seen in world.upstream.seen]
    assert [body.get("max_tokens") or body["max_completion_tokens"] for body in sent] == [5, 5]
