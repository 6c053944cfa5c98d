"""The pages of alerts: whose channels, who is told of what, a test with its real answer, and what did not arrive."""

import pytest
from django.core import mail

from console.audit.models import AuditEvent
from console.core.crypto import decrypt
from console.notices.models import Channel, Delivery
from console.notices.services import channel_tests
from console.teams.models import User
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.upstream import Upstream

pytestmark = pytest.mark.django_db
TEAM, INSTALLATION = "/teams/team-a/alerts/", "/settings/alerts/"


def test_an_empty_page_says_who_is_told_by_default(cast: Cast) -> None:
    said = client_of(cast.alice).get(TEAM).content.decode()
    assert "No channel yet" in said and "Mail to 1 owner" in said and "Mail to owners and approvers" in said
    assert "Model shutdowns" not in said
    said = client_of(cast.operator).get(INSTALLATION).content.decode()
    assert "Mail to 1 operator" in said and "Model shutdowns" in said
    assert TEAM in client_of(cast.alice).get("/teams/team-a/").content.decode()


def test_it_is_for_owners_and_operators(cast: Cast) -> None:
    theirs, ours = make.make_channel(cast.team_a), make.make_channel(None)
    delivery = make.make_delivery(ours)

    def tried(user: User, channel: Channel) -> list[int]:
        client = client_of(user)
        return [
            client.get(f"/alerts/{channel.pk}/").status_code,
            client.post(f"/alerts/{channel.pk}/enable/", {"enabled": "0"}).status_code,
        ]

    assert tried(cast.alice, theirs) == tried(cast.operator, theirs) == tried(cast.operator, ours) == [200, 302]
    assert tried(cast.alice, ours) == tried(cast.charlie, theirs) == [404, 404], "another's looks like none"
    assert tried(cast.bob, theirs) == [403, 403]
    assert client_of(cast.alice).get(INSTALLATION).status_code == 403
    assert client_of(cast.alice).post(f"/alerts/deliveries/{delivery.pk}/again/").status_code == 404
    assert client_of(cast.bob).get(TEAM).status_code == 403 and client_of(cast.charlie).get(TEAM).status_code == 404


def test_it_sets_up_changes_tries_and_deletes_a_channel(cast: Cast, upstream: Upstream) -> None:
    client, url = client_of(cast.alice), f"{upstream.url}/hook/t0psecret"
    form = {"name": "On duty", "url": url, "wants": ["quota", "drift"]}
    refused = client.post(f"{TEAM}new/?kind=webhook", {**form, "url": "ftp://x", "wants": ["shutdown"]})
    assert refused.status_code == 422
    shown = client.post(f"{TEAM}new/?kind=webhook", form)
    channel = Channel.objects.get()
    secret = decrypt(channel.secret)
    assert secret in shown.content.decode() and shown["Cache-Control"] == "no-store"
    page = f"/alerts/{channel.pk}/"
    assert channel.wants == ["quota", "drift"] and channel.team == cast.team_a

    again = client.post(f"{TEAM}new/?kind=webhook", form)
    assert again.status_code == 422 and "There is a channel" in again.content.decode()
    renamed = client.post(page, {"name": "Nightly <b>", "url": "", "wants": ["quota"]}, follow=True).content.decode()
    assert "Nightly &lt;b&gt;" in renamed and decrypt(Channel.objects.get().secret) == secret
    renewed = client.post(page, {"name": "Nightly", "url": url, "wants": ["quota"], "renew_secret": "on"})
    assert (renewed_secret := decrypt(Channel.objects.get().secret)) != secret
    assert renewed_secret in renewed.content.decode()
    moved = client.post(page, {"name": "Nightly", "url": url.replace("127.0.0.1", "localhost"), "wants": ["quota"]})
    assert decrypt(Channel.objects.get().secret) not in (secret, renewed_secret), "another host gets another secret"
    assert "Copy the secret now" in moved.content.decode()
    client.post(page, {"name": "Nightly", "url": url, "wants": ["quota"]})

    upstream.enqueue("no such room: /hook/t0psecret", status=404)
    assert "It answered 404: no such room: /hook/[address]" in client.post(f"{page}test/").content.decode()
    upstream.enqueue("welcome")
    tested = client.post(f"{page}test/", headers={"HX-Request": "true"}).content.decode()
    assert "It was accepted with 200" in tested and "welcome" in tested and "<html" not in tested
    assert upstream.seen[-1].body["kind"] == "test" and not Delivery.objects.exists()

    client.post(f"{page}enable/", {"enabled": "0"})
    assert "Switched off" in client.get(page).content.decode()
    assert "Delete Nightly?" in client.get(f"{page}delete/").content.decode()
    client.post(f"{page}delete/")
    assert not Channel.objects.exists()
    lines = AuditEvent.objects.filter(action__startswith="channel.").order_by("at", "id")
    assert [line.action.partition(".")[2] for line in lines] == [
        "created", "changed", "changed", "changed", "changed", "tested", "tested", "changed", "deleted",
    ]  # fmt: skip
    log = " ".join(line.detail for line in lines)
    assert "t0psecret" not in log and "whsec_" not in log and "On duty" in log
    pages = "".join(client.get(address).content.decode() for address in (TEAM, f"{TEAM}new/"))
    assert "t0psecret" not in pages and {line.team_id for line in lines} == {cast.team_a.pk}


