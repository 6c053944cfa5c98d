"""Importing a provider's models by click, with guesses from their names."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from console.audit.models import AuditEvent
from console.catalog import price_list
from console.catalog.families import guess
from console.catalog.models import ModelVersion, Price, Provider
from console.catalog.published import NOT_ASKED, published
from console.catalog.services import connection
from console.catalog.services.connection import MOST_NAMED, Outcome, check_connection
from console.catalog.services.imports import import_models
from console.core.errors import BadInput
from console.teams.actors import SYSTEM
from tests import make
from tests.conftest import Cast
from tests.upstream import Upstream


def test_it_adds_what_is_ticked_and_leaves_what_is_there(cast: Cast, client: Client) -> None:
    had = make.make_model("gpt-4o-2024-08-06", context_tokens=999_999)
    client.force_login(cast.operator)
    ticked = ["gpt-4o-2024-08-06", "text-embedding-3-small", "house-model"]
    assert client.post("/models/providers/fake/import/", {"models": ticked}).status_code == 302
    made = {version.name: version for version in ModelVersion.objects.all()}
    assert len(made) == 3 and made[had.name].context_tokens == 999_999
    assert made["text-embedding-3-small"].capabilities == ["embedding"]
    assert (made["house-model"].capabilities, made["house-model"].context_tokens) == (["chat"], 8192)
    assert not made["house-model"].prices.exists()
    assert AuditEvent.objects.filter(action="model.created").count() == 2
    priced = {"models": ["dear", "free"], "input:dear": "1.5", "output:dear": "6", "input:not-ticked": "9"}
    assert client.post("/models/providers/fake/import/", priced).status_code == 302
    prices = Price.objects.filter(model_version__name__in=["dear", "free"])
    assert [(p.model_version.name, p.input, p.output) for p in prices] == [("dear", Decimal("1.5"), 6)]
    half = client.post(
        "/models/providers/fake/import/", {"models": ["half"], "input:half": "1"}, headers={"HX-Request": "true"}
    )
    assert half.status_code == 422 and b"The output price of half" in half.content
    assert b'id="import-refusal"' in half.content and b"<form" not in half.content, "the list stays as it is"
    assert not ModelVersion.objects.filter(name="half").exists()
    sent = {"models": ["half"], "input:half": "1", "output:half": "", "input:other": "2", "output:other": "8"}
    page = client.post("/models/providers/fake/import/", sent)
    assert page.status_code == 409 and page.text.count("The output price of half") == 1
    for shown in (
        'value="half" checked>',
        'name="input:half" value="1"',
        'value="other">',
        'name="output:other" value="8"',
    ):
        assert shown in page.text, "without script the list comes back as it was sent"
    nothing = client.post("/models/providers/fake/import/", {}, headers={"HX-Request": "true"})
    assert nothing.status_code == 422 and b"Choose at least one model" in nothing.content
    client.force_login(cast.alice)
    assert client.post("/models/providers/fake/import/", {"models": ["x"]}).status_code == 403


def test_somebody_says_what_a_model_is_whose_name_does_not_tell(
    cast: Cast, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.make_model("gpt-4o-2024-08-06")
    named = ["gpt-4.1-2025-04-14", "house-model", "house-speech", *(f"house-{n}" for n in range(7))]
    monkeypatch.setattr(connection, "check_connection", lambda **_: Outcome(True, "It answers.", 5, named))
    client.force_login(cast.operator)
    page = client.post("/models/providers/fake/test/").text
    assert 'name="kind:house-model"' in page and 'name="kind:gpt-4.1' not in page
    assert 'data-narrows="#offered-models"' in page, "for scripts, also where htmx did not ask"
    assert client.post("/api/providers/fake/test/").json()["unsure"] == named[1:]

    address, sent = "/models/providers/fake/import/", {"models": named[1:3], "kind:house-model": "embedding"}
    again = client.post(address, sent | {"input:house-model": "", "input:house-speech": ""})
    assert again.status_code == 409 and "house-speech seems to be for sound" in again.text
    assert '<option value="embedding" selected>' in again.text and not ModelVersion.objects.filter(name="house-model")
    assert client.post(address, sent | {"kind:house-speech": "chat"}).status_code == 302
    body = {"models": ["whisper", "gpt-4o-mini"], "kinds": {"whisper": "completion", "gpt-4o-mini": "chat"}}
    assert client.post("/api/providers/fake/import/", body, "application/json").status_code == 201
    made = dict(ModelVersion.objects.values_list("name", "capabilities"))
    assert [made[name] for name in ("house-model", "house-speech", "whisper")] == [
        ["embedding"],
        ["chat"],
        ["completion"],
    ]
    assert "vision" in made["gpt-4o-mini"], "what the name tells beside it stays"
    for kinds in ({"whisper-2": "image"}, {}):
        wrong = client.post(
            "/api/providers/fake/import/", {"models": ["whisper-2"], "kinds": kinds}, "application/json"
        )
        assert wrong.status_code == 400 and wrong.json()["error"]["param"].startswith("kinds")


def test_published_prices_are_offered_and_taken_whole(
    cast: Cast, client: Client, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    provider = make.make_model("house-model", price=None).provider
    Provider.objects.update(base_url="https://api.openai.com/v1")
    names = ["gpt-4o-2024-08-06", "text-embedding-3-small", "house-model", "gpt-none"]
    monkeypatch.setattr(connection, "check_connection", lambda **_: Outcome(True, "It answers.", 5, names))
    client.force_login(cast.operator)
    page = client.post("/models/providers/fake/test/").content.decode()
    assert 'name="input:gpt-4o-2024-08-06" value="2.5"' in page and 'name="output:gpt-4o-2024-08-06" value="10"' in page
    assert 'name="input:text-embedding-3-small" value="0.02"' in page and 'name="input:gpt-none" value=""' in page
    assert "published ones, of genai-prices" in page and 'name="input:house-model"' not in page
    piece = client.post("/models/providers/fake/test/", headers={"HX-Request": "true"}).content.decode()
    assert 'id="offered" hx-swap-oob="true"' in piece and 'href="#offered"' in piece and "<h1>" not in piece

    # As it was offered it is taken whole; what somebody typed over it is theirs.
    ticked = {"models": names[:2], "input:gpt-4o-2024-08-06": "2.5", "output:gpt-4o-2024-08-06": "10"}
    typed = {"input:text-embedding-3-small": "0.01", "output:text-embedding-3-small": ""}
    assert client.post("/models/providers/fake/import/", {**ticked, **typed}).status_code == 302
    taken = Price.objects.get(model_version__name="gpt-4o-2024-08-06")
    assert (taken.input, taken.cached_input, taken.output) == (Decimal("2.5"), Decimal("1.25"), 10)
    assert Price.objects.get(model_version__name="text-embedding-3-small").input == Decimal("0.01")
    lines = AuditEvent.objects.filter(action="price.set").order_by("at", "id")
    assert ["genai-prices" in line.detail for line in lines] == [True, False]

    # Over the API: looked at without setting any, or taken with an import.
    address = "/api/providers/fake/published-prices/"
    read = client.get(address, {"model": ["gpt-4.1-2025-04-14", "gpt-none"]}).json()
    assert read["list"].startswith("genai-prices ")
    assert [(one["model"], one["input"], one["is_tiered"]) for one in read["data"]] == [
        ("gpt-4.1-2025-04-14", "2.000000", False)
    ]
    assert client.get(address).status_code == 400
    body = {"models": ["gpt-4.1-2025-04-14", "gpt-none"], "published_prices": True}
    assert client.post("/api/providers/fake/import/", body, content_type="application/json").status_code == 201
    assert [price.cached_input for price in Price.objects.filter(model_version__name__startswith="gpt-")] == [
        Decimal("0.5"),
        Decimal("1.25"),
    ]
    client.force_login(cast.alice)
    assert client.get(address, {"model": "gpt-4o"}).status_code == 403

    # In another currency, at another address, for the built-in model, or without its program there is none.
    settings.CURRENCY = "EUR"
    assert published(provider, names) == NOT_ASKED
    settings.CURRENCY = "USD"
    provider.refresh_from_db()
    elsewhere = ("https://models.example.com/v1", "https://api.openai.com.example.net/v1")
    for field, value in (*(("base_url", address) for address in elsewhere), ("is_builtin", True)):
        assert not published(Provider(**{"base_url": provider.base_url, field: value}), names).prices
    monkeypatch.setattr("console.catalog.published._PROGRAM", Path("/nowhere.py"))
    assert published(provider, names) == NOT_ASKED


def test_a_models_page_looks_its_price_up(cast: Cast, client: Client) -> None:
    model = make.make_model("claude-sonnet-4-5-20250929", price=None)
    Provider.objects.update(base_url="https://api.anthropic.com/v1")
    address = f"/models/versions/{model.pk}/"
    client.force_login(cast.alice)
    assert "genai-prices" not in client.get(f"{address}?published=1").content.decode()
    client.force_login(cast.operator)
    assert "Look up the published price" in client.get(address).content.decode()
    page = client.get(f"{address}?published=1").content.decode()
    assert 'name="input" value="3"' in page and 'name="cached_input" value="0.3"' in page
    assert 'name="cache_write" value="3.75"' in page and 'name="cache_write_1h" value="6"' in page
    assert '<details class="price-seldom" open>' in page
    assert 'name="long_above" value="200000"' in page and 'name="long_output" value="22.5"' in page
    assert "As genai-prices" in page and "long inputs cost more" not in page
    assert not Price.objects.exists(), "looking sets nothing"
    ModelVersion.objects.update(name="house-model")
    assert "knows no price of it at api.anthropic.com" in client.get(f"{address}?published=1").content.decode()


def test_a_price_that_goes_by_the_hour_is_the_dearest_whenever_one_looks() -> None:
    night = ConditionalPrice(prices=ModelPrice(input_mtok=Decimal("0.135"), output_mtok=Decimal("0.55")))
    hours = TimeOfDateConstraint(start_time=dt.time(0, 30), end_time=dt.time(16, 30))
    day = ConditionalPrice(constraint=hours, prices=ModelPrice(input_mtok=Decimal("0.27"), output_mtok=Decimal("1.1")))
    model = ModelInfo(id="m", match=ClauseEquals(equals="m"), prices=[night, day])
    for hour in (3, 20):
        price = price_list._price(model, dt.datetime(2026, 5, 1, hour, tzinfo=dt.UTC))
        assert (price["input"], price["output"]) == ("0.27", "1.1")


def test_long_inputs_are_offered_where_a_price_can_say_what_they_cost() -> None:
    def price(**parts: tuple[str, ...]) -> dict[str, Any]:
        amounts: dict[str, Any] = {}
        for part, (base, *more) in parts.items():
            tiers = [
                Tier(start=start, price=Decimal(one)) for start, one in zip((200_000, 300_000), more, strict=False)
            ]
            amounts[f"{part}_mtok"] = TieredPrices(base=Decimal(base), tiers=tiers) if tiers else Decimal(base)
        model = ModelInfo(id="m", match=ClauseEquals(equals="m"), prices=ModelPrice(**amounts))
        return price_list._price(model, dt.datetime(2026, 5, 1, tzinfo=dt.UTC))

    said = price(input=("1.25", "2.5"), cache_read=("0.125", "0.25"), output=("10", "15"))
    assert (said["long_above"], said["long_input"], said["long_output"], said["is_tiered"]) == (
        *("200000", "2.5", "15"),
        False,
    )
    only_in = price(input=("1", "2"), output=("10",))
    assert (only_in["long_input"], only_in["long_output"]) == ("2", "10")
    for cannot in (
        price(input=("1", "2", "3"), output=("10", "20", "30")),
        price(input=("1", "2"), cache_read=("0.1",), output=("10", "20")),
        price(input=("1", "2"), output=("10", "20"), output_reasoning=("10", "30")),
    ):
        assert (cannot["long_above"], cannot["is_tiered"]) == (None, True)
    assert price(input=("1",), output=("2",))["is_tiered"] is False


@pytest.mark.django_db
def test_one_name_that_cannot_be_a_model_adds_none() -> None:
    provider = make.make_model().provider
    with pytest.raises(BadInput, match="cannot be a model's name"):
        import_models(actor=SYSTEM, provider=provider, names=["fine", "two words"])
    with pytest.raises(BadInput, match="up to 200"):
        import_models(actor=SYSTEM, provider=provider, names=[f"m{n}" for n in range(201)])
    assert ModelVersion.objects.count() == 1


@pytest.mark.django_db
def test_a_list_of_a_hostile_provider_is_cut_to_what_can_be_called(upstream: Upstream) -> None:
    provider = make.make_model().provider
    provider.base_url = upstream.url
    provider.save()
    names = ["two words", "", "\u202egpt-4o", "x" * 201, "line\nbreak", "<b>bold</b>", *(f"m{n}" for n in range(1500))]
    upstream.enqueue({"data": [{"id": name} for name in names]})
    outcome = check_connection(actor=SYSTEM, provider=provider)
    assert len(outcome.models) == MOST_NAMED and outcome.models[0] == "<b>bold</b>"
    assert outcome.left_out == len(names) - MOST_NAMED and "1,506 models" in outcome.sentence


def test_it_knows_families_by_their_names() -> None:
    wanted = {
        "gpt-4.1-mini-2025-04-14": ("vision", 1_047_576),
        "o3-mini-2025-01-31": ("reasoning", 200_000),
        "claude-sonnet-4-20250514": ("reasoning", 200_000),
        "models/gemini-2.5-flash": ("reasoning", 1_048_576),
        "mistral-large-2411": ("tools", 131_072),
        "meta-llama/Llama-3.3-70B-Instruct-Turbo": ("tools", 131_072),
        "BAAI/bge-m3": ("embedding", 8192),
        "qwen3:8b": ("reasoning", 131_072),
    }
    for name, (capability, context) in wanted.items():
        found = guess(name)
        assert found is not None and found.is_known, name
        assert capability in found.capabilities and found.context_tokens == context, name
        assert found.max_output_tokens <= found.context_tokens, name
    for name in (
        "whisper-1",
        "tts-1-hd",
        "dall-e-3",
        "gpt-4o-audio-preview",
        "gemini-2.5-flash-image",
        "omni-moderation",
    ):
        assert guess(name) is None, name
    unknown = guess("house-model")
    assert unknown is not None and not unknown.is_known
