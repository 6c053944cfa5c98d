"""A notice goes once to every channel that wants it, and by mail to those for whom no channel stands in."""

import json
import socketserver
import threading
from collections.abc import Iterator

import pytest
from django.core import mail

from console.core import signing
from console.core.clock import now
from console.notices.models import Channel, Delivery, Notice
from console.notices.sending import mail as mail_sending
from console.notices.services import People, channel_tests, channels, delivery, notify
from console.notices.services.delivery import send_due
from console.teams.actors import SYSTEM
from console.teams.models import Team
from tests.conftest import Cast
from tests.upstream import Upstream

pytestmark = pytest.mark.django_db
QUOTA = {"kind": "quota", "title": "Nearly <all> is used", "url": "/quotas/", "facts": {"percent": 80}}


def say(team: Team | None, key: str = "k", **more) -> bool:
    return notify(**{**QUOTA, "team": team, "text": "80 & more, @channel.", "key": key, **more})


def by(team: Team | None, kind: str, upstream: Upstream | None = None, **more) -> channels.SavedChannel:
    where = {"addresses": ["ops@example.com"]} if upstream is None else {"url": f"{upstream.url}/hook?token=t0psecret"}
    name = f"{kind} of {team}"
    return channels.create_channel(
        actor=SYSTEM, team=team, kind=kind, **{"name": name, "wants": ["quota"], **where, **more}
    )


def mailed() -> list[str]:
    found = sorted(address for one in mail.outbox for address in one.to)
    mail.outbox.clear()
    return found


def test_without_a_channel_owners_and_operators_are_mailed_once(cast: Cast) -> None:
    assert say(cast.team_a) and not say(cast.team_a)
    assert (send_due(), send_due()) == (2, 0)
    sent = mail.outbox[0]
    assert sent.subject == "Nearly <all> is used" and "http" in sent.body and "/quotas/" in sent.body
    assert sent.extra_headers["Message-ID"].startswith(f"<{Delivery.objects.get(address=sent.to[0]).pk}@")
    assert mailed() == ["alice@example.com", "olga@example.com"]
    assert say(None, "of the installation") and send_due() and mailed() == ["olga@example.com"]


def test_a_channel_stands_in_for_its_own_people_only(cast: Cast) -> None:
    by(cast.team_a, "email", addresses=["a@example.com", "b@example.com", "a@example.com"])
    by(cast.team_b, "email")
    by(None, "email", wants=["shutdown"])
    say(cast.team_a)
    send_due()
    assert mailed() == ["a@example.com", "b@example.com", "olga@example.com"]
    by(None, "email", name="all", addresses=["all@example.com"])
    say(cast.team_a, "two", people=People(of_team=["x@example.com"], always=["bob@example.com"]))
    send_due()
    assert mailed() == ["a@example.com", "all@example.com", "b@example.com", "bob@example.com"]
    Channel.objects.update(is_active=False)
    say(cast.team_a, "three")
    send_due()
    assert mailed() == ["alice@example.com", "olga@example.com"]


def test_a_webhook_is_signed_and_tells_programs_what_happened(cast: Cast, upstream: Upstream) -> None:
    made = by(cast.team_a, "webhook", upstream)
    assert "t0psecret" not in made.channel.url and made.channel.host == upstream.url.removesuffix("/v1")
    say(cast.team_a)
    upstream.enqueue({"ok": True})
    send_due()
    (seen,) = upstream.seen
    notice, delivery = Notice.objects.get(), Delivery.objects.get(way="channel")
    assert seen.path == "/v1/hook?token=t0psecret"
    assert json.loads(seen.raw) == {
        "id": str(notice.pk), "kind": "quota", "team": "team-a", "title": "Nearly <all> is used",
        "text": "80 & more, @channel.", "url": notice.url, "at": notice.created_at.isoformat(),
        "facts": {"percent": 80},
    }  # fmt: skip
    assert signing.check(made.secret, seen.raw, seen.headers, source="plain")
    assert seen.headers["webhook-id"] == seen.headers["idempotency-key"] == str(delivery.pk)
    at = int(seen.headers["webhook-timestamp"])
    again = signing.standard(made.secret, str(delivery.pk), seen.raw, at)
    assert again["Webhook-Signature"] == seen.headers["webhook-signature"]
    made.channel.refresh_from_db()
    assert delivery.state == "delivered" and made.channel.delivered_at and not made.channel.problem