def test_it_says_so_when_somebody_else_changed_the_channel(cast: Cast) -> None:
    channel, client = make.make_channel(cast.team_a, wants=["quota", "drift"]), client_of(cast.alice)
    page = f"/alerts/{channel.pk}/"
    seen = client.get(page).context["form"]["seen_revision"].value()
    fields = {"name": channel.name, "addresses": ", ".join(channel.addresses), "seen_revision": seen}
    client.post(f"{page}enable/", {"enabled": "0"})
    told = client.post(page, {**fields, "wants": ["quota", "drift", "approval"]})
    assert told.status_code == 409 and "now in “Alerts”; saving again" in told.text, "it was switched off meanwhile"
    fields["seen_revision"] = told.context["form"]["seen_revision"].value()
    assert client.post(page, {**fields, "wants": ["quota", "drift", "approval"]}).status_code == 302
    overtaken = client.post(page, {**fields, "name": "Typed", "wants": ["quota", "drift"]})
    assert overtaken.status_code == 409 and "Somebody changed" in overtaken.text and 'value="Typed"' in overtaken.text
    assert "now in “Name”, “Alerts”; saving again" in overtaken.text, "the addresses are the same"
    assert Channel.objects.get().wants == ["quota", "approval", "drift"]
    again = overtaken.context["form"]["seen_revision"].value()
    assert client.post(page, {**fields, "name": "Typed", "wants": ["quota"], "seen_revision": again}).status_code == 302
    assert (Channel.objects.get().name, Channel.objects.get().wants) == ("Typed", ["quota"])


def test_what_did_not_arrive_is_listed_and_tried_again(cast: Cast) -> None:
    channel = make.make_channel(cast.team_a, addresses=["a@example.com"])
    delivery = make.make_delivery(channel, address="a@example.com")
    client = client_of(cast.alice)
    assert "It answered 404." in client.get(TEAM).content.decode()
    assert "It answered 404." in client.get(f"/alerts/{channel.pk}/").content.decode()
    for elsewhere in ("https://evil.example/", "//evil.example/", "nowhere", "a\x00b"):
        sent = client.post(f"/alerts/deliveries/{delivery.pk}/again/", {"back": elsewhere})
        assert sent["Location"] == TEAM
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("waiting", 0) and delivery.next_try_at
    twice = client.post(f"/alerts/deliveries/{delivery.pk}/again/", {"back": TEAM}, follow=True)
    assert "has not failed" in twice.content.decode()
    assert client.post(f"/alerts/{channel.pk}/test/").status_code == 200 and mail.outbox[0].to == ["a@example.com"]


def test_a_team_sends_a_few_tests_a_minute_however_many_channels_it_has(cast: Cast, monkeypatch) -> None:
    monkeypatch.setattr(channel_tests, "_SECONDS", 3600)  # a slow machine may take a minute
    one, other = (make.make_channel(cast.team_a) for _ in range(2))
    client, operator = client_of(cast.alice), client_of(cast.operator)
    for channel in (one, one, other, one, other):
        assert client.post(f"/alerts/{channel.pk}/test/").status_code == 200
    refused = client.post(f"/alerts/{other.pk}/test/")
    assert (refused.status_code, refused["Retry-After"]) == (429, "3600") and "5 tests were sent" in refused.text
    assert operator.post(f"/alerts/{one.pk}/test/").status_code == 429
    assert operator.post(f"/alerts/{make.make_channel(None).pk}/test/").status_code == 200
    assert len(mail.outbox) == 6


def test_more_channels_take_no_more_queries(cast: Cast, django_assert_max_num_queries) -> None:
    client = client_of(cast.operator)
    for _ in range(3):
        make.make_delivery(make.make_channel(None), address="a@example.com")
    client.get(INSTALLATION)
    with django_assert_max_num_queries(16) as first:
        client.get(INSTALLATION)
    for _ in range(5):
        make.make_delivery(make.make_channel(None), address="a@example.com")
    with django_assert_max_num_queries(len(first)):
        client.get(INSTALLATION)
