"""How long a session lasts, and what ends it."""

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.core import mail
from django.test import Client
from django.urls import reverse

from console.teams import session_store
from console.teams.actors import SYSTEM
from console.teams.middleware import SEEN, STARTED
from console.teams.models import Role, User
from console.teams.services import people
from console.teams.services import teams as team_services
from console.teams.session_store import SessionStore
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.teams import log
from tests.teams.test_sign_in import add_totp, sign_in

pytestmark = pytest.mark.usefixtures("no_old_attempts")


def age(client: Client, **seconds: float) -> None:
    session = client.session
    for name, value in seconds.items():
        session[name] -= value
    session.save()


def is_over(client: Client) -> bool:
    return client.get("/teams/").status_code == 302


@pytest.mark.django_db
def test_it_is_kept_as_django_keeps_it() -> None:
    """Processes of the version before read and write the same sessions."""
    ours, theirs = SessionStore(), db.SessionStore()
    for one in (ours, theirs):
        one["said"] = "ä"
        one.save()
    key, other_key = str(ours.session_key), str(theirs.session_key)
    assert db.SessionStore(key)["said"] == SessionStore(other_key)["said"] == "ä"
    changed = SessionStore(other_key)
    changed["said"] = "more"
    changed.save()
    assert db.SessionStore(other_key)["said"] == "more" and db.SessionStore(key)["said"] == "ä"

    with pytest.raises(CreateError):
        SessionStore(key).save(must_create=True)
    ended = SessionStore(key)
    ended.set_expiry(-1)
    ended.save()
    for over in (
        *(SessionStore(key), SessionStore("no such key is there"), SessionStore(None)),
        SessionStore("\0 is in no key"),
    ):
        assert dict(over.items()) == {} and over.session_key is None
    ours.delete()
    with pytest.raises(UpdateError):
        ours.save()


