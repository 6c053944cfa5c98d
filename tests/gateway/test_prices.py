"""A call costs what its provider asks for it: by the kinds of its tokens, with never less set aside."""

import re
from decimal import Decimal

import pytest

from console.catalog.models import Amounts
from console.catalog.services.versions import set_price
from console.teams.actors import SYSTEM
from tests.upstream import chunk, completion, sse, text_chunks, usage
from usage_app.models import QuotaCounter
from usage_app.queries.recount import differences
from usage_app.services.quotas import set_quota


@pytest.fixture
def priced(world):
    """Return what sets the price of the world's model, in millionths of a currency unit per token."""

    def price(**amounts):
        usual = {"input": Decimal(1000), "output": Decimal(0)}
        set_price(
            actor=SYSTEM,
            version=world.model,
            amounts=Amounts(**usual | {k: v if k == "long_above" else Decimal(v) for k, v in amounts.items()}),
        )

    return price


def used(prompt=100, completion=1, **details):
    return usage(prompt, completion) | {"prompt_tokens_details": details}


def streamed(counted):
    return [sse(event) for event in (*text_chunks("Hi", with_usage=False), chunk(usage=counted))]


def test_what_is_written_to_a_cache_costs_what_it_does(ask, world, priced):
    priced(cached_input=100, cache_write=1250, cache_write_1h=2000)
    counted = used(cached_tokens=40, cache_write_tokens=30)
    world.upstream.enqueue(completion(usage=counted))
    assert ask().json()["usage"]["prompt_tokens_details"] == counted["prompt_tokens_details"]
    world.upstream.enqueue_stream(*streamed(counted))
    assert ask(stream=True).status_code == 200
    for line in world.calls():
        assert (line.prompt_tokens, line.cached_tokens, line.by_kind["cache_write_tokens"]) == (100, 40, 30)
        assert line.cost_micros == 30 * 1000 + 40 * 100 + 30 * 1250
        assert line.token_kinds == '{"cache_write_tokens":30}'


def test_without_a_price_of_its_own_it_costs_what_input_costs(ask, world, priced):
    priced(cached_input=100)
    world.upstream.enqueue(completion(usage=used(cached_tokens=40, cache_write_tokens=30)))
    ask()
    (line,) = world.calls()
    assert (line.cost_micros, line.by_kind["cache_write_tokens"]) == (60 * 1000 + 40 * 100, 30)


@pytest.mark.parametrize("said", [-1, True, "30", None, [30], 2**31])
def test_what_is_no_count_is_none(ask, world, priced, said):
    priced(cache_write=9000)
    world.upstream.enqueue(completion(usage=used(cache_write_tokens=said)))
    ask()
    (line,) = world.calls()
    assert (line.cost_micros, line.token_kinds) == (100 * 1000, "")


def test_no_more_is_read_and_written_than_there_is(ask, world, priced):
    priced(cached_input=100, cache_write=1250)
    world.upstream.enqueue(completion(usage=used(cached_tokens=70, cache_write_tokens=70)))
    ask()
    (line,) = world.calls()
    assert (line.cached_tokens, line.by_kind["cache_write_tokens"]) == (70, 30)
    assert line.cost_micros == 70 * 100 + 30 * 1250


def may_need(response):
    """Return what a refusal says a call may need, in millionths."""
    assert response.status_code == 429
    said = re.search(r"it may need ([\d.,]+) USD", response.json()["error"]["message"])
    return int(Decimal(said[1].replace(",", "")) * 1_000_000)


def test_no_less_is_set_aside_than_writing_may_cost(ask, world, priced):
    """An hour is set aside for who asks for it only: others would be refused at half of what they may use."""
    set_quota(actor=SYSTEM, team=world.team, metric="cost", window="day", limit=1)
    needs = []
    for amounts in ({}, {"cache_write": 1250}, {"cache_write": 1250, "cache_write_1h": 2000}):
        priced(**amounts)
        for ttl in ("5m", "1h"):
            mark = {"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral", "ttl": ttl}}
            needs.append(may_need(ask(messages=[{"role": "user", "content": [mark]}])))
    tokens = needs[0] // 1000
    assert [need / tokens for need in needs] == [1000, 1000, 1250, 1250, 1250, 2000]


