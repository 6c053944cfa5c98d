"""Aliases: who sees which, creating with pins, deleting only what nothing holds."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from console.audit.models import AuditEvent
from console.catalog.models import Alias, Pin
from console.catalog.services.aliases import change_alias, create_alias, delete_alias
from console.core.clock import now
from console.core.errors import BadInput, Conflict
from console.teams.actors import SYSTEM
from console.teams.models import Team
from tests import make
from tests.conftest import Cast
from usage_app.services.quotas import set_quota

SignedIn = Callable[[Any], Client]


@pytest.fixture
def signed_in(client: Client) -> SignedIn:
    def sign_in(user: Any) -> Client:
        client.force_login(user)
        return client

    return sign_in


def test_it_lists_aliases_with_both_pins(cast: Cast, signed_in: SignedIn) -> None:
    make.make_alias("help", production=make.make_model("big-1"), sandbox=make.make_model("big-2"))
    make.make_alias("same", production=(one := make.make_model("one")), sandbox=one)
    page = signed_in(cast.operator).get("/models/").content.decode()
    assert '<span>big</span><span class="v">1</span>' in page
    assert '<span>big</span><span class="v">2</span>' in page
    assert ">Same</span>" in page


def test_it_shows_members_their_own_and_everybodys(cast: Cast, signed_in: SignedIn) -> None:
    make.make_alias("for-all")
    make.make_alias("for-a").teams.add(cast.team_a)
    make.make_alias("for-b").teams.add(cast.team_b)
    client = signed_in(cast.bob)
    page = client.get("/models/").content.decode()
    assert "for-all" in page
    assert "for-a<" in page
    assert "for-b" not in page
    assert "New alias" not in page
    assert client.get("/models/aliases/for-a/").status_code == 200
    assert client.get("/models/aliases/for-b/").status_code == 404


def test_a_shared_alias_names_no_other_team(cast: Cast, signed_in: SignedIn) -> None:
    make.make_alias("shared").teams.add(cast.team_a, cast.team_b)
    for path in ("/models/", "/models/aliases/shared/"):
        page = signed_in(cast.bob).get(path).content.decode()
        assert "Team A" in page and "Team B" not in page, path
        assert "Team B" in signed_in(cast.operator).get(path).content.decode(), path


def test_a_hidden_alias_looks_like_none(cast: Cast, signed_in: SignedIn) -> None:
    make.make_alias("for-b").teams.add(cast.team_b)
    client = signed_in(cast.bob)
    hidden, missing = client.get("/models/aliases/for-b/"), client.get("/models/aliases/nothing/")
    assert (hidden.status_code, missing.status_code) == (404, 404)
    strip = lambda page: page.content.replace(b"for-b", b"").replace(b"nothing", b"")  # noqa: E731
    assert len(strip(hidden)) == len(strip(missing))


def test_it_narrows_to_a_team(cast: Cast, signed_in: SignedIn) -> None:
    make.make_alias("for-a").teams.add(cast.team_a)
    make.make_alias("for-b").teams.add(cast.team_b)
    page = signed_in(cast.operator).get("/models/?team=team-a").content.decode()
    assert "for-a<" in page
    assert "for-b" not in page
    assert signed_in(cast.bob).get("/models/?team=team-b").status_code == 404


def test_it_teaches_when_there_is_none(cast: Cast, signed_in: SignedIn) -> None:
    assert b"An alias is the name your programs use." in signed_in(cast.operator).get("/models/").content
    assert b"ask one for an alias for your team" in signed_in(cast.bob).get("/models/").content


def test_it_sends_strangers_to_sign_in(client: Client, db: None) -> None:
    assert client.get("/models/").status_code == 302


def test_it_creates_an_alias_that_answers_at_once(cast: Cast, signed_in: SignedIn) -> None:
    model = make.make_model("m")
    fields = {"name": "help", "description": "For help", "teams": [str(cast.team_a.pk)], "production": str(model.pk)}
    answer = signed_in(cast.operator).post("/models/new-alias/", fields | {"sandbox": ""})
    assert (answer.status_code, answer["Location"]) == (302, "/models/aliases/help/")
    alias = Alias.objects.get()
    assert [team.name for team in alias.teams.all()] == ["Team A"]
    assert Pin.objects.get().environment == "production"
    line = AuditEvent.objects.get(action="alias.created")
    assert line.team == "Team A"


def test_it_says_what_is_wrong_with_a_name(cast: Cast, signed_in: SignedIn) -> None:
    answer = signed_in(cast.operator).post("/models/new-alias/", {"name": "Help Me"})
    assert answer.status_code == 422
    assert b"lower-case letters" in answer.content


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["", "A", "a b", "a@b", "agent:x", "a/b", "-a", "a" * 101, "ä"])
def test_it_refuses_names_that_mean_something_else(name: str) -> None:
    with pytest.raises(BadInput):
        create_alias(actor=SYSTEM, name=name)


@pytest.mark.django_db
def test_a_name_is_taken_once() -> None:
    create_alias(actor=SYSTEM, name="help")
    with pytest.raises(Conflict):
        create_alias(actor=SYSTEM, name="help")


def test_it_changes_teams_and_says_who_had_it(cast: Cast, signed_in: SignedIn) -> None:
    make.make_alias("help")
    fields = {"description": "x", "teams": [str(cast.team_a.pk), str(cast.team_b.pk)]}
    signed_in(cast.operator).post("/models/aliases/help/change/", fields)
    line = AuditEvent.objects.get(action="alias.changed")
    assert '"teams": []' in line.detail
    assert '"teams": ["team-a", "team-b"]' in line.detail
    Team.objects.update(archived_at=now())
    page = signed_in(cast.operator).get("/models/aliases/help/change/").text
    kept = re.findall(r'name="teams" value="([\w-]+)"[^>]*checked', page)
    assert "Team A (archived)" in page and set(kept) == {str(cast.team_a.pk), str(cast.team_b.pk)}
    signed_in(cast.operator).post("/models/aliases/help/change/", fields | {"description": "y"})
    assert Alias.objects.get(description="y").teams.count() == 2, "nor does it open to everybody"
    late = {"description": "typed words", "teams": [str(cast.team_b.pk)], "seen_revision": "1"}
    overtaken = signed_in(cast.operator).post("/models/aliases/help/change/", late)
    assert overtaken.status_code == 409 and "Somebody changed help after you opened it" in overtaken.text
    assert 'value="typed words"' in overtaken.text and "“Description”, “Teams”; saving again" in overtaken.text
    assert re.findall(r'name="teams" value="([\w-]+)"[^>]*checked', overtaken.text) == late["teams"]
    late["seen_revision"] = overtaken.context["form"]["seen_revision"].value()
    assert signed_in(cast.operator).post("/models/aliases/help/change/", late).status_code == 302
    assert Alias.objects.get().description == "typed words"


@pytest.mark.django_db
def test_a_change_to_the_same_is_no_change() -> None:
    change_alias(actor=SYSTEM, alias=make.make_alias("help"), description="", teams=[])
    assert not AuditEvent.objects.filter(action="alias.changed").exists()


def test_it_deletes_what_nothing_holds(cast: Cast, signed_in: SignedIn) -> None:
    make.make_alias("help", production=make.make_model("m"))
    assert signed_in(cast.operator).post("/models/aliases/help/delete/").status_code == 302
    assert not Alias.objects.exists()
    assert "fake/m" in AuditEvent.objects.get(action="alias.deleted").detail


def test_it_keeps_what_a_key_is_limited_to(cast: Cast, signed_in: SignedIn) -> None:
    alias = make.make_alias("help")
    key, _ = make.make_key(cast.team_a, "app", aliases=["help"])
    answer = signed_in(cast.operator).post("/models/aliases/help/delete/")
    assert answer.status_code == 409
    assert b"key app fk_live_" in answer.content
    key.revoked_at = key.created_at
    key.save()
    delete_alias(actor=SYSTEM, alias=alias)


@pytest.mark.django_db
def test_it_keeps_what_a_quota_names(cast: Cast) -> None:
    alias = make.make_alias("help")
    set_quota(actor=SYSTEM, team=cast.team_a, metric="requests", window="day", limit=5, alias="help")
    with pytest.raises(Conflict, match="quota Requests per day"):
        delete_alias(actor=SYSTEM, alias=alias)


def test_the_page_shows_what_depends_on_it_but_not_to_strangers(cast: Cast, signed_in: SignedIn) -> None:
    make.make_alias("help")
    make.make_key(cast.team_a, "app-of-a", aliases=["help"])
    make.make_key(cast.team_b, "app-of-b", aliases=["help"])
    page = signed_in(cast.operator).get("/models/aliases/help/").content.decode()
    assert "app-of-a" in page
    assert "app-of-b" in page
    page = signed_in(cast.bob).get("/models/aliases/help/").content.decode()
    assert "app-of-a" in page
    assert "app-of-b" not in page
    assert "Move pin" not in page


def test_it_refuses_members(cast: Cast, signed_in: SignedIn) -> None:
    make.make_alias("help")
    client = signed_in(cast.alice)
    assert client.get("/models/new-alias/").status_code == 403
    assert client.post("/models/aliases/help/change/", {}).status_code == 403
    assert client.post("/models/aliases/help/delete/").status_code == 403
    assert Alias.objects.exists()


def test_more_aliases_are_no_more_queries(cast: Cast, signed_in: SignedIn, django_assert_max_num_queries: Any) -> None:
    model = make.make_model("m")
    client = signed_in(cast.bob)
    for n in range(3):
        make.make_alias(f"few-{n}", production=model).teams.add(cast.team_a)
    with django_assert_max_num_queries(20) as few:
        client.get("/models/")
    for n in range(10):
        make.make_alias(f"more-{n}", production=model, sandbox=model).teams.add(cast.team_a)
    with django_assert_max_num_queries(len(few.captured_queries)):
        client.get("/models/")
    with django_assert_max_num_queries(22):
        client.get("/models/aliases/more-1/")


def test_it_asks_first_even_without_script(cast: Cast, signed_in: SignedIn) -> None:
    version = make.make_model("m")
    make.make_alias("help", production=version)
    client = signed_in(cast.operator)
    for url in (
        "/models/aliases/help/delete/",
        "/models/providers/fake/delete/",
        f"/models/versions/{version.pk}/retire/",
    ):
        page = client.get(url)
        assert page.status_code == 200
        assert b'data-variant="destructive"' in page.content
    assert Alias.objects.exists()
    version.refresh_from_db()
    assert version.retired_at is None
