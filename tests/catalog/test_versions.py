"""Model versions: limits that make sense, prices with dates, no retiring under a pin."""

import datetime as dt
import json
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from console.audit.models import AuditEvent
from console.catalog.models import Amounts, ModelVersion, Price
from console.catalog.queries import price_now
from console.catalog.services.imports import import_models
from console.catalog.services.versions import change_version, create_version, retire_version, set_price
from console.core.clock import now
from console.core.errors import BadInput, Conflict
from console.teams.actors import SYSTEM
from tests import make
from tests.conftest import Cast


def test_it_adds_a_model_with_its_price(operator: Client) -> None:
    make.make_model("other")
    fields = {
        "name": "big-2026-01-01",
        "description": "",
        "context_tokens": 1000,
        "max_output_tokens": 500,
        "capabilities": ["tools", "chat"],
        "shutdown_on": "",
        "successor": "",
        "price-input": "0.15",
        "price-output": "0.6",
        "price-cached_input": "",
        "price-effective_from": "",
    }
    assert operator.post("/models/providers/fake/new-version/", fields).status_code == 302
    version = ModelVersion.objects.get(name="big-2026-01-01")
    assert version.capabilities == ["chat", "tools"]
    assert (version.family, version.exact) == ("big", "2026-01-01")
    month = ModelVersion(name="acme-large-2026-01")
    assert (month.family, month.exact) == ("acme-large", "2026-01")
    price = price_now(version)
    assert price is not None
    assert price.shown == {"input": "0.15", "output": "0.60"}
    answer = operator.post("/models/providers/fake/new-version/", fields | {"name": "x", "max_output_tokens": 2000})
    assert answer.status_code == 422
    assert b"larger than the context" in answer.content
    assert not ModelVersion.objects.filter(name="x").exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"name": "two words"}, "name"),
        ({"context_tokens": 0}, "context_tokens"),
        ({"context_tokens": 10, "max_output_tokens": 11}, "max_output_tokens"),
        ({"capabilities": ["telepathy"]}, "capabilities"),
    ],
)
def test_it_names_the_field_that_is_wrong(fields: dict[str, Any], param: str) -> None:
    provider = make.make_model("x").provider
    with pytest.raises(BadInput) as caught:
        create_version(actor=SYSTEM, provider=provider, **({"name": "y"} | fields))
    assert caught.value.param == param


@pytest.mark.django_db
def test_a_name_is_there_once_per_provider() -> None:
    version = make.make_model("x")
    with pytest.raises(Conflict):
        create_version(actor=SYSTEM, provider=version.provider, name="x")


def test_it_changes_limits_and_says_what_was(operator: Client) -> None:
    version, after = make.make_model("x"), make.make_model("after")
    fields = {
        "description": "",
        "context_tokens": 9000,
        "max_output_tokens": 4096,
        "capabilities": ["chat"],
        "shutdown_on": "2027-01-30",
        "successor": str(after.pk),
    }
    assert operator.post(f"/models/versions/{version.pk}/change/", fields).status_code == 302
    page = operator.get(f"/models/versions/{version.pk}/").content.decode()
    assert "shuts it down on 30 Jan 2027" in page
    assert "fake/after" in page
    line = AuditEvent.objects.get(action="model.changed")
    assert '"context_tokens": 8192' in line.detail
    assert '"context_tokens": 9000' in line.detail
    ModelVersion.objects.filter(pk=after.pk).update(retired_at=now())
    form = operator.get(f"/models/versions/{version.pk}/change/").text
    assert f'<option value="{after.pk}" selected>' in form, "saving something else would take it away"
    late = fields | {"context_tokens": 7000, "shutdown_on": "2027-02-01", "seen_revision": "1"}
    overtaken = operator.post(f"/models/versions/{version.pk}/change/", late)
    assert overtaken.status_code == 409 and 'value="7000"' in overtaken.text and 'value="2027-02-01"' in overtaken.text
    assert "“Context, in tokens”, “Shut down on”; saving again" in overtaken.text
    late["seen_revision"] = overtaken.context["form"]["seen_revision"].value()
    assert operator.post(f"/models/versions/{version.pk}/change/", late).status_code == 302


