"""The pages about API keys."""

import datetime as dt
import html
import re
from typing import Any

import pytest
from django.test import Client

from console.core.clock import now
from console.core.hidden_characters import HIDDEN
from console.teams.actors import SYSTEM
from console.teams.callers import caller_for_key
from console.teams.models import ApiKey, Role, User
from console.teams.services import keys as services
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.teams import log
from usage_app.models import UsageTouchpoint

HTMX = {"HX-Request": "true"}
KEY = re.compile(r"fk_(?:live|test)_[0-9A-Za-z]{38}")


def new(cast: Cast, **fields: Any) -> dict[str, Any]:
    values = {"team": cast.team_a.slug, "name": "help-app", "environment": "sandbox", "scopes": ["models:call"]}
    return {**values, "expires_in": "90", "aliases": "assistant, support-chat", "networks": "", **fields}


def test_it_lists_the_teams_keys(cast: Cast, alice: Client) -> None:
    make.make_key(cast.team_b, "theirs")
    page = alice.get("/keys/").content.decode()
    assert "kim" in page
    assert "<html" not in alice.get("/keys/", headers=HTMX).content.decode()
    assert cast.kim.shown in page
    assert "theirs" not in page
    assert not KEY.search(page)


def test_a_name_hides_nothing(cast: Cast, alice: Client) -> None:
    """Whoever names a key or themselves is not who reads the list: what turns or hides letters has its number."""
    key, _ = make.make_key(cast.team_a, "deploy\u202etset")
    User.objects.filter(pk=cast.bob.pk).update(name="Bob\u200bby")
    bob = cast.team_a.memberships.get(user=cast.bob)
    for address, shown in (
        *(("/keys/", "U+202E"), (f"/keys/{key.pk}/", "U+202E"), (f"/keys/{key.pk}/revoke/", "U+202E")),
        *(("/teams/team-a/", "U+200B"), (f"/teams/team-a/members/{bob.pk}/remove/", "U+200B"), ("/audit/", "U+202E")),
    ):
        page = alice.get(address).content.decode()
        assert shown in page and not HIDDEN.search(page), address


def test_it_filters_by_state_environment_team_and_text(cast: Cast, alice: Client) -> None:
    make.make_key(cast.team_a, "sandy", "sandbox")
    gone, _ = make.make_key(cast.team_a, "gone")
    services.revoke_key(actor=SYSTEM, key=gone)

    def names(query: str) -> set[str]:
        rows = alice.get(f"/keys/{query}").context["page"].rows
        return {row.key.name for row in rows}

    assert names("") == {"kim", "sandy"}
    assert names("?state=all") == {"kim", "sandy", "gone"}
    assert names("?state=revoked") == {"gone"}
    assert names("?environment=sandbox") == {"sandy"}
    assert names("?q=SAN") == {"sandy"}
    assert "1 shown. 2 usable, 1 expired or revoked" in alice.get("/keys/?q=SAN").text, "heard while one types"
    assert "shown." not in alice.get("/keys/").text
    assert names(f"?q={cast.kim.last4}") == {"kim"}
    assert names("?team=team-a") == {"kim", "sandy"}
    assert names("?cursor=nonsense&environment=nonsense&state=nonsense") == {"kim", "sandy", "gone"}
    assert alice.get("/keys/?team=team-b").status_code == 404


