"""Coming in with a passkey: what it was asked for, and once."""

import json
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.core.cache import cache
from django.test import Client

from console.core.clock import now
from console.teams.forms.passkeys import EditForm, LoginForm
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.teams import log, passkey
from tests.teams.passkey import Passkey
from tests.teams.test_sign_in import is_in, sign_in

LOGIN = "/accounts/2fa/webauthn/login/"


def ask(client: Client) -> str:
    """Return the challenge of the sign-in page, as its script fetches it."""
    options = client.get(LOGIN, headers={"x-requested-with": "XMLHttpRequest"}).json()["request_options"]
    assert options["publicKey"]["userVerification"] == "required"
    return str(options["publicKey"]["challenge"])


def challenge_in(client: Client) -> str:
    return str(client.session["mfa.webauthn.state"]["challenge"])


def test_a_passkey_stands_for_both_factors_only_when_it_asked_for_a_finger(cast: Cast) -> None:
    cache.clear()
    alices, bobs = Passkey(cast.alice), Passkey(cast.bob)
    client = Client()
    client.post(LOGIN, alices.answer(ask(client), is_verified=False))
    assert not is_in(client)
    assert "not known here any more" in client.get("/accounts/login/").text
    client.post(LOGIN, alices.answer(ask(client), is_verified=True))
    assert client.session["_auth_user_id"] == str(cast.alice.pk)

    # Bob found Alice's key. His own second factor asks for a touch only; its challenge outlives his sign-in.
    client = Client()
    client.get(sign_in(client, "bob@example.com")["Location"])
    session = client.session
    session["account_login"] = session["account_login"] | {"initiated_at": 0}
    session.save()
    client.post(LOGIN, alices.answer(challenge_in(client), is_verified=False))
    assert not is_in(client)
    client = Client()
    assert "passkey-button" in client.get(second := sign_in(client, "bob@example.com")["Location"]).text
    client.post(second, bobs.answer(challenge_in(client), is_verified=False))
    assert client.session["_auth_user_id"] == str(cast.bob.pk)


def test_codes_for_the_day_a_key_is_lost_come_after_the_key(cast: Cast) -> None:
    cache.clear()
    Passkey(cast.bob)
    RecoveryCodes.activate(cast.bob)
    client = Client()
    page = client.get(sign_in(client, "bob@example.com")["Location"]).text
    assert page.index("passkey-button") < page.index("Recovery code")

    # Whoever has no password confirms by what they have: the key, and of codes those of an app only.
    cast.bob.set_unusable_password()
    cast.bob.save()
    client.force_login(cast.bob)
    address = client.get("/accounts/2fa/webauthn/add/")["Location"]
    assert address.startswith("/accounts/2fa/webauthn/reauthenticate/")
    assert "Use a recovery code" in client.get(address).text
    assert "Recovery code" in client.get("/accounts/2fa/reauthenticate/").text
    TOTP.activate(cast.bob, "JBSWY3DPEHPK3PXP")
    address = client.get("/accounts/2fa/webauthn/add/")["Location"]
    assert address.startswith("/accounts/2fa/reauthenticate/")
    page = client.get(address).text
    assert "Use a passkey or security key" in page and "Recovery code" not in page


def test_it_is_renamed_and_nothing_else_comes_of_it(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    Passkey(cast.alice)
    Passkey(cast.bob)
    client = client_of(cast.alice)
    mine, bobs = (Authenticator.objects.get(user=user) for user in (cast.alice, cast.bob))
    address = f"/accounts/2fa/webauthn/keys/{mine.pk}/edit/"
    assert "/accounts/reauthenticate/" in client.post(address, {"name": "Laptop"})["Location"]
    client.post("/accounts/reauthenticate/", {"password": make.PASSWORD})
    assert client.post(f"/accounts/2fa/webauthn/keys/{bobs.pk}/edit/", {"name": "Mine"}).status_code == 404
    assert b"80 characters" in client.post(address, {"name": "x" * 81}).content
    Authenticator.objects.filter(pk=mine.pk).update(last_used_at=(used := now()))
    assert client.post(address, {"name": "Lap\u202etop"})["Location"] == "/accounts/2fa/webauthn/"
    mine.refresh_from_db()
    assert (mine.data["name"], mine.last_used_at, mine.data["credential"]) == (
        "Lap\u202etop",
        used,
        Authenticator.objects.get(pk=mine.pk).data["credential"],
    )
    [line] = log.lines("two_factor.changed")
    assert json.loads(line.detail) == {
        "renamed": "webauthn", "before": {"name": "Key"}, "after": {"name": "Lap\u202etop"}
    }  # fmt: skip
    for page in ("/accounts/2fa/webauthn/", f"/accounts/2fa/webauthn/keys/{mine.pk}/remove/"):
        assert "\u202e" not in client.get(page).content.decode()

    page = f"/accounts/2fa/webauthn/keys/{mine.pk}/remove/"
    assert "your password alone opens the account" in client.get(page).text

    # Removed in another window while it is renamed here: it is not made anew.
    valid = EditForm.is_valid

    def removed_meanwhile(form: Any) -> bool:
        Authenticator.objects.filter(pk=mine.pk).delete()
        return bool(valid(form))

    monkeypatch.setattr(EditForm, "is_valid", removed_meanwhile)
    assert client.post(address, {"name": "Phone"}).status_code == 404
    assert not Authenticator.objects.filter(user=cast.alice).exists()


def test_an_answer_counts_once_however_many_bring_it_at_the_same_moment(cast: Cast) -> None:
    cache.clear()
    key, first = Passkey(cast.alice), Client()
    answer = key.answer(ask(first), is_verified=True)
    # The second request began before the first had ended: its session holds the challenge still.
    asked: Any = first.session["mfa.webauthn.state"]
    second = Client()
    ask(second)
    session = second.session
    session["mfa.webauthn.state"] = asked
    session.save()
    first.post(LOGIN, answer)
    second.post(LOGIN, answer)
    assert is_in(first) and not is_in(second)


@pytest.mark.django_db(transaction=True)
def test_a_passkey_that_is_removed_while_it_signs_in_lets_nobody_in(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.clear()
    key, client, valid = Passkey(cast.alice), Client(), LoginForm.is_valid

    def removed_meanwhile(form: Any) -> bool:
        found = bool(valid(form))
        Authenticator.objects.filter(user=cast.alice).delete()
        return found

    answer = key.answer(ask(client), is_verified=True)
    monkeypatch.setattr(LoginForm, "is_valid", removed_meanwhile)
    assert client.post(LOGIN, answer).status_code == 404 and not is_in(client)


def test_an_answer_is_given_on_a_page_of_ours(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    key, client = Passkey(cast.alice), Client()
    for origin in ("https://evil.example", "https://testserver.evil.example", "http://testserver", "null"):
        monkeypatch.setattr(passkey, "_ORIGIN", origin)
        client.post(LOGIN, key.answer(ask(client), is_verified=True))
        assert not is_in(client), origin
    ask(client)
    deep = client.post(LOGIN, {"credential": "[" * 100_000})
    assert deep["Location"] == "/accounts/login/" and not is_in(client), "and not a 500 for anybody"
    monkeypatch.undo()
    client.post(LOGIN, key.answer(ask(client), is_verified=True))
    assert is_in(client)