@pytest.mark.django_db
def test_a_change_to_the_same_is_no_change() -> None:
    version = make.make_model("x")
    change_version(actor=SYSTEM, version=version, context_tokens=version.context_tokens)
    assert not AuditEvent.objects.filter(action="model.changed").exists()


def test_it_sets_a_price_from_a_date(operator: Client) -> None:
    version = make.make_model("x")
    later = now() + dt.timedelta(days=3)
    fields = {"input": "1", "output": "2.5", "cached_input": "0.1", "effective_from": f"{later:%Y-%m-%dT%H:%M}"}
    assert operator.post(f"/models/versions/{version.pk}/price/", fields).status_code == 302
    assert Price.objects.count() == 2
    current = price_now(version)
    assert current is not None
    assert current.input == Decimal("0.15")
    page = operator.get(f"/models/versions/{version.pk}/").content.decode()
    assert "To come" in page
    assert "2.50" in page
    assert AuditEvent.objects.get(action="price.set").target == "fake/x"


def test_what_few_models_charge_is_folded_away_until_it_says_something(operator: Client) -> None:
    version = make.make_model("x")
    address = f"/models/versions/{version.pk}/"
    page = operator.get(address).content.decode()
    assert '<details class="price-seldom">' in page
    assert page.index('name="long_above"') < page.index('name="long_input"') < page.index('name="long_output"')
    fields = {"input": "3", "output": "15", "cache_write": "3.75", "cache_write_1h": "6", "audio_output": "64"}
    assert operator.post(f"{address}price/", fields).status_code == 302
    price = price_now(version)
    assert price is not None and (price.cache_write, price.cache_write_1h) == (Decimal("3.75"), 6)
    assert (
        "Cache writes 3.75 · Cache writes for an hour 6.00 · Audio out 64.00" in operator.get(address).content.decode()
    )
    refused = operator.post(f"{address}price/", {**fields, "cache_write": "-1"})
    assert refused.status_code == 422 and '<details class="price-seldom" open>' in refused.content.decode()
    after = json.loads(AuditEvent.objects.get(action="price.set").detail)["after"]
    assert (after["cache_write"], after["cache_write_1h"], after["reasoning"]) == ("3.75", "6", None)

    long = {**fields, "long_above": "200000", "long_input": "6", "long_output": "22.5"}
    assert operator.post(f"{address}price/", long).status_code == 302
    assert "Above 200,000 tokens of input: input 6.00, output 22.50" in operator.get(address).content.decode()
    for lacks, said in (("long_above", "Say above how many tokens"), ("long_input", "Say what input or output costs")):
        some = {**long, "long_output": "", lacks: ""}
        refused = operator.post(f"{address}price/", some)
        assert refused.status_code == 422 and said in refused.content.decode()

    said = operator.post(
        f"/api/models/{version.pk}/prices/",
        {"input": "1", "output": "2", "cache_write": "1.25"},
        content_type="application/json",
    )
    assert said.status_code == 201, said.content
    shown = operator.get(f"/api/models/{version.pk}/").json()["prices"][0]
    assert (shown["cache_write"], shown["cache_write_1h"]) == ("1.250000", None)


def test_it_refuses_a_price_in_the_past(operator: Client) -> None:
    version = make.make_model("x")
    fields = {"input": "1", "output": "2", "effective_from": "2026-01-01T00:00"}
    answer = operator.post(f"/models/versions/{version.pk}/price/", fields, headers={"HX-Request": "true"})
    assert answer.status_code == 422
    assert answer.content.lstrip().startswith(b'<section class="panel" id="price"')
    assert b"cannot begin in the past" in answer.content
    assert Price.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("bad", ["-1", "NaN", "Infinity", "1000000", "0.0000001"])
def test_it_refuses_amounts_that_are_no_price(bad: str) -> None:
    with pytest.raises(BadInput):
        set_price(actor=SYSTEM, version=make.make_model("x"), amounts=Amounts(Decimal(bad), Decimal(1)))


