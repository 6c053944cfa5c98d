"""Providers, models, prices, aliases and pins over the management API."""

import pytest

from console.audit.models import AuditEvent
from console.catalog.models import Alias, Provider
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.programs import Program


@pytest.fixture
def operator(cast: Cast):
    return Program(user=cast.operator)


def test_it_connects_a_provider_and_hides_its_secret(operator):
    body = {
        "slug": "acme",
        "name": "Acme",
        "kind": "openai",
        "base_url": "https://api.example.com/v1",
        "secret": "sk-acme-1",
    }
    made = operator("POST", "providers/", body)
    assert made.status_code == 201 and made.json()["has_secret"] is True
    assert "sk-acme-1" not in made.content.decode() and "sk-acme-1" not in Provider.objects.get(slug="acme").secret
    moved = operator("PATCH", "providers/acme/", {"base_url": "https://other.example.com/v1"})
    assert moved.json()["has_secret"] is False
    assert operator("DELETE", "providers/acme/").status_code == 204
    assert AuditEvent.objects.filter(action="provider.created", actor_kind="user").count() == 1


def test_it_adds_prices_and_retires_a_model(operator, cast):
    make.make_model("old-model")
    made = operator(
        "POST", "providers/fake/models/", {"name": "new-model", "capabilities": ["chat"], "context_tokens": 8000}
    )
    assert made.status_code == 201 and made.json()["prices"] == []
    pk = made.json()["id"]
    assert operator("POST", f"models/{pk}/prices/", {"input": "0.15", "output": "0.6"}).status_code == 201
    listed = operator("GET", f"models/{pk}/prices/").json()["data"]
    assert [(price["input"], price["output"]) for price in listed] == [("0.150000", "0.600000")]
    assert operator("PATCH", f"models/{pk}/", {"description": "Quick"}).json()["prices"][0]["input"] == "0.150000"
    assert operator("POST", f"models/{pk}/retire/").json()["retired_at"]


def test_it_moves_a_pin_and_rolls_it_back(operator, cast):
    first, second = make.make_model("first"), make.make_model("second")
    assert operator("POST", "aliases/", {"name": "support-chat"}).status_code == 201
    path = "aliases/support-chat/pins/production/"
    assert (
        operator("PUT", path, {"model_version": str(first.pk), "reason": "start", "seen_revision": 0}).status_code
        == 200
    )
    moved = operator("PUT", path, {"model_version": str(second.pk), "reason": "better", "seen_revision": 1})
    assert moved.json()["model"] == "fake/second" and moved.json()["revision"] == 2
    stale = operator("PUT", path, {"model_version": str(first.pk), "reason": "late", "seen_revision": 1})
    assert stale.status_code == 409
    back = operator("POST", f"{path}roll-back/", {"reason": "worse", "seen_revision": 2})
    assert back.json()["model"] == "fake/first"
    assert [m["reason"] for m in operator("GET", f"{path}moves/").json()["data"]] == ["worse", "better", "start"]


def test_members_read_their_aliases_and_change_nothing(cast):
    alias = make.make_alias("theirs", production=make.make_model("m"))
    alias.teams.add(cast.team_b)
    client = client_of(cast.bob)
    assert client.get("/api/aliases/").json()["data"] == []
    missing, hidden = client.get("/api/aliases/nothing/"), client.get("/api/aliases/theirs/")
    assert missing.status_code == hidden.status_code == 404
    assert client.get("/api/providers/").status_code == 403
    assert client.post("/api/aliases/", {"name": "x"}, content_type="application/json").status_code == 403
    assert Alias.objects.count() == 1


def test_it_names_an_unknown_field(operator):
    refused = operator("POST", "aliases/", {"name": "a", "owner": "me"})
    assert refused.status_code == 400 and refused.json()["error"]["param"] == "owner"


def test_a_member_sees_only_their_own_teams_of_a_shared_alias(operator, cast):
    make.make_alias("shared").teams.add(cast.team_a, cast.team_b)
    client = client_of(cast.bob)
    assert client.get("/api/aliases/shared/").json()["teams"] == ["team-a"]
    assert client.get("/api/aliases/").json()["data"][0]["teams"] == ["team-a"]
    assert set(operator("GET", "aliases/shared/").json()["teams"]) == {"team-a", "team-b"}


def test_a_stranger_finds_no_moves_and_no_prices(cast):
    version = make.make_model("m")
    make.make_alias("theirs", production=version).teams.add(cast.team_b)
    client = client_of(cast.bob)
    assert client.get("/api/aliases/theirs/pins/production/moves/").status_code == 404
    assert client.get(f"/api/models/{version.pk}/prices/").status_code == 404


@pytest.mark.parametrize("path", ["a%00b/", "known/pins/moon/moves/", "known/pins/a%00b/moves/"])
def test_what_cannot_exist_is_not_found(operator, path):
    make.make_alias("known")
    assert operator("GET", f"aliases/{path}").status_code == 404
