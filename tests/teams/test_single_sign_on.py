"""Single sign-on, from the button to the session, against a provider that speaks OpenID Connect."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core import mail
from django.db import connections
from django.test import Client

from console.teams import refusals
from console.teams.actors import SYSTEM
from console.teams.models import User
from console.teams.services import invitations
from tests import make
from tests.conftest import Cast
from tests.teams import log
from tests.teams.identity_provider import IdentityProvider, of_app

ALICE = {"sub": "7", "email": "alice@example.com", "email_verified": True, "name": "Alice of the directory"}


@pytest.fixture(scope="module")
def _provider() -> Iterator[IdentityProvider]:
    provider = IdentityProvider().start()
    yield provider
    provider.stop()


@pytest.fixture
def provider(_provider: IdentityProvider, settings: Any, cast: Cast) -> IdentityProvider:
    settings.SOCIALACCOUNT_PROVIDERS = of_app(_provider.address)
    return _provider


def come_in(provider: IdentityProvider, person: dict[str, Any], *, then: str = "/audit/", **changed: str) -> Any:
    """Sign in as a browser does; return it and the last answer."""
    provider.person = person
    browser = Client()
    away = browser.post(f"/accounts/oidc/oidc/login/?next={then}")
    assert (away.status_code, away["Cache-Control"]) == (200, "no-store")
    back = provider.approve(away["Refresh"].removeprefix("0; url=")) | changed
    return browser, browser.get("/accounts/oidc/oidc/login/callback/", back)


def signed_in(browser: Client) -> User:
    return User.objects.get(pk=browser.session["_auth_user_id"])


def is_in(browser: Client) -> bool:
    return browser.get("/api/me/").status_code == 200


def test_the_sign_in_page_offers_it(provider):
    page = Client().get("/accounts/login/").content.decode()
    assert "Directory" in page and "/accounts/oidc/oidc/login/" in page


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_it_says_the_secret_of_the_client_as_the_settings_say(provider, cast, settings, method):
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    app["settings"] = app["settings"] | {"token_auth_method": method}
    browser, _ = come_in(provider, ALICE)
    assert signed_in(browser) == cast.alice


def test_people_come_back_to_the_address_that_is_registered(provider, cast, settings):
    settings.BASE_URL, settings.ALLOWED_HOSTS = "https://facet.example.com:8443", ["*"]
    away = Client().post("/accounts/oidc/oidc/login/", HTTP_HOST="facet.example.com")["Refresh"]
    [there] = parse_qs(urlsplit(away).query)["redirect_uri"]
    assert there == "https://facet.example.com:8443/accounts/oidc/oidc/login/callback/"


def test_it_needs_no_mail_server(provider, cast, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    browser, answer = come_in(provider, ALICE)
    assert answer.status_code == 302 and signed_in(browser) == cast.alice


def test_it_signs_in_the_account_of_a_verified_address(provider, cast):
    browser, answer = come_in(provider, ALICE)
    assert (answer.status_code, answer["Location"]) == (302, "/audit/")
    assert signed_in(browser) == cast.alice
    assert User.objects.filter(email="alice@example.com").count() == 1
    again, _ = come_in(provider, ALICE | {"email": "alice.new@example.com"})  # known by `sub` from now on
    assert signed_in(again) == cast.alice


def test_it_lets_in_the_invited_and_nobody_else(provider, cast):
    new = {"sub": "8", "email": "new@example.com", "email_verified": True, "name": "New"}
    browser, answer = come_in(provider, new)
    assert not is_in(browser) and "Accounts are by invitation" in answer.text and answer.status_code == 403
    line = log.last()
    assert (line.action, line.status, line.target) == ("session.refused", "refused", "new@example.com")
    assert line.reason == "single sign-on: no account, no invitation"
    assert not User.objects.filter(email="new@example.com").exists()
    _, token = invitations.invite(actor=SYSTEM, team=cast.team_a, email="new@example.com", role="builder")
    browser, answer = come_in(provider, new, then=f"/invitations/{token}/")
    assert is_in(browser)
    assert browser.get(answer["Location"])["Location"] == "/teams/team-a/"
    assert make.client_of(cast.bob).get(answer["Location"]).status_code == 404
    assert User.objects.get(email="new@example.com").memberships.get().role == "builder"


@pytest.mark.parametrize("claim", [False, "false", "no", 1, None])
def test_it_trusts_no_address_the_provider_did_not_verify(provider, cast, claim):
    browser, answer = come_in(provider, ALICE | {"email_verified": claim})
    assert not is_in(browser)
    assert answer.status_code == 403 and "Your address is not verified" in answer.text
    assert log.last().reason == "single sign-on: address not verified"


def test_an_address_in_letters_that_look_alike_is_another(provider, cast):
    make.make_user("kirk@example.com")
    assert not is_in(come_in(provider, ALICE | {"sub": "9", "email": "\N{KELVIN SIGN}irk@example.com"})[0])
    assert is_in(come_in(provider, ALICE | {"sub": "9", "email": "KIRK@example.com"})[0])


def test_a_provider_that_is_away_or_names_nobody_is_an_error_page(provider, monkeypatch, caplog):
    refusals.flush(everything=True)
    browser, answer = come_in(provider, {"email": "alice@example.com", "email_verified": True})  # without `sub`
    assert refusals.flush(everything=True) == 1 and log.last().reason == "single sign-on did not work"
    assert "Signing in did not work" in answer.content.decode() and not is_in(browser)
    assert "KeyError('sub')" in caplog.text
    come_in(provider, ALICE, code="of somebody else")
    assert "Single sign-on did not work" in caplog.text and "invalid_grant" in caplog.text
    Client().get("/accounts/oidc/oidc/login/callback/", {"error": "x", "error_description": "words of anybody"})
    assert "words of anybody" not in caplog.text
    monkeypatch.setattr(provider, "is_away", True)
    answer = Client().post("/accounts/oidc/oidc/login/")
    assert "Signing in did not work" in answer.content.decode()
    assert "503" in caplog.text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/.well-known/openid-configuration", []),
        ("/.well-known/openid-configuration", lambda: "[" * 100_000),
        ("/.well-known/openid-configuration", {"authorization_endpoint": "javascript:alert(1)"}),
        ("/.well-known/openid-configuration", {"authorization_endpoint": "http://[::1"}),
        ("/token", 7),
        ("/token", {"access_token": "access", "expires_in": "soon"}),
        ("/userinfo", "alice@example.com"),
        ("/userinfo", ALICE | {"email": 7}),
        ("/userinfo", ALICE | {"sub": ""}),
        ("/userinfo", ALICE | {"sub": "7" * 200}),
    ],
)
def test_a_provider_that_says_what_nobody_can_use_is_an_error_page(provider, monkeypatch, caplog, path, said):
    monkeypatch.setitem(provider.says, path, said)
    browser = Client()
    answer = browser.post("/accounts/oidc/oidc/login/")
    if answer.status_code == 200:
        provider.person = ALICE
        back = provider.approve(answer["Refresh"].removeprefix("0; url="))
        answer = browser.get("/accounts/oidc/oidc/login/callback/", back)
    assert answer.status_code == 401 and "Signing in did not work" in answer.text and not is_in(browser)
    assert "Single sign-on did not work" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_the_database_while_a_provider_is_slow(provider, monkeypatch):
    """Strangers make these requests: those that wait for a provider would hold every connection there is."""
    mine, held = connections["default"], []
    document = provider.get("/.well-known/openid-configuration", "")[1]

    def slowly() -> str:
        held.append(mine.connection)
        return json.dumps(document)

    monkeypatch.setitem(provider.says, "/.well-known/openid-configuration", slowly)
    assert "Refresh" in Client().post("/accounts/oidc/oidc/login/")
    assert held == [None]


def test_nobodys_link_says_what_the_provider_is_asked_for(provider):
    more = "auth_params=redirect_uri%3Dhttps%3A%2F%2Felsewhere.example&scope=offline_access"
    leave = Client().post(f"/accounts/oidc/oidc/login/?{more}")["Refresh"]
    assert "elsewhere" not in leave and "offline_access" not in leave


def test_whom_another_issuer_calls_by_the_same_id_is_somebody_else(provider, cast, monkeypatch):
    """Ids are unique within an issuer only, and some count from 1: the installation has moved to another one since."""
    bob = {"sub": "7", "email": "bob@example.com", "email_verified": True, "name": "Bob"}
    assert signed_in(come_in(provider, ALICE)[0]) == cast.alice
    document = provider.get("/.well-known/openid-configuration", "")[1] | {"issuer": "https://next.example"}
    monkeypatch.setitem(provider.says, "/.well-known/openid-configuration", document)
    monkeypatch.setattr(provider, "token_says", {"iss": "https://next.example"})
    assert signed_in(come_in(provider, bob)[0]) == cast.bob
    assert not cast.alice.socialaccount_set.exists()
    [ended] = [line for line in log.lines("user.changed") if line.reason == "another issuer"]
    assert ended.target_id == str(cast.alice.pk)
    assert signed_in(come_in(provider, bob | {"email": "bobby@example.com"})[0]) == cast.bob


def test_a_person_sees_what_is_connected_and_connects_or_removes_it(provider, cast, settings):
    browser = make.client_of(cast.alice)
    page = browser.get("/accounts/2fa/").text
    assert "Directory" in page and "Not connected" in page
    assert "Connect Directory" in browser.get("/accounts/3rdparty/").text
    provider.person = ALICE | {"email": "a@elsewhere.example"}
    away = browser.post("/accounts/oidc/oidc/login/?process=connect")["Refresh"].removeprefix("0; url=")
    asked = browser.get("/accounts/oidc/oidc/login/callback/", provider.approve(away))["Location"]
    assert not cast.alice.socialaccount_set.exists()
    browser.post(asked, {"password": make.PASSWORD})
    page = browser.get("/accounts/3rdparty/").text
    assert "a@elsewhere.example" in page and "Single sign-on is connected." in page
    known = cast.alice.socialaccount_set.get()
    assert signed_in(come_in(provider, provider.person)[0]) == cast.alice
    cast.alice.set_unusable_password()
    cast.alice.save()
    browser = come_in(provider, provider.person)[0]
    assert "It is your only way in" in browser.post("/accounts/3rdparty/", {"account": known.pk}).text
    settings.SOCIALACCOUNT_PROVIDERS = {}  # the operator turned it off
    assert "No single sign-on here" in browser.get("/accounts/3rdparty/").text


def test_addresses_a_provider_says_nothing_about_are_taken_for_verified_where_the_settings_say_so(
    provider, cast, settings
):
    silent = {"sub": "7", "email": "alice@example.com", "name": "Alice"}
    assert not is_in(come_in(provider, silent)[0])
    settings.OIDC_TRUST_EMAILS = True
    assert not is_in(come_in(provider, ALICE | {"email_verified": False})[0])
    provider.token_says = {"email_verified": False}
    assert not is_in(come_in(provider, silent)[0])
    provider.token_says = {}
    assert signed_in(come_in(provider, silent)[0]) == cast.alice


def test_it_goes_to_the_provider_itself_and_nowhere_the_provider_leads(provider, monkeypatch, settings, caplog, cast):
    """The client's secret and a person's code go along, so neither a proxy nor a redirect may get them."""
    other = IdentityProvider().start()
    try:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, other.address)
        assert is_in(come_in(provider, ALICE)[0])
        monkeypatch.setattr(provider, "leads_to", other.address)
        browser, answer = come_in(provider, ALICE)
        assert "Signing in did not work" in answer.content.decode() and not is_in(browser)
        assert other.asked == []
    finally:
        other.stop()
    settings.PRIVATE_NETWORKS_ALLOWED = []
    provider.asked.clear()
    assert "Signing in did not work" in Client().post("/accounts/oidc/oidc/login/").content.decode()
    assert provider.asked == [] and "PRIVATE_NETWORKS_ALLOWED" in caplog.text


def test_it_understands_providers_that_write_claims_as_text(provider, cast):
    assert is_in(come_in(provider, ALICE | {"email_verified": "true"})[0])


def test_an_address_somebody_only_asked_for_leads_to_nobody(provider, cast):
    """Who waits at a colleague's address gets neither the colleague's sign-in nor their mail."""
    EmailAddress.objects.create(user=cast.bob, email="new@example.com", verified=False)
    new = {"sub": "8", "email": "new@example.com", "email_verified": True, "name": "New"}
    assert not is_in(come_in(provider, new)[0])
    cast.bob.refresh_from_db()
    assert cast.bob.has_usable_password() and not cast.bob.socialaccount_set.exists()
    Client().post("/accounts/password/reset/", {"email": "new@example.com"})
    assert "no account" in mail.outbox[-1].body and "/key/" not in mail.outbox[-1].body
    invitations.invite(actor=SYSTEM, team=cast.team_a, email="new@example.com", role="member")
    assert signed_in(come_in(provider, new)[0]).email == "new@example.com"


def test_it_says_that_an_id_is_too_long(provider, cast, caplog):
    assert signed_in(come_in(provider, ALICE | {"sub": "7" * 191})[0]) == cast.alice
    browser, answer = come_in(provider, ALICE | {"sub": "7" * 192})
    assert "more than 191 letters" in answer.text and "more than 191 letters" in caplog.text and not is_in(browser)


def test_it_takes_no_code_of_another_browser_from_a_provider_without_pkce(provider, cast, monkeypatch):
    """Whoever got hold of a code that nobody used yet would come in as that person by a sign-in of their own."""
    monkeypatch.setattr(provider, "holds_codes_to_their_browser", False)
    provider.person = ALICE
    victim, thief = Client(), Client()
    theirs, own = (
        provider.approve(one.post("/accounts/oidc/oidc/login/")["Refresh"].removeprefix("0; url="))
        for one in (victim, thief)
    )
    answer = thief.get("/accounts/oidc/oidc/login/callback/", own | {"code": theirs["code"]})
    assert "a sign-in that this browser did not begin" in answer.text and not is_in(thief)
    # One browser may begin several, in tabs of their own.
    for _ in range(2):
        leave = victim.post("/accounts/oidc/oidc/login/")["Refresh"].removeprefix("0; url=")
    assert victim.get("/accounts/oidc/oidc/login/callback/", provider.approve(leave)).status_code == 302
    assert signed_in(victim) == cast.alice


@pytest.mark.parametrize(
    "token",
    [
        {"nonce": "of another"},
        {"nonce": None},
        {"nonce": []},
        {"sub": "8"},
        {"sub": None},
        {"aud": "another client"},
        {"iss": "https://elsewhere.example"},
        {"exp": 1},
    ],
)
def test_it_takes_no_token_of_somebody_or_something_else(provider, cast, token):
    provider.token_says = token
    try:
        browser, answer = come_in(provider, ALICE)
    finally:
        provider.token_says = {}
    assert answer.status_code == 401 and not is_in(browser)


def test_it_keeps_disabled_people_out(provider, cast):
    User.objects.filter(pk=cast.alice.pk).update(is_active=False)
    assert not is_in(come_in(provider, ALICE)[0])


def test_it_asks_for_the_second_factor_all_the_same(provider, cast):
    TOTP.activate(cast.alice, generate_totp_secret())
    browser, answer = come_in(provider, ALICE)
    assert "/2fa/authenticate/" in answer["Location"]
    assert not is_in(browser)


def test_it_answers_no_callback_it_did_not_ask_for(provider, cast):
    for changed in ({"state": "made-up"}, {"code": "made-up"}):
        browser, answer = come_in(provider, ALICE, **changed)
        assert answer.status_code < 500 and not is_in(browser)


def test_it_leads_to_no_other_host(provider, cast):
    browser, answer = come_in(provider, ALICE, then="https://elsewhere.example/")
    assert is_in(browser) and answer["Location"].startswith("/")
