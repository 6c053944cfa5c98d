"""Importing a provider's models by click, with guesses from their names."""

from decimal import Decimal

import pytest
from django.test import Client

from console.audit.models import AuditEvent
from console.catalog.families import guess
from console.catalog.models import ModelVersion, Price
from console.catalog.services.connection import MOST_NAMED, check_connection
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
    assert not ModelVersion.objects.filter(name="half").exists()
    nothing = client.post("/models/providers/fake/import/", {}, headers={"HX-Request": "true"})
    assert nothing.status_code == 422 and b"Choose at least one model" in nothing.content
    client.force_login(cast.alice)
    assert client.post("/models/providers/fake/import/", {"models": ["x"]}).status_code == 403


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