@pytest.mark.django_db
def test_a_new_one_is_written_at_once_and_takes_nobodys_key(
    django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with django_assert_num_queries(1):
        (first := SessionStore()).create()
    keys = iter([str(first.session_key), "k" * 32])
    monkeypatch.setattr(session_store, "get_random_string", lambda *_: next(keys))
    (second := SessionStore()).create()
    assert second.session_key == "k" * 32 and SessionStore().exists(str(first.session_key))


def test_it_ends_when_nobody_used_it(alice: Client, settings: Any) -> None:
    age(alice, **{SEEN: settings.SESSION_IDLE_SECONDS - 60})
    assert not is_over(alice)
    age(alice, **{SEEN: settings.SESSION_IDLE_SECONDS + 60})
    assert is_over(alice)
    assert not UserSession.objects.get().exists()


def test_use_does_not_make_it_last_longer_than_its_limit(alice: Client, settings: Any) -> None:
    age(alice, **{STARTED: settings.SESSION_COOKIE_AGE - 60})
    assert not is_over(alice)
    age(alice, **{STARTED: 120})
    assert is_over(alice)


def test_it_starts_anew_at_the_next_sign_in(alice: Client, settings: Any) -> None:
    age(alice, **{STARTED: settings.SESSION_COOKIE_AGE + 60})
    is_over(alice)
    sign_in(alice, "alice@example.com")
    assert not is_over(alice)


def test_it_writes_once_a_minute_at_most(alice: Client, django_assert_num_queries: Any) -> None:
    alice.get("/teams/")
    before = alice.session[SEEN]
    alice.get("/teams/")
    assert alice.session[SEEN] == before
    age(alice, **{SEEN: 61})
    alice.get("/teams/")
    assert alice.session[SEEN] >= before


def test_a_person_ends_one_session_or_all_others_and_nobody_elses(cast: Cast, alice: Client) -> None:
    others, bob = [Client(), Client()], Client()
    for client, email in ((others[0], "alice@example.com"), (others[1], "alice@example.com"), (bob, "bob@example.com")):
        sign_in(client, email)
    rows = {client: UserSession.objects.get(session_key=client.session.session_key) for client in (alice, *others, bob)}

    def end(client: Client, session: UserSession) -> Any:
        return client.post(reverse("teams:end_session", args=[session.pk]))

    page = alice.get("/accounts/sessions/").content.decode()
    assert [reverse("teams:end_session", args=[rows[client].pk]) in page for client in (*others, alice, bob)] == [
        True,
        True,
        False,
        False,
    ]
    for client, session in ((alice, rows[bob]), (bob, rows[others[0]])):
        assert end(client, session).status_code == 404
    assert alice.get(reverse("teams:end_session", args=[rows[others[0]].pk])).status_code == 405
    assert end(Client(), rows[others[0]]).status_code == 302, "to sign in"
    assert not log.lines("session.closed") and not is_over(others[0]) and not is_over(bob)

    assert end(alice, rows[others[0]])["Location"] == "/accounts/sessions/"
    assert [is_over(client) for client in (*others, alice)] == [True, False, False]
    line = log.lines("session.closed")[0]
    assert (line.actor_id, line.target) == (cast.alice.pk, "alice@example.com") and "203.0.113.9" in line.detail
    assert end(alice, rows[others[0]]).status_code == 404

    assert alice.post("/accounts/sessions/").status_code == 302
    assert [is_over(client) for client in (others[1], alice, bob)] == [True, False, False]
    assert len(log.lines("session.closed")) == 2
    assert end(alice, rows[alice]).status_code == 302 and is_over(alice), "one's own session is signed out of"


def test_a_new_password_ends_the_other_sessions(cast: Cast, alice: Client) -> None:
    other = Client()
    sign_in(other, "alice@example.com")
    key = alice.session.session_key
    new = "a new and long password"
    alice.post("/accounts/password/change/", {"oldpassword": make.PASSWORD, "password1": new, "password2": new})
    assert log.lines("password.changed")
    assert not is_over(alice)
    assert alice.session.session_key != key
    assert is_over(other)
    assert UserSession.objects.filter(user=cast.alice).count() == 1


def reauthenticate(client: Client) -> None:
    client.post("/accounts/reauthenticate/", {"password": make.PASSWORD})


def test_a_changed_second_factor_ends_the_other_sessions(cast: Cast, alice: Client) -> None:
    add_totp(cast.alice)
    other = client_of(cast.alice)
    UserSession.objects.create(
        user=cast.alice, ip="203.0.113.1", session_key=other.session.session_key, user_agent="other"
    )
    reauthenticate(alice)
    key = alice.session.session_key
    assert alice.post("/accounts/2fa/totp/deactivate/").status_code == 302
    assert log.lines("two_factor.changed")
    assert not is_over(alice)
    assert alice.session.session_key != key
    assert is_over(other)


@pytest.mark.parametrize(
    "path", ["/accounts/2fa/totp/activate/", "/accounts/2fa/webauthn/add/", "/accounts/2fa/recovery-codes/generate/"]
)
def test_it_asks_again_before_second_factors_change(alice: Client, path: str) -> None:
    response = alice.get(path)
    assert response.status_code == 302
    assert "reauthenticate" in response["Location"]


def test_it_asks_again_before_the_address_changes(cast: Cast, alice: Client) -> None:
    response = alice.post("/accounts/email/", {"email": "new@example.com", "action_add": ""})
    assert "reauthenticate" in response["Location"]
    assert not EmailAddress.objects.filter(email="new@example.com").exists()


def test_whoever_confirms_an_address_reads_whose_account_gets_it(cast: Cast, alice: Client) -> None:
    """Else a colleague who presses what a mail asks for gives somebody else their mails and their single sign-on."""
    address = alice.post("/accounts/email/", {"email": "new@example.com", "action_add": ""})["Location"]
    alice.post(address, {"password": make.PASSWORD})
    assert "Alice (alice@example.com) wants to sign in with this address" in mail.outbox[-1].body
    [link] = re.findall(r"https?://[^/]+(/\S+)", mail.outbox[-1].body)
    assert "instead of alice@example.com" in Client().get(link).text
    Client().post(link)
    cast.alice.refresh_from_db()
    assert cast.alice.email == "new@example.com"
    assert re.search(r"When: \d+ \w+ \d{4}, [\d:]+ UTC", mail.outbox[-1].body)


def test_it_asks_again_before_a_first_password_is_set(cast: Cast, alice: Client) -> None:
    """Somebody with a passkey only: a borrowed browser must not become an account."""
    add_totp(cast.alice)
    User.objects.filter(pk=cast.alice.pk).update(password="!")
    client = Client()
    cast.alice.refresh_from_db()
    client.force_login(cast.alice)
    new = "a new and long password"
    response = client.post("/accounts/password/set/", {"password1": new, "password2": new}, follow=True)
    assert "reauthenticate" in response.redirect_chain[-1][0] and b"type the new password again" in response.content
    assert new not in str(dict(client.session)), "no password waits in a session"
    cast.alice.refresh_from_db()
    assert not cast.alice.has_usable_password()


def test_disabling_and_operator_rights_end_sessions(cast: Cast, alice: Client) -> None:
    people.set_operator(actor=SYSTEM, user=cast.alice, is_operator=True)
    assert is_over(alice)
    sign_in(alice, "alice@example.com")
    people.disable_person(actor=SYSTEM, user=cast.alice)
    assert is_over(alice)
    assert not UserSession.objects.filter(user=cast.alice).exists()


def test_a_role_counts_from_the_next_request(cast: Cast, alice: Client) -> None:
    assert alice.get("/teams/team-a/invite/").status_code == 200
    make.make_member(cast.team_a, cast.charlie, Role.OWNER)
    membership = cast.team_a.memberships.get(user=cast.alice)
    team_services.change_role(actor=SYSTEM, membership=membership, role=Role.MEMBER)
    assert alice.get("/teams/team-a/invite/").status_code == 403
    team_services.remove_member(actor=SYSTEM, membership=membership)
    assert alice.get("/teams/team-a/").status_code in {403, 404}


def test_a_team_can_require_two_factor(cast: Cast, alice: Client) -> None:
    team_services.change_team(actor=SYSTEM, team=cast.team_a, name="Team A", requires_two_factor=True)
    assert alice.get("/teams/")["Location"] == reverse("mfa_index")
    held = alice.get("/keys/", headers={"HX-Request": "true"})
    assert (held.status_code, held["HX-Redirect"]) == (204, reverse("mfa_index"))
    page = alice.get(reverse("mfa_index"))
    assert page.status_code == 200
    # Whether the session is still there, a page asks what is open to them, too: setting up an app takes a while.
    assert alice.get(page.text.partition('data-session="')[2].partition('"')[0]).status_code == 200
    add_totp(cast.alice)
    assert alice.get("/teams/").status_code == 200


def test_cookies_are_kept_from_scripts(cast: Cast, alice: Client, settings: Any) -> None:
    for name in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME):
        alice.get("/teams/")
        cookie = alice.cookies[name]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"


def test_every_write_needs_the_token(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.alice)
    for headers in ({}, {"HX-Request": "true"}):
        assert client.post("/teams/team-a/archive/", headers=headers).status_code == 403
    cast.team_a.refresh_from_db()
    assert cast.team_a.archived_at is None
