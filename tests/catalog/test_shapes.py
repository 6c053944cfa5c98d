"""The snapshot's view of the catalog: prices as whole numbers, pins with everything around them."""

import datetime as dt
from decimal import Decimal

import pytest

from console.catalog.models import Pin, PinFallback, Price, Provider
from console.catalog.shapes import PriceShape, alias_shapes, version_shapes
from console.core.lanes import slowest
from tests import make


def test_it_prices_cached_and_reasoning_tokens_as_parts_of_the_others() -> None:
    price = PriceShape(
        dt.datetime.now(dt.UTC), input=2_000_000, cached_input=500_000, output=8_000_000, reasoning=9_000_000
    )
    assert price.cost(100, 40, 50, 20) == 60 * 2 + 20 + 30 * 8 + 20 * 9
    assert price.cost(100, 40, 50) == 60 * 2 + 20 + 50 * 8
    assert price.cost(0, 0, 5, 7) == 5 * 9  # a provider that counts more thought than answer
    assert price.most(100, 50) == 100 * 2 + 50 * 9
    assert price.most(100, 50) >= price.cost(100, 40, 50, 50)


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
