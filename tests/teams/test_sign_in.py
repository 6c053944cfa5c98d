"""Coming in: passwords, throttles, second factors, one-time links."""

import contextlib
import datetime as dt
import re
import socket
import threading
import time
from collections.abc import Iterator
from smtplib import SMTPRecipientsRefused
from types import SimpleNamespace
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core import mail
from django.test import Client
from django.urls import reverse

from console.core.clock import now
from console.core.errors import BadInput, NotFound
from console.teams.actors import SYSTEM, Actor
from console.teams.models import SignInLink, User
from console.teams.services import people
from console.teams.services.sign_in import make_sign_in_link, use_sign_in_link
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.teams import log

pytestmark = pytest.mark.usefixtures("no_old_attempts")
LOGIN = "/accounts/login/"


def sign_in(
    client: Client, email: str, password: str = make.PASSWORD, address: str = "203.0.113.9", **extra: Any
) -> Any:
    return client.post(LOGIN, {"login": email, "password": password, **extra}, REMOTE_ADDR=address)


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def add_totp(user: User) -> str:
    secret = "JBSWY3DPEHPK3PXP"
    TOTP.activate(user, secret)
    return secret


def code_of(secret: str, steps: int = 0) -> str:
    """Return the code of this half minute, or of one so many later. It is good for another half minute."""
    [_, present, _] = yield_hotp_counters_from_time()
    return format_hotp_value(hotp_value(secret, present + steps))


# Passwords --------------------------------------------------------------------------------


def test_it_signs_in_and_tells_the_log(cast: Cast) -> None:
    client = Client()
    response = sign_in(client, "Alice@Example.com")
    assert (response.status_code, response["Location"]) == (302, "/")
    assert is_in(client)
    line = log.last()
    assert (line.action, line.status, line.actor_id) == ("session.started", "ok", cast.alice.pk)
    assert line.client_address == "203.0.113.9"
    assert "password" in line.detail


def test_it_keeps_passwords_by_a_hash_that_costs_effort() -> None:
    """The tests themselves use a cheap one; this is what runs."""
    from django.contrib.auth.hashers import Argon2PasswordHasher

    from console import settings as real

    assert real.PASSWORD_HASHERS[0] == "django.contrib.auth.hashers.Argon2PasswordHasher"
    assert Argon2PasswordHasher.memory_cost >= 19 * 1024 and Argon2PasswordHasher.time_cost >= 2


def test_it_gives_the_session_a_new_id(cast: Cast) -> None:
    client = Client()
    assert client.get(LOGIN).text.count(" autofocus") == 1  # a page that asks for one thing begins with it
    session = client.session
    session["before"] = True
    session.save()
    old = session.session_key
    client.cookies["sessionid"] = old
    sign_in(client, "alice@example.com")
    assert client.session.session_key != old
    client.post("/accounts/logout/")
    assert not is_in(client)
    assert log.last().action == "session.ended"


def test_it_says_the_same_about_unknown_accounts(cast: Cast) -> None:
    said = set()
    for email, reason in (("alice@example.com", "wrong password"), ("no@example.com", "no such account")):
        response = sign_in(Client(), email, "wrong")
        said.add(response.context["form"].errors.as_text())
        assert 'role="alert"' in response.text and "Write it again" not in response.text, email
        line = log.last()
        assert (line.action, line.status, line.reason) == ("session.refused", "refused", reason)
        assert 'wrong"' not in line.detail
    assert len(said) == 1 and "is not right" in said.pop()


def test_it_refuses_the_disabled(cast: Cast) -> None:
    people.disable_person(actor=SYSTEM, user=cast.bob)
    client = Client()
    sign_in(client, "bob@example.com")
    assert not is_in(client)
    assert (log.last().action, log.last().reason) == ("session.refused", "the account is disabled")


@pytest.mark.parametrize(
    "target",
    [
        *("https://evil.example/", "//evil.example/", "https:evil.example", "javascript:alert(1)"),
        *("http://localhost/", "//127.0.0.1/", "https://[::1]/"),  # the console's too, of whoever opens the link
    ],
)
def test_it_stays_on_this_host(cast: Cast, target: str) -> None:
    response = sign_in(Client(), "alice@example.com", next=target)
    assert response["Location"] == "/"


def test_nobody_signs_up_alone(cast: Cast) -> None:
    client = Client()
    assert client.get("/accounts/signup/").status_code == 200
    client.post(
        "/accounts/signup/", {"email": "me@example.com", "password1": make.PASSWORD, "password2": make.PASSWORD}
    )
    assert not User.objects.filter(email="me@example.com").exists()


# Throttles --------------------------------------------------------------------------------