@pytest.mark.django_db
def test_only_vectors_have_no_price_of_output(operator: Client, tmp_path: Path) -> None:
    """On the page, over the API, in a file, and at the import of several."""
    provider = make.make_model("other").provider
    embed = make.make_model("embed", provider=provider, capabilities=["embedding"])
    both = make.make_model("both", provider=provider, capabilities=["chat", "embedding"])
    for version, status in ((embed, 302), (both, 422)):
        before = version.prices.count()
        answer = operator.post(f"/models/versions/{version.pk}/price/", {"input": "0.02", "output": ""})
        assert answer.status_code == status and version.prices.count() == before + (status == 302), version
        told = operator.post(f"/api/models/{version.pk}/prices/", {"input": "0.03"}, content_type="application/json")
        assert told.status_code == (201 if version == embed else 400), told.content
    assert all(price.output == 0 for price in embed.prices.filter(input__in=[Decimal("0.02"), Decimal("0.03")]))
    assert embed.prices.filter(input__in=[Decimal("0.02"), Decimal("0.03")]).count() == 2

    file = tmp_path / "facet.yaml"
    new = f"{{provider: {provider.slug}, name: new, capabilities: [embedding], price: {{input: 0.04}}}}"
    for name, fits in (("embed", True), ("both", False)):
        file.write_text(
            f"models:\n  - {{provider: {provider.slug}, name: {name}, price: {{input: 0.04}}}}\n  - {new}\n"
        )
        if fits:
            call_command("apply", str(file), stdout=StringIO())
            assert price_now(embed).output == 0 and price_now(embed).input == Decimal("0.04")  # type: ignore[union-attr]
            assert Price.objects.get(model_version__name="new").output == 0
        else:
            with pytest.raises(CommandError, match="say what its output costs"):
                call_command("apply", str(file), stdout=StringIO())
    with pytest.raises(BadInput, match="output price of gpt-4o"):
        import_models(actor=SYSTEM, provider=provider, names=["gpt-4o"], prices={"gpt-4o": (Decimal(1), None)})


def test_it_retires_what_nothing_points_at(operator: Client) -> None:
    version = make.make_model("x", capabilities=["embedding"])
    shelf = make.make_collection(make.make_team("Shop"), "prices", model=version)
    make.make_collection(None, "other", model=None)
    team = '<span class="team"><span class="dot" data-team="3"></span><span>Shop</span></span>'
    there = f'<a class="link" href="/knowledge/{shelf.pk}/">Prices</a></td><td>{team}</td><td class="muted">'
    assert f"{there}makes its vectors" in operator.get(f"/models/versions/{version.pk}/").content.decode()
    assert operator.post(f"/models/versions/{version.pk}/retire/").status_code == 302
    assert (
        f"{there}made its vectors: now searched by words"
        in operator.get(f"/models/versions/{version.pk}/").content.decode()
    )
    (use,) = operator.get(f"/api/models/{version.pk}/uses/").json()
    assert use == {"alias": None, "environment": None, "collection": "Prices", "team": "Shop", "roles": ["vectors"]}
    version.refresh_from_db()
    assert version.retired_at is not None
    assert b"It can no longer be pinned" in operator.get(f"/models/versions/{version.pk}/").content


def test_it_does_not_retire_under_a_pin(operator: Client) -> None:
    version = make.make_model("x")
    make.make_alias("help", sandbox=version)
    answer = operator.post(f"/models/versions/{version.pk}/retire/")
    assert answer.status_code == 409
    assert b"help@sandbox" in answer.content
    with pytest.raises(Conflict):
        retire_version(actor=SYSTEM, version=version)
    version.refresh_from_db()
    assert version.retired_at is None


def test_it_refuses_members(cast: Cast, client: Client) -> None:
    version = make.make_model("x")
    make.make_alias("open", production=version)
    client.force_login(cast.alice)
    assert client.get(f"/models/versions/{version.pk}/").status_code == 200
    assert client.get(f"/models/versions/{version.pk}/change/").status_code == 403
    for verb in ("price", "retire"):
        assert client.post(f"/models/versions/{version.pk}/{verb}/").status_code == 403


def test_it_hides_versions_no_alias_of_the_reader_means(cast: Cast, client: Client) -> None:
    hidden, shown = make.make_model("hidden"), make.make_model("shown")
    make.make_alias("theirs", production=hidden).teams.add(cast.team_b)
    make.make_alias("ours", production=shown).teams.add(cast.team_a)
    client.force_login(cast.bob)
    assert client.get(f"/models/versions/{shown.pk}/").status_code == 200
    assert client.get(f"/models/versions/{hidden.pk}/").status_code == 404
