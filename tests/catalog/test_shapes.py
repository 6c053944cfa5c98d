"""The snapshot's view of the catalog: prices as whole numbers, pins with everything around them."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.catalog.models import Pin, PinFallback, Price, Provider
from console.catalog.shapes import PriceShape, alias_shapes, version_shapes
from console.core.lanes import slowest
from console.providers.types import Usage
from tests import make

YESTERDAY = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
RATES = ("input", "cached_input", "output", "reasoning", "cache_write", "cache_write_1h")
RATES += ("audio_input", "audio_output")


def a_price(**rates: int) -> PriceShape:
    usual = {name: 8_000_000 if name in {"output", "reasoning", "audio_output"} else 2_000_000 for name in RATES}
    return PriceShape(dt.datetime.now(dt.UTC), **{**usual, **rates})


def test_it_prices_cached_and_reasoning_tokens_as_parts_of_the_others() -> None:
    price = a_price(cached_input=500_000, reasoning=9_000_000)
    assert price.cost(100, 50, cached=40, reasoning=20) == 60 * 2 + 20 + 30 * 8 + 20 * 9
    assert price.cost(100, 50, cached=40) == 60 * 2 + 20 + 50 * 8
    assert price.cost(0, 5, reasoning=7) == 5 * 9  # a provider that counts more thought than answer
    assert price.most(100, 50, b"{}") == 100 * 2 + 50 * 9
    assert price.most(100, 50, b"{}") >= price.cost(100, 50, cached=40, reasoning=50)


def test_what_goes_into_a_cache_costs_what_it_does_for_so_long() -> None:
    price = a_price(cached_input=200_000, cache_write=2_500_000, cache_write_1h=4_000_000)
    used = Usage(100, 10, cached=20, cache_written=50, cache_written_1h=30)
    assert price.cost(*used) == 30 * 2 + 20 * 0.2 + 20 * 2.5 + 30 * 4 + 10 * 8
    marked = b'{"cache_control":{"type":"ephemeral","ttl":"1h"}}'
    assert price.most(100, 10, b"{}") == 100 * 2.5 + 10 * 8, "an hour is charged to who asks for it"
    assert price.most(100, 10, marked) == 100 * 4 + 10 * 8
    cheap = a_price(cache_write=1_000_000, cache_write_1h=1_000_000)
    assert cheap.most(100, 10, marked) == 100 * 2 + 10 * 8


@pytest.mark.django_db
def test_above_a_number_of_tokens_all_of_a_call_is_dearer() -> None:
    """As Gemini, Claude and GPT-5.4 have it: the prompt's length decides, and all parts follow."""
    version = make.make_model("long", price=None)
    rates = {"input": 3, "output": 15, "cached_input": "0.3", "cache_write": "3.75", "cache_write_1h": 6}
    rates |= {"reasoning": 20, "long_input": 6, "long_output": "22.5"}
    Price.objects.create(model_version=version, long_above=200, **{n: Decimal(v) for n, v in rates.items()})
    price = version_shapes()[version.pk].prices[0]
    used = Usage(200, 10, cached=100, reasoning=4, cache_written=50, cache_written_1h=20)
    short = 50 * 3 + 100 * 0.3 + 30 * 3.75 + 20 * 6 + 6 * 15 + 4 * 20
    assert price.cost(*used) == -(-short // 1)
    long = 51 * 6 + 100 * 0.6 + 30 * 7.5 + 20 * 12 + 6 * 22.5 + 4 * 30
    assert price.cost(*used._replace(prompt=201)) == -(-long // 1)
    assert price.most(200, 10, b"{}") == 200 * 3.75 + 10 * 20
    assert price.most(201, 10, b"{}") == -(-(201 * 7.5 + 10 * 30) // 1)
    assert price.most(201, 10, b'"1h"') == 201 * 12 + 10 * 30


@pytest.mark.django_db
def test_what_is_not_said_of_long_inputs_is_as_of_others() -> None:
    version = make.make_model("long", price=None)
    Price.objects.create(model_version=version, input=2, output=8, cached_input=0, long_above=100, long_input=5)
    Price.objects.create(
        model_version=version,
        effective_from=YESTERDAY,
        input=0,
        output=8,
        cached_input=1,
        long_above=100,
        long_output=3,
    )
    newer, older = version_shapes()[version.pk].prices
    assert newer.cost(101, 1, cached=50) == 51 * 5 + 8 and newer.cost(100, 1, cached=50) == 50 * 2 + 8
    assert older.cost(101, 1, cached=50) == 50 + 3, "of nothing there is no proportion"
    assert older.most(101, 1, b"") == 101 + 8, "the provider may count fewer, and then it is 8"


def test_what_is_heard_and_said_aloud_costs_what_audio_does() -> None:
    price = a_price(cached_input=1_000_000, audio_input=40_000_000, audio_output=80_000_000)
    used = Usage(100, 50, cached=20, reasoning=5, audio_in=30, audio_out=10)
    assert price.cost(*used) == 50 * 2 + 20 + 30 * 40 + 40 * 8 + 10 * 80
    for silent in (b"{}", b'{"messages":[{"role":"user","content":"Hello"}]}'):
        assert price.most(100, 50, silent) == 100 * 2 + 50 * 8, "a call in writing is set aside as one"
    for loud in (
        b'{"type":"input_audio"}',
        b'{"modalities":["text","audio"]}',
        b'{"audio":{"id":"a"}}',
        b'{"type":"image_url","image_url":{"url":"data:video/mp4;base64,"}}',
        b'{"type":"file","file":{"file_id":"f"}}',
    ):
        assert price.most(100, 50, loud) == 100 * 40 + 50 * 80
    assert a_price(audio_input=1, audio_output=1).most(100, 50, b"audio") == 100 * 2 + 50 * 8


@given(
    st.fixed_dictionaries({name: st.integers(0, 9_000_000) for name in RATES}),
    st.lists(st.integers(0, 10_000), min_size=6, max_size=6),
    st.lists(st.integers(0, 10_000), min_size=3, max_size=3),
)
def test_no_usage_costs_more_than_was_set_aside(
    rates: dict[str, int], goes_in: list[int], comes_out: list[int]
) -> None:
    price = PriceShape(dt.datetime.now(dt.UTC), **rates)
    plain, cached, for_minutes, for_an_hour, heard, long_above = goes_in
    written, thought, said = for_minutes + for_an_hour, *comes_out[:2]
    if long_above % 2:
        price = replace(price, long_above=long_above, long=price)
    prompt, completion = plain + cached + written + heard, sum(comes_out)
    used = Usage(prompt, completion, cached, thought, written, for_an_hour, heard, said)
    assert price.cost(*used) <= price.most(prompt, completion, b'"ttl":"1h" audio')
    without = used._replace(cache_written_1h=0, audio_in=0, audio_out=0)
    assert price.cost(*without) <= price.most(prompt, completion, b"{}")


@pytest.mark.django_db
def test_it_carries_prices_limits_and_everything_around_a_pin() -> None:
    version, canary, shadow, spare = (make.make_model(name) for name in ("stable", "canary", "shadow", "spare"))
    Price.objects.filter(model_version=canary).update(reasoning=Decimal("1.20"))
    Provider.objects.update(max_concurrency=4, requests_per_minute=60, tokens_per_minute=9000)
    alias = make.make_alias("a", production=version, sandbox=version)
    Pin.objects.filter(environment="production").update(
        max_parameters={"max_tokens": 100},
        canary_version=canary,
        canary_percent=10,
        shadow_version=shadow,
        shadow_percent=0,
        lane="batch",
    )
    pin = Pin.objects.get(alias=alias, environment="production")
    PinFallback.objects.create(pin=pin, position=2, model_version=canary, on=["busy"], tries=1)
    PinFallback.objects.create(pin=pin, position=1, model_version=spare, on=["error", "timeout"], tries=2)
    versions = version_shapes()
    shapes = alias_shapes(versions)["a"].pins
    production, sandbox = shapes["production"], shapes["sandbox"]
    assert production.canary == (versions[canary.pk], 10)
    assert production.shadow is None  # a share of nothing
    assert (production.max_parameters, production.lane) == ({"max_tokens": 100}, "batch")
    assert [(f.version.name, f.on, f.tries) for f in production.fallbacks] == [
        ("spare", frozenset({"error", "timeout"}), 2),
        ("canary", frozenset({"busy"}), 1),
    ]
    assert (sandbox.canary, sandbox.fallbacks, sandbox.lane) == (None, (), "")
    provider = production.version.provider
    assert (provider.max_concurrency, provider.requests_per_minute, provider.tokens_per_minute) == (4, 60, 9000)
    assert versions[canary.pk].prices[0].reasoning == 1_200_000
    assert versions[spare.pk].prices[0].reasoning == versions[spare.pk].prices[0].output == 600_000


def test_it_gives_the_slowest_of_the_lanes_that_have_a_say() -> None:
    assert slowest("interactive", "", "batch") == "batch"
    assert slowest("interactive", "standard") == "standard"
    assert slowest("", "interactive") == "interactive"