def test_it_throttles_an_account_from_one_network(cast: Cast) -> None:
    for _ in range(5):
        sign_in(Client(), "alice@example.com", "wrong")
    client = Client()
    response = sign_in(client, "alice@example.com")
    assert not is_in(client)
    assert "Too many attempts" in response.context["form"].errors.as_text()


def test_a_stranger_elsewhere_locks_nobody_out(cast: Cast) -> None:
    for _ in range(8):
        sign_in(Client(), "alice@example.com", "wrong", address="198.51.100.1")
    client = Client()
    sign_in(client, "alice@example.com", address="203.0.113.9")
    assert is_in(client)


def test_many_networks_share_one_allowance_that_known_browsers_do_not_need(cast: Cast, settings: Any) -> None:
    settings.SIGN_IN_STRANGERS_RATE = "3/h/key"
    known = Client()
    sign_in(known, "alice@example.com")
    known.post("/accounts/logout/")
    for number in range(3):
        sign_in(Client(), "alice@example.com", "wrong", address=f"198.51.100.{number}")
    stranger = Client()
    sign_in(stranger, "alice@example.com", address="192.0.2.1")
    assert not is_in(stranger)
    sign_in(known, "alice@example.com", address="192.0.2.2")
    assert is_in(known)


def test_success_uses_up_no_allowance(cast: Cast) -> None:
    for _ in range(8):
        client = Client()
        sign_in(client, "alice@example.com")
        assert is_in(client)


# Second factors --------------------------------------------------------------------------------