def test_it_pages_by_cursor(cast: Cast, alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.teams.queries.PAGE", 2)
    for number in range(4):
        make.make_key(cast.team_a, f"key-{number}")
    seen, cursor = [], ""
    while True:
        page = alice.get(f"/keys/?cursor={cursor}").context["page"]
        seen += [row.key.name for row in page.rows]
        if not page.older:
            break
        cursor = page.older
    assert seen == ["key-3", "key-2", "key-1", "key-0", "kim"]


def test_ten_more_keys_are_no_more_queries(cast: Cast, alice: Client, django_assert_max_num_queries: Any) -> None:
    alice.get("/keys/")
    with django_assert_max_num_queries(12):
        alice.get("/keys/")
    for number in range(10):
        make.make_key(cast.team_a, f"key-{number}", owner=cast.bob)
    with django_assert_max_num_queries(12):
        alice.get("/keys/")


def test_it_says_how_much_a_key_called_in_seven_days(cast: Cast, alice: Client) -> None:
    other, _ = make.make_key(cast.team_a, "other")
    cut = {"team_id": cast.team_a.pk, "kind": "key", "environment": "production", "model": "p/m", "last_at": now()}
    for days, alias, requests in ((0, "a", 1_200), (0, "b", 30), (6, "a", 4), (7, "a", 500), (-1, "a", 7_000)):
        day = now().date() - dt.timedelta(days=days)
        UsageTouchpoint.objects.create(**cut, day=day, alias=alias, subject=str(cast.kim.pk), requests=requests)
    UsageTouchpoint.objects.create(**cut | {"kind": "widget"}, day=now().date(), subject=str(other.pk), requests=9)
    page = alice.get("/keys/").text
    assert re.findall(r'data-label="Calls, 7 days">([\d,]+)<', page) == ["0", "1,234"], "newest first"
    shown = alice.get(f"/keys/{cast.kim.pk}/").text
    assert '<span class="num">1,234</span>' in shown and 'class="spark"' in shown
    assert 'class="spark"' not in alice.get(f"/keys/{other.pk}/").text


def test_it_says_what_a_key_is_for_when_there_is_none(cast: Cast, alice: Client) -> None:
    ApiKey.objects.all().delete()
    page = alice.get("/keys/").content.decode()
    assert "No keys yet" in page
    assert "curl http://testserver/v1/models" in page


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_it_creates_a_key_and_shows_it_once(cast: Cast, alice: Client, headers: dict[str, str]) -> None:
    response = alice.post("/keys/new/", new(cast, unknown_fields="drop"), headers=headers)
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    found = KEY.search(response.content.decode())
    assert found
    text, key = found[0], ApiKey.objects.get(name="help-app")
    assert caller_for_key(text, "").key_id == key.pk
    assert (key.owner, key.environment, key.aliases) == (cast.alice, "sandbox", ["assistant", "support-chat"])
    assert key.expires_at is not None
    assert key.unknown_fields == "drop" and "Remove them" in alice.get(f"/keys/{key.pk}/").content.decode()
    assert text not in str(dict(alice.session))
    assert text not in str(response.headers)
    for path in ("/keys/", f"/keys/{key.pk}/", f"/keys/{key.pk}/change/"):
        assert text not in alice.get(path).content.decode()


def test_it_shows_what_is_wrong_and_creates_nothing(cast: Cast, alice: Client) -> None:
    response = alice.post("/keys/new/", new(cast, networks="nonsense, 10.0.0.0/8"), headers=HTMX)
    assert response.status_code == 422
    assert "is not a network" in response.content.decode()
    assert alice.post("/keys/new/", new(cast, name="")).status_code == 422
    assert alice.post("/keys/new/", new(cast, team="team-b")).status_code == 422
    assert not ApiKey.objects.filter(name="help-app").exists()


def test_a_builder_is_not_offered_more_than_they_have(cast: Cast) -> None:
    make.make_member(cast.team_a, cast.charlie, Role.BUILDER)
    client = client_of(cast.charlie)
    # Charlie owns Team B, so the form offers the scope; for Team A the service refuses it.
    session = client.session
    session["account_authentication_methods"] = []
    session.save()
    client.post("/accounts/reauthenticate/", {"password": make.PASSWORD})
    response = client.post("/keys/new/", new(cast, scopes=["team:manage"]))
    assert response.status_code == 422
    assert "does not include team:manage" in response.content.decode()


def test_an_administrative_scope_asks_to_sign_in_again_and_goes_on(cast: Cast, alice: Client) -> None:
    values = new(cast, scopes=["models:call", "team:manage"])
    response = alice.post("/keys/new/", values)
    assert response["Location"] == "/accounts/reauthenticate/?next=%2Fkeys%2Fnew%2F"
    assert not ApiKey.objects.filter(name="help-app").exists()
    again = alice.post(response["Location"], {"password": make.PASSWORD, "next": "/keys/new/"})
    assert KEY.search(again.content.decode())
    assert ApiKey.objects.get(name="help-app").scopes == ["models:call", "team:manage"]
    # For some minutes it does not ask again.
    assert alice.post("/keys/new/", {**values, "name": "second"}).status_code == 200


def test_htmx_leaves_the_dialog_to_sign_in_again(cast: Cast, alice: Client) -> None:
    values = new(cast, scopes=["team:manage"])
    response = alice.post("/keys/new/", values, headers=HTMX)
    assert (response.status_code, response["HX-Redirect"]) == (204, "/accounts/reauthenticate/?next=%2Fkeys%2Fnew%2F")
    again = alice.post(response["HX-Redirect"], {"password": make.PASSWORD, "next": "/keys/new/"})
    page = again.content.decode()
    assert KEY.search(page)
    assert "<html" in page


@pytest.mark.parametrize(
    ("before", "back"),
    [
        ("http://testserver/keys/?team=team-a", "/keys/?team=team-a"),
        ("http://testserver/accounts/reauthenticate/?next=%2Fkeys%2Fnew%2F", "/"),
        ("http://testserver//elsewhere.example/", "/"),
        ("https://elsewhere.example/keys/", "/"),
        ("javascript:alert(1)", "/"),
        ("http://[", "/"),
        ("", "/"),
    ],
)
def test_who_is_asked_to_sign_in_again_can_leave_it(cast: Cast, alice: Client, before: str, back: str) -> None:
    page = alice.get("/accounts/reauthenticate/?next=%2Fkeys%2Fnew%2F", headers={"Referer": before}).text
    assert f'href="{back}">Cancel</a>' in page


def test_it_does_not_loosen_a_key_with_an_older_form(cast: Cast, alice: Client) -> None:
    url, kim = f"/keys/{cast.kim.pk}/change/", cast.kim
    opened = alice.get(url).context["form"]
    values = {"name": "kim", "scopes": kim.scopes, "expires_in": "", "seen_revision": opened["seen_revision"].value()}
    assert alice.post(url, {**values, "networks": "203.0.113.0/24"}).status_code == 302
    late = {**values, "name": "typed words", "aliases": "support-chat"}
    overtaken, piece = alice.post(url, late), alice.post(url, late, headers={"HX-Request": "true"})
    assert (overtaken.status_code, piece.status_code) == (409, 422)
    for page in (overtaken.text, piece.text):
        assert "Somebody changed kim after you opened it" in page and 'value="typed words"' in page
        assert "“Only these aliases”, “Only from these networks”" in page and 'name="seen_revision" value="2"' in page
    kim.refresh_from_db()
    assert (kim.networks, kim.aliases) == (["203.0.113.0/24"], [])
    assert alice.post(url, {**late, "networks": "203.0.113.0/24", "seen_revision": "2"}).status_code == 302
    kim.refresh_from_db()
    assert (kim.name, kim.networks, kim.aliases) == ("typed words", ["203.0.113.0/24"], ["support-chat"])


def test_it_does_not_take_back_the_end_of_a_rotated_key_with_an_older_form(cast: Cast, alice: Client) -> None:
    url, kim = f"/keys/{cast.kim.pk}/change/", cast.kim
    opened = alice.get(url).context["form"]
    assert alice.post(f"/keys/{kim.pk}/rotate/", {"overlap": "1h"}).status_code == 200
    kim.refresh_from_db()
    ends_at = kim.expires_at
    values = {
        "name": "renamed",
        "scopes": kim.scopes,
        "expires_in": "",
        "seen_revision": opened["seen_revision"].value(),
    }
    overtaken = alice.post(url, values)
    assert overtaken.status_code == 409 and "“Expires”" in overtaken.text
    kim.refresh_from_db()
    assert (kim.name, kim.expires_at) == ("kim", ends_at) and ends_at is not None


def test_it_changes_a_key(cast: Cast, alice: Client) -> None:
    many = [f"{number:0100}" for number in range(50)]  # as many, and as long, as programs may name
    ApiKey.objects.filter(pk=cast.kim.pk).update(aliases=many)
    values = {
        "name": "renamed",
        "scopes": ["models:call"],
        "networks": "203.0.113.7",
        "aliases": ", ".join(many),
        "expires_in": "30",
        "unknown_fields": "refuse",
    }
    response = alice.post(f"/keys/{cast.kim.pk}/change/", values)
    assert response.status_code == 302
    cast.kim.refresh_from_db()
    assert (cast.kim.name, cast.kim.networks) == ("renamed", ["203.0.113.7/32"])
    assert cast.kim.expires_at is not None
    assert '<option value="refuse" selected' in alice.get(f"/keys/{cast.kim.pk}/change/").content.decode()
    del values["unknown_fields"]  # a form without it leaves it as it is
    alice.post(f"/keys/{cast.kim.pk}/change/", {**values, "expires_in": "keep", "name": "again"})
    before = cast.kim.expires_at
    cast.kim.refresh_from_db()
    assert (cast.kim.expires_at, cast.kim.unknown_fields) == (before, "refuse")
    alice.post(f"/keys/{cast.kim.pk}/change/", {**values, "unknown_fields": ""})
    cast.kim.refresh_from_db()
    assert cast.kim.unknown_fields == ""


def test_it_offers_and_says_what_a_key_may_say_of_unknown_fields(cast: Cast, alice: Client, settings) -> None:
    ApiKey.objects.filter(pk=cast.kim.pk).update(unknown_fields="pass")
    settings.GATEWAY_UNKNOWN_FIELDS = "drop"
    page = alice.get("/keys/new/").content.decode()
    assert '<option value="pass"' not in page and '<option value="refuse"' in page
    assert "The installation default is: remove them. Only an operator can make a key less strict." in page
    page = alice.get(f"/keys/{cast.kim.pk}/").content.decode()
    assert "takes precedence: drop" in page
    cost = page.split("Usage and costs")[0].rpartition('href="')[2].partition('"')[0]
    assert cast.kim.name in alice.get(html.unescape(cost)).content.decode()
    assert '<option value="pass" selected' in alice.get(f"/keys/{cast.kim.pk}/change/").content.decode()
    refused = alice.post("/keys/new/", new(cast, unknown_fields="pass")).content.decode()
    assert not ApiKey.objects.filter(name="help-app").exists() and "Select a valid choice" in refused
    alice.force_login(cast.operator)
    assert '<option value="pass"' in alice.get("/keys/new/").content.decode()


def test_it_rotates_a_key(cast: Cast, alice: Client) -> None:
    response = alice.post(f"/keys/{cast.kim.pk}/rotate/", {"overlap": "24h"}, headers=HTMX)
    found = KEY.search(response.content.decode())
    assert found
    assert caller_for_key(found[0], "").key_id != cast.kim.pk
    assert caller_for_key(cast.kim_text, "").key_id == cast.kim.pk
    assert alice.post(f"/keys/{cast.kim.pk}/rotate/", {"overlap": "0"}).status_code == 422


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_it_revokes_a_key_after_asking(cast: Cast, alice: Client, headers: dict[str, str]) -> None:
    url = f"/keys/{cast.kim.pk}/revoke/"
    assert "This cannot be undone" in alice.get(url, headers=headers).content.decode()
    response = alice.post(url, headers=headers)
    assert response.status_code == (204 if headers else 302)
    assert log.last().action == "key.revoked"
    assert log.last().actor_id == cast.alice.pk
    assert alice.post(url, headers=headers).status_code == 422


def test_it_hands_over_a_key_whose_owner_left(cast: Cast, alice: Client) -> None:
    key, text = make.make_key(cast.team_a, "orphan", owner=cast.bob)
    membership = cast.team_a.memberships.get(user=cast.bob)
    asked = alice.get(f"/teams/team-a/members/{membership.pk}/remove/").content.decode()
    assert "orphan" in asked
    alice.post(f"/teams/team-a/members/{membership.pk}/remove/")
    assert "Bob is no longer in the team" in alice.get(f"/keys/{key.pk}/").content.decode()
    assert alice.get("/keys/?state=stopped").context["page"].rows[0].key == key
    alice.post(f"/keys/{key.pk}/hand-over/", {"owner": cast.alice.pk})
    assert caller_for_key(text, "").key_id == key.pk


def test_a_member_may_not(cast: Cast) -> None:
    client = client_of(cast.bob)
    for path in ("/keys/", "/keys/new/", f"/keys/{cast.kim.pk}/", f"/keys/{cast.kim.pk}/revoke/"):
        assert client.get(path).status_code == 403
        assert client.post(path).status_code in {403, 405}
    cast.kim.refresh_from_db()
    assert cast.kim.revoked_at is None