def test_slack_gets_blocks_in_which_nothing_is_markup_and_nobody_is_woken(cast: Cast, upstream: Upstream) -> None:
    by(None, "slack", upstream)
    say(cast.team_a)
    say(cast.team_a, "long", text="[Sign in](https://evil.example)[1]: " + "&" * 5000)
    upstream.enqueue("ok")
    upstream.enqueue("ok")
    send_due()
    first, second = sorted((json.loads(seen.raw) for seen in upstream.seen), key=lambda body: len(body["text"]))
    assert first["text"].startswith("*Nearly &lt;all&gt; is used*\n80 &amp; more, @ channel.\n<http")
    assert first["blocks"][1]["text"] == {"type": "plain_text", "text": "80 &amp; more, @ channel.", "emoji": False}
    long = second["blocks"][1]["text"]["text"]
    assert "] (https" in long and "] :" in long, "no words lead elsewhere than they say"
    assert len(long) < 3000 and long.endswith("&amp;…")


def test_what_fails_is_tried_later_and_later_and_never_after_it_was_accepted(cast: Cast, upstream: Upstream) -> None:
    by(cast.team_a, "webhook", upstream)
    say(cast.team_a)
    Delivery.objects.filter(way="mail").delete()

    def attempt(**answer) -> tuple[Delivery, float]:
        upstream.enqueue("wait", **answer)
        Delivery.objects.filter(way="channel").update(next_try_at=now())
        started = now()
        assert send_due() == 1
        row = Delivery.objects.get(way="channel")
        return row, (row.next_try_at - started).total_seconds() if row.next_try_at else 0

    row, wait = attempt(status=503)
    assert 10 <= wait < 60 and row.problem == "It answered 503: wait"
    row, wait = attempt(status=429, extra="Retry-After: 900\r\n")
    assert 900 <= wait < 960 and row.attempts == 2
    row, _ = attempt()
    assert (row.state, row.problem, row.next_try_at) == ("delivered", "", None) and send_due() == 0
    assert len({seen.headers["idempotency-key"] for seen in upstream.seen}) == 1 and len(upstream.seen) == 3


def test_what_is_refused_for_good_is_mailed_instead(cast: Cast, upstream: Upstream, settings) -> None:
    made = by(cast.team_a, "slack", upstream)
    say(cast.team_a, people=People())
    upstream.enqueue("no_service", status=404)
    assert send_due() == 2, "the mail goes in the same round"
    made.channel.refresh_from_db()
    assert made.channel.problem == "It answered 404: no_service"
    (sent,) = mail.outbox
    assert sent.to == ["alice@example.com"]
    assert sent.body.startswith(f"This was for the channel {made.channel.name}, which did not take it. It answered 404")

    settings.PRIVATE_NETWORKS_ALLOWED_FOR_TOOLS = []
    say(cast.team_a, "two", people=People())
    send_due()
    refused = Delivery.objects.get(notice__key="two", way="channel")
    assert (refused.state, len(upstream.seen)) == ("failed", 1)
    assert refused.problem == "The server's address is not one this installation may call."
    assert "127.0.0.1" not in refused.problem


def test_one_that_cannot_be_written_holds_up_none(cast: Cast, upstream: Upstream, monkeypatch) -> None:
    by(cast.team_a, "slack", upstream)
    by(None, "email", addresses=["bad@example.com", "good@example.com"])
    say(cast.team_a)
    write = mail_sending._message

    def message(letter):
        if letter.address == "bad@example.com":
            raise AttributeError
        return write(letter)

    monkeypatch.setattr(mail_sending, "_message", message)
    upstream.enqueue("ok")
    assert send_due() == 3 and send_due() == 0 and len(upstream.seen) == 1
    assert [address for one in mail.outbox for address in one.to] == ["good@example.com"]
    bad = Delivery.objects.get(address="bad@example.com")
    assert (bad.state, bad.attempts, bad.problem) == ("waiting", 1, "Something broke on our side.")
    assert Delivery.objects.filter(state="delivered").count() == 2