def test_it_asks_for_the_second_factor_once_per_code(
    cast: Cast, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = time.time()
    monkeypatch.setattr(totp, "time", SimpleNamespace(time=lambda: stopped))
    secret = add_totp(cast.alice)
    assert secret not in str(Authenticator.objects.get(user=cast.alice).data), "whoever has a backup makes no codes"
    client, code = Client(), code_of(secret)
    response = sign_in(client, "alice@example.com")
    assert response["Location"].startswith("/accounts/2fa/authenticate/")
    assert not is_in(client)
    wrong = client.post(response["Location"], {"code": "000000"})
    assert "Second step" in wrong.text and "passkey" not in wrong.text, "there is none to use"
    assert (log.last().action, log.last().reason) == ("session.refused", "wrong code (totp)")
    client.post(response["Location"], {"code": code_of(secret, -2)})
    assert not is_in(client)
    client.post(response["Location"], {"code": code})
    assert is_in(client)
    late, before = Client(), code_of(secret, -1)
    late.post(sign_in(late, "alice@example.com")["Location"], {"code": before})
    assert is_in(late), "it ended while it was typed"
    again = Client()
    again.post(sign_in(again, "alice@example.com")["Location"], {"code": before})
    assert not is_in(again)
    response = sign_in(again, "alice@example.com")
    again.post(response["Location"], {"code": code})
    assert not is_in(again)
    settings.ENCRYPTION_KEYS = ["another, which reads nothing of it"]
    assert again.post(response["Location"], {"code": code}).status_code == 503 and not is_in(again)


@pytest.mark.parametrize("way", ["link", "reset"])
def test_no_way_around_the_second_factor(cast: Cast, way: str) -> None:
    add_totp(cast.alice)
    client = Client()
    if way == "link":
        _, token = make_sign_in_link(actor=SYSTEM, user=cast.alice)
        response = client.post(reverse("teams:sign_in_link", args=[token]))
        assert response["Location"].startswith("/accounts/2fa/authenticate/")
    else:
        url = reset_url(client, "alice@example.com")
        page = client.get(url, follow=True)
        client.post(
            page.request["PATH_INFO"], {"password1": "another long password", "password2": "another long password"}
        )
        cast.alice.refresh_from_db()
        assert cast.alice.check_password("another long password")
    assert not is_in(client)


# Reset --------------------------------------------------------------------------------


def reset_url(client: Client, email: str) -> str:
    mail.outbox.clear()
    client.post("/accounts/password/reset/", {"email": email})
    found = re.search(r"https?://[^/\s]+(/accounts/password/reset/key/\S+)", str(mail.outbox[0].body))
    assert found
    return found[1]


def test_a_reset_ends_every_session_and_works_once(cast: Cast) -> None:
    open_session, client = Client(), Client()
    sign_in(open_session, "alice@example.com")
    url = reset_url(client, "alice@example.com")
    page = client.get(url, follow=True)
    assert url.rstrip("/").rsplit("-", 1)[1] not in page.request["PATH_INFO"]
    passwords = {"password1": "another long password", "password2": "another long password"}
    client.post(page.request["PATH_INFO"], passwords)
    assert log.lines("password.changed")
    assert open_session.get("/teams/").status_code == 302
    later = Client().get(url, follow=True)
    assert later.context.get("token_fail")


def test_it_answers_a_reset_for_nobody_the_same(cast: Cast) -> None:
    one = Client().post("/accounts/password/reset/", {"email": "alice@example.com"})
    other = Client().post("/accounts/password/reset/", {"email": "nobody@example.com"})
    assert (one.status_code, one["Location"]) == (other.status_code, other["Location"])
    assert len(mail.outbox) == 2


def test_mails_lead_home_whatever_host_the_request_named(cast: Cast, settings: Any) -> None:
    settings.BASE_URL, settings.INSTALLATION_NAME = "https://facet.example.com", "Facet of Example"
    for host in ("localhost", "127.0.0.1:1", "testserver:8080"):
        mail.outbox.clear()
        Client().post("/accounts/password/reset/", {"email": "alice@example.com"}, headers={"host": host})
        body = str(mail.outbox[0].body)
        assert "https://facet.example.com/accounts/password/reset/key/" in body and host not in body
        assert body.rstrip().endswith("Facet of Example")
    client = Client()
    sign_in(client, "alice@example.com")
    client.post("/accounts/reauthenticate/", {"password": make.PASSWORD}, REMOTE_ADDR="203.0.113.9")
    mail.outbox.clear()
    client.post("/accounts/email/", {"email": "alice.new@example.com", "action_add": ""}, headers={"host": "localhost"})
    sent = next(letter for letter in mail.outbox if letter.to == ["alice.new@example.com"])
    assert "https://facet.example.com/accounts/confirm-email/" in sent.body and "localhost" not in sent.body


# One-time links --------------------------------------------------------------------------------


def test_looking_at_a_link_changes_nothing(cast: Cast) -> None:
    _, token = make_sign_in_link(actor=SYSTEM, user=cast.bob)
    client, url = Client(), reverse("teams:sign_in_link", args=[token])
    for _ in range(2):
        response = client.get(url)
        assert response.status_code == 200
        assert response["Cache-Control"] == "no-store"
        assert response["Referrer-Policy"] == "strict-origin"
    assert not is_in(client)
    assert SignInLink.objects.get().used_at is None


def test_a_link_signs_in_once(cast: Cast) -> None:
    _, token = make_sign_in_link(actor=SYSTEM, user=cast.bob)
    client, url = Client(), reverse("teams:sign_in_link", args=[token])
    assert client.post(url)["Location"] == "/"
    assert client.session["_auth_user_id"] == str(cast.bob.pk)
    assert "sign_in_link" in log.lines("session.started")[-1].detail
    second = Client()
    for response in (second.get(url), second.post(url)):
        assert response.status_code == 404
    assert not is_in(second)
    assert token not in str([vars(line) for line in log.lines()])


def test_a_link_replaces_whoever_was_signed_in(cast: Cast) -> None:
    client = Client()
    sign_in(client, "alice@example.com")
    _, token = make_sign_in_link(actor=SYSTEM, user=cast.bob)
    client.post(reverse("teams:sign_in_link", args=[token]))
    assert client.session["_auth_user_id"] == str(cast.bob.pk)


def test_a_link_suggests_a_password_to_somebody_without(db: None) -> None:
    user = people.create_person(actor=SYSTEM, email="new@example.com", is_operator=True)
    _, token = make_sign_in_link(actor=SYSTEM, user=user)
    client = Client()
    response = client.post(reverse("teams:sign_in_link", args=[token]), follow=True)
    assert response.request["PATH_INFO"] == "/sign-in/secure/"
    assert b"Set a password" in response.content
    assert client.get("/accounts/password/set/").status_code == 200
    add_totp(user)
    page = client.get("/accounts/2fa/totp/deactivate/").text
    assert "You have no password here" in page and "your password alone" not in page
    _, token = make_sign_in_link(actor=SYSTEM, user=user)
    client.post(reverse("teams:sign_in_link", args=[token]))
    client.post("/accounts/2fa/authenticate/", {"code": code_of("JBSWY3DPEHPK3PXP")})
    assert is_in(client)
    assert "/accounts/2fa/reauthenticate/" in client.get("/accounts/password/set/")["Location"]


def test_a_session_without_password_confirms_by_a_mailed_code(cast: Cast) -> None:
    """Who comes by single sign-on has neither password nor second factor here; a borrowed browser gives them none."""
    cast.bob.set_unusable_password()
    cast.bob.save()
    client = client_of(cast.bob)
    asked = client.get("/accounts/password/set/")["Location"]
    assert asked == "/accounts/reauthenticate/code/?next=%2Faccounts%2Fpassword%2Fset%2F"
    assert "/accounts/reauthenticate/code/" in client.get("/accounts/2fa/totp/activate/")["Location"]
    page = client.get(asked).content.decode()
    assert 'name="recipient" value="bob@example.com"' in page and not mail.outbox
    stranger = client.post(asked, {"recipient": "alice@example.com"})
    assert stranger.status_code == 200 and not mail.outbox
    confirm = client.post(asked, {"recipient": "bob@example.com"})["Location"]
    (letter,) = mail.outbox
    assert (letter.to, letter.subject) == (["bob@example.com"], "[Facet] Your code to confirm it is you")
    code = re.search(r"minutes:\n\n(\S+)\n", str(letter.body))
    assert code is not None
    wrong = client.post(confirm, {"code": "AAAA-AAAA"})
    assert wrong.status_code == 200 and "bob@example.com" in wrong.content.decode()
    assert (log.last().action, log.last().status) == ("session.refused", "refused")
    assert client.get("/accounts/password/set/").status_code == 302
    assert client.post(confirm, {"code": code[1]})["Location"] == "/accounts/password/set/"
    assert client.get("/accounts/password/set/").status_code == 200


def test_pages_that_say_a_mail_is_on_its_way_say_where_it_is_when_nobody_sends_it(client, settings) -> None:
    page = client.get("/accounts/password/reset/done/").text
    assert "No mail server is set up here" in page and "<code>mail</code>" in page
    settings.EMAIL_HOST = "mail.example.com"
    assert "No mail server" not in client.get("/accounts/password/reset/done/").text


@pytest.fixture(params=["away", "silent", "refuses"])
def mail_server(request, settings) -> Iterator[str]:
    """Have mail go to a server that takes none."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_USE_TLS, settings.EMAIL_TIMEOUT = False, 0.2
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.getsockname()
        if request.param == "away":
            server.close()
        elif request.param == "refuses":
            threading.Thread(target=_refuse, args=[server], daemon=True).start()
        yield request.param


def _refuse(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            talk, _ = server.accept()
            talk.sendall(b"554 not now\r\n")
            talk.close()


def test_a_mail_server_that_is_away_holds_up_and_breaks_nothing(cast: Cast, mail_server: str, caplog) -> None:
    stranger = Client()
    for address in ("alice@example.com", "nobody@example.com"):
        page = stranger.post("/accounts/password/reset/", {"email": address})
        assert page.status_code == 503 and "The mail could not be sent" in page.text
    client = Client()
    sign_in(client, "alice@example.com")
    changed = {"oldpassword": make.PASSWORD, "password1": "another-long-one-7", "password2": "another-long-one-7"}
    assert client.post("/accounts/password/change/", changed).status_code == 302
    assert User.objects.get(pk=cast.alice.pk).check_password("another-long-one-7")
    assert caplog.text.count("A mail was not sent") == 3


def test_an_address_the_mail_server_does_not_know_is_answered_as_any(cast: Cast, monkeypatch) -> None:
    """Which addresses there are is not a stranger's business, neither the console's nor the mail server's."""

    def send(self: object, messages: list[Any]) -> int:
        raise SMTPRecipientsRefused(dict.fromkeys(messages[0].to, (550, b"no such user")))

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", send)
    for address in ("alice@example.com", "nobody@example.com"):
        assert Client().post("/accounts/password/reset/", {"email": address}).status_code == 302


def test_a_mailed_code_is_no_way_around_a_password(cast: Cast) -> None:
    client = Client()
    sign_in(client, "alice@example.com")
    assert client.post("/accounts/reauthenticate/code/", {"recipient": "alice@example.com"})["Location"] == (
        "/accounts/reauthenticate/"
    )
    assert not mail.outbox
    assert b"code/" not in client.get("/accounts/reauthenticate/").content


def test_a_link_gets_too_old_and_serves_no_disabled_person(cast: Cast) -> None:
    link, token = make_sign_in_link(actor=SYSTEM, user=cast.bob)
    SignInLink.objects.update(expires_at=now() - dt.timedelta(seconds=1))
    with pytest.raises(NotFound):
        use_sign_in_link(token=token)
    _, token = make_sign_in_link(actor=SYSTEM, user=cast.bob)
    people.disable_person(actor=SYSTEM, user=cast.bob)
    with pytest.raises(NotFound):
        use_sign_in_link(token=token)
    with pytest.raises(BadInput):
        make_sign_in_link(actor=SYSTEM, user=cast.bob)


def test_the_person_is_told_of_a_link_somebody_else_made(cast: Cast, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        make_sign_in_link(actor=Actor("user", cast.operator.pk, "Olga"), user=cast.bob)
        make_sign_in_link(actor=SYSTEM, user=cast.bob)
    assert [message.to for message in mail.outbox] == [["bob@example.com"]]


def test_links_keep_only_a_digest(cast: Cast) -> None:
    link, token = make_sign_in_link(actor=SYSTEM, user=cast.bob)
    assert token.encode() not in bytes(link.token_digest)
    assert not Authenticator.objects.exists()