def test_long_inputs_cost_what_they_do_from_the_provider_s_count_on(ask, world, priced):
    priced(output=3000, cached_input=100, long_above=100, long_input=2000, long_output=4500)
    for stream in (False, True):
        for prompt in (100, 101):
            counted = used(prompt, 2, cached_tokens=50)
            if stream:
                world.upstream.enqueue_stream(*streamed(counted))
            else:
                world.upstream.enqueue(completion(usage=counted))
            assert ask(stream=stream).status_code == 200
    short, long = 50 * 1000 + 50 * 100 + 2 * 3000, 51 * 2000 + 50 * 200 + 2 * 4500
    assert [line.cost_micros for line in world.calls()] == [short, long, short, long]


def test_no_less_is_set_aside_than_a_long_input_may_cost(ask, world, priced):
    set_quota(actor=SYSTEM, team=world.team, metric="cost", window="day", limit=1)
    priced()
    tokens = may_need(ask("Hello " * 100)) // 1000
    for above, rate in ((tokens, 1000), (tokens - 1, 2000)):
        priced(long_above=above, long_input=2000)
        assert may_need(ask("Hello " * 100)) == tokens * rate


def test_what_was_used_is_counted_again_to_the_same(ask, world, priced):
    quota = set_quota(actor=SYSTEM, team=world.team, metric="cost", window="day", limit=10**9)
    priced(cached_input=100, cache_write=1250, long_above=50, long_input=2000)
    for prompt in (40, 60):
        world.upstream.enqueue(completion(usage=used(prompt, cached_tokens=10, cache_write_tokens=10)))
        ask()
    short = 20 * 1000 + 10 * 100 + 10 * 1250
    long = 40 * 2000 + 10 * 200 + 10 * 2500
    assert QuotaCounter.objects.get(quota=quota).used == short + long
    assert differences() == []


def test_audio_costs_what_it_does(ask, world, priced):
    priced(output=3000, cached_input=100, audio_input=40_000, audio_output=80_000)
    counted = used(100, 50, cached_tokens=20, audio_tokens=30)
    counted["completion_tokens_details"] = {"reasoning_tokens": 5, "audio_tokens": 10, "text_tokens": 35}
    world.upstream.enqueue(completion(usage=counted))
    assert ask().json()["usage"] == counted
    world.upstream.enqueue_stream(*streamed(counted))
    assert ask(stream=True).status_code == 200
    for line in world.calls():
        assert line.cost_micros == 50 * 1000 + 20 * 100 + 30 * 40_000 + 40 * 3000 + 10 * 80_000
        assert (line.by_kind["audio_input_tokens"], line.by_kind["audio_output_tokens"]) == (30, 10)
        assert (line.prompt_tokens, line.completion_tokens) == (100, 50), "limits of tokens count them as they did"


def test_no_more_is_heard_than_is_left(ask, world, priced):
    priced(output=3000, audio_input=40_000, audio_output=80_000)
    counted = used(100, 50, cached_tokens=60, cache_write_tokens=10, audio_tokens=90)
    counted["completion_tokens_details"] = {"reasoning_tokens": 45, "audio_tokens": 50}
    world.upstream.enqueue(completion(usage=counted))
    ask()
    (line,) = world.calls()
    assert (line.by_kind["audio_input_tokens"], line.by_kind["audio_output_tokens"]) == (30, 5)
    assert line.cost_micros == 70 * 1000 + 30 * 40_000 + 45 * 3000 + 5 * 80_000


def test_audio_is_set_aside_for_who_sends_or_wants_some(ask, world, priced):
    set_quota(actor=SYSTEM, team=world.team, metric="cost", window="day", limit=1)
    priced(output=0)
    tokens = may_need(ask("Hello")) // 1000
    priced(output=0, audio_input=40_000)
    assert may_need(ask("Hello")) == tokens * 1000
    part = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    priced(output=0)
    tokens = may_need(ask(messages=[{"role": "user", "content": [part]}])) // 1000
    priced(output=0, audio_input=40_000)
    assert may_need(ask(messages=[{"role": "user", "content": [part]}])) == tokens * 40_000


@pytest.mark.parametrize("limits", [["cost"], ["tokens", "cost"]])
def test_an_input_that_proves_a_long_one_is_charged_in_full_and_marked(ask, world, priced, limits):
    """What was set aside was for a short one. Who limits only cost is told as who limits tokens is."""
    quotas = [set_quota(actor=SYSTEM, team=world.team, metric=metric, window="day", limit=10**9) for metric in limits]
    priced(long_above=2_000, long_input=2000)
    for prompt in (10, 3_000):
        world.upstream.enqueue(completion(usage=used(prompt)))
        ask()
    assert [line.usage_note for line in world.calls()] == ["", "over_reservation"]
    assert QuotaCounter.objects.get(quota=quotas[-1]).used == 10 * 1000 + 3_000 * 2000
    assert differences() == []