class _Talk(socketserver.StreamRequestHandler):
    """A mail server that hangs up when it hears of one address, knows another not, and lets nobody sign in."""

    took: list[str] = []

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            if b"bad@" in line:
                return
            if b"nobody@" in line:
                self.wfile.write(b"550 no such user\r\n")
                continue
            if line.startswith(b"ehlo"):
                self.wfile.write(b"250-here\r\n250 AUTH PLAIN\r\n")
                continue
            if line.startswith(b"AUTH"):
                self.wfile.write(b"535 wrong\r\n")
                continue
            if line.startswith(b"rcpt"):
                self.took.append(line.decode().partition("<")[2].partition(">")[0])
            if line.startswith(b"data"):
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
            self.wfile.write(b"250 yes\r\n")


@pytest.fixture
def mail_server(settings) -> Iterator[list[str]]:
    """Have mail go to a server over a socket, and give whom it took letters to."""
    _Talk.took.clear()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Talk) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.server_address[:2]
        settings.EMAIL_USE_TLS = False
        yield _Talk.took
        server.shutdown()


def test_a_letter_the_server_hangs_up_on_takes_no_other_along(cast: Cast, mail_server: list[str]) -> None:
    by(None, "email", addresses=["bad@example.com", "b@example.com", "c@example.com"])
    say(None)
    assert send_due() == 3 and sorted(mail_server) == ["b@example.com", "c@example.com"]
    bad = Delivery.objects.exclude(state="delivered").get()
    assert (bad.address, bad.state, bad.problem) == ("bad@example.com", "waiting", "The mail server cannot be reached.")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"EMAIL_USE_TLS": True}, "The mail server does not offer what is set up for it, TLS or signing in."),
        ({"EMAIL_USE_SSL": True}, "TLS with the mail server failed."),
        (
            {"EMAIL_HOST_USER": "facet", "EMAIL_HOST_PASSWORD": "wrong"},
            "The mail server refused the user name or the password (535).",
        ),
        ({}, "nobody@example.com: The mail server does not take mail to this address."),
    ],
)
def test_a_mail_server_that_does_not_work_is_said_as_it_is(cast: Cast, mail_server, settings, changed, said) -> None:
    for name, value in changed.items():
        setattr(settings, name, value)
    channel = by(None, "email", addresses=["a@example.com", "nobody@example.com"]).channel
    assert channel_tests.try_channel(actor=SYSTEM, channel=channel).problem == said


def test_what_ends_its_workers_is_given_up_and_repeats_nothing(cast: Cast, upstream: Upstream, monkeypatch) -> None:
    by(cast.team_a, "slack", upstream)
    by(None, "email", addresses=["a@example.com", "b@example.com", "c@example.com"])
    say(cast.team_a)
    send, sent = mail_sending._send, []

    def dies(connection, letter):
        sent.append(letter.address)
        if len(sent) == 2:
            raise SystemExit
        return send(connection, letter)

    monkeypatch.setattr(mail_sending, "_send", dies)
    upstream.enqueue("ok")
    with pytest.raises(SystemExit):
        send_due()
    left = Delivery.objects.exclude(state="delivered")
    assert {row.address for row in left} == {"a@example.com", "b@example.com", "c@example.com"} - {sent[0]}
    assert {row.attempts for row in left} == {1} and send_due() == 0

    # Whoever is so slow that another may have taken them over meanwhile leaves the rest to it.
    monkeypatch.setattr(mail_sending, "_send", send)
    monkeypatch.setattr(delivery, "_LONGEST_MAIL", delivery._CLAIM * 2)
    left.update(next_try_at=now())
    assert send_due() == 2 and left.count() == 2 and len(mail.outbox) == 1
    left.update(next_try_at=now(), attempts=delivery.MOST_TRIES)
    assert send_due() == 0
    instead = left.get(state="waiting")
    assert instead.address == cast.operator.email and "no worker saw the end" in instead.instead_of
    assert set(left.exclude(pk=instead.pk).values_list("state", flat=True)) == {"failed"}


def test_it_gives_up_after_some_tries_and_sends_nothing_old(cast: Cast, upstream: Upstream) -> None:
    by(cast.team_a, "slack", upstream)
    say(cast.team_a, people=People())
    Delivery.objects.update(attempts=delivery.MOST_TRIES - 1)
    upstream.enqueue("", status=500)
    send_due()
    row = Delivery.objects.get(way="channel")
    assert row.state == "failed" and row.problem == "It answered 500. Given up after 12 tries."
    Delivery.objects.update(state="waiting", next_try_at=now() - delivery._TOO_OLD * 2, ended_at=None)
    assert send_due() == 0 and len(upstream.seen) == 1
    assert set(Delivery.objects.values_list("state", flat=True)) == {"failed"}
