"""The result of a queue item goes to the address its sender named: signed, again when it is refused, not for ever."""

import datetime as dt
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module

import pytest
from django.apps import apps

from agents_app import tasks
from agents_app.models import QueueItem
from agents_app.services import callbacks, queues
from agents_app.services.callbacks import MOST_TRIES, call_back_due
from console.core import signing
from console.core.clock import now
from console.core.errors import BadInput
from console.gateway import sync
from console.teams.callers import SYSTEM
from tests import make
from tests.agents.conftest import signed_in  # noqa: F401
from tests.waiting import until


@pytest.fixture
def queue(cast, upstream):
    made = make.make_queue(cast.team_a, "tickets", callback_addresses=[upstream.url])
    secret = queues.renew_queue_secret(actor=make.actor_for(cast.alice), queue=made)
    made.refresh_from_db()
    yield made, secret
    sync.stop()


def ended(queue, upstream, **ending) -> QueueItem:
    item, _ = queues.put(queue=queue, body="work", put_by_name="kim", callback_url=f"{upstream.url}/results")
    taken = queues.take(queue=queue)
    queues.finish(queue=queue, item_id=item.pk, receipt=taken.receipt, **ending)
    item.refresh_from_db()
    return item


def test_a_result_is_sent_once_and_signed_with_the_queues_secret(queue, upstream):
    made, secret = queue
    waiting, _ = queues.put(queue=made, body="later", put_by_name="kim", callback_url=f"{upstream.url}/results")
    queues.park(actor=SYSTEM, item=waiting)
    item = ended(made, upstream, result={"text": "Yes."})
    run = make.make_run(make.make_agent(made.team), make.make_member(made.team, make.make_user("ada@example.com")))
    QueueItem.objects.filter(pk=item.pk).update(run=run)
    quiet, _ = queues.put(queue=made, body="nobody asks", put_by_name="kim")
    queues.park(actor=SYSTEM, item=quiet)
    upstream.enqueue({})
    upstream.enqueue({})
    assert (call_back_due(), call_back_due()) == (2, 0)
    said = {seen.body["id"]: seen for seen in upstream.seen}
    seen = said[f"item_{item.pk.hex}"]
    assert (seen.body["queue"], seen.body["status"], seen.body["result"]) == ("tickets", "done", {"text": "Yes."})
    assert said[f"item_{waiting.pk.hex}"].body["status"] == "parked"
    assert seen.headers["x-facet-run"] == run.public_id, "so that what it starts here is counted as nested"
    raw = json.dumps(seen.body, ensure_ascii=False).encode()
    assert signing.check(secret, raw, {"x-facet-signature": seen.headers["x-facet-signature"]}, source="plain")
    item.refresh_from_db()
    assert item.called_back_at and item.call_back_at is None and item.callback_trouble == ""


def test_a_hanging_address_keeps_others_waiting_for_nothing(queue, cast, upstream, monkeypatch):
    monkeypatch.setattr(callbacks, "_SECONDS", 3.0)

    class Hanging(BaseHTTPRequestHandler):
        """Answers once the other team has its result."""

        def do_POST(self) -> None:
            until(lambda: bool(upstream.seen), "the other team's result has come")
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    hanging = ThreadingHTTPServer(("127.0.0.1", 0), Hanging)
    threading.Thread(target=hanging.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{hanging.server_address[1]}"
    slow = make.make_queue(cast.team_b, "slow", callback_addresses=[address])
    queues.renew_queue_secret(actor=SYSTEM, queue=slow)
    many = [
        QueueItem(queue=slow, body=n, put_by_name="kim", state="done", callback_url=address, call_back_at=now())
        for n in range(50)
    ]
    QueueItem.objects.bulk_create(many)
    other = ended(queue[0], upstream, result={"text": "Yes."})
    upstream.enqueue({})
    assert call_back_due() == 51
    hanging.shutdown()
    hanging.server_close()
    other.refresh_from_db()
    assert other.called_back_at
    assert set(QueueItem.objects.values_list("callback_trouble", "callbacks")) == {("", 1)}


def test_an_address_that_refuses_is_tried_again_and_given_up_in_the_end(queue, upstream):
    made, _ = queue
    item = ended(made, upstream, trouble="It broke.")
    upstream.enqueue({}, status=500)
    assert call_back_due() == 1
    item.refresh_from_db()
    assert item.called_back_at is None and item.call_back_at > now() and "500" in item.callback_trouble
    QueueItem.objects.update(call_back_at=now(), callbacks=MOST_TRIES - 1)
    upstream.enqueue({}, status=500)
    assert (call_back_due(), call_back_due()) == (1, 0)
    item.refresh_from_db()
    assert item.call_back_at is None and "Given up after 12 times." in item.callback_trouble
    queues.requeue(actor=SYSTEM, item=item)
    item.refresh_from_db()
    assert (item.callbacks, item.callback_trouble) == (0, ""), "what begins anew is told anew"


def test_an_address_is_one_this_installation_may_call_of_a_queue_that_signs(queue, cast, settings):
    made, _ = queue
    settings.PRIVATE_NETWORKS_ALLOWED_FOR_TOOLS = []
    silent = make.make_queue(cast.team_a, "silent")
    for of, url, said in (
        (made, "http://169.254.169.254/latest", "private"),
        (made, "ftp://shop.example.com/", "https"),
        (made, "https://user:pw@shop.example.com/", "password"),
        (silent, "https://shop.example.com/results", "secret"),
    ):
        with pytest.raises(BadInput, match=said) as refused:
            queues.put(queue=of, body=1, put_by_name="kim", callback_url=url)
        assert refused.value.param == "callback_url"
    assert not QueueItem.objects.exists()


def test_a_result_goes_where_a_builder_of_the_queue_sends_them_and_nowhere_else(queue, upstream, settings, monkeypatch):
    made, _ = queue
    actor, site = SYSTEM, upstream.url
    named = ["http://10.9.8.7", "https://shop.example.com/facet", "https://Other.example.com/", site]
    before = settings.PRIVATE_NETWORKS_ALLOWED_FOR_TOOLS
    settings.PRIVATE_NETWORKS_ALLOWED_FOR_TOOLS = [*before, "10.9.8.0/24"]
    queues.change_queue(actor=actor, queue=made, callback_addresses=[*named, site, " "])
    settings.PRIVATE_NETWORKS_ALLOWED_FOR_TOOLS = before  # what is not allowed any more closes no other
    made.refresh_from_db()
    assert made.callback_addresses == named
    for url in (
        "https://evil.example.com/facet",
        "http://shop.example.com/facet",
        "https://shop.example.com:8443/facet",
        "https://shop.example.com.evil.example/facet",
        "https://shop.example.com/facets",
        "https://shop.example.com/",
        "https://shop.example.com/facet/../keys",
        "https://shop.example.com/facet/%2e%2e/keys",
        "https://shop.example.com/facet/..%2Fkeys",
        "https://shop.example.com/facet/%2e%2e%5ckeys",
        "https://shop.example.com/facet/%252e%252e/keys",
        "https://shop.example.com/facet/..;x=1/keys",
    ):
        with pytest.raises(BadInput, match="sends no results to this address") as refused:
            queues.put(queue=made, body=1, put_by_name="kim", callback_url=url)
        assert (refused.value.param, refused.value.code) == ("callback_url", "callback_not_named"), url
    assert not QueueItem.objects.exists()
    for url in (
        "https://SHOP.example.com:443/facet",
        "https://shop.example.com/facet/a/b",
        "https://other.example.com",
    ):
        queues.put(queue=made, body=1, put_by_name="kim", callback_url=url)
    QueueItem.objects.all().delete()

    item = ended(made, upstream, result=1)
    queues.change_queue(actor=actor, queue=made, callback_addresses=[])
    assert call_back_due() == 1 and upstream.seen == [], "it was taken off the list meanwhile"
    item.refresh_from_db()
    assert item.callbacks == 1 and item.call_back_at and "does not name" in item.callback_trouble

    # What changes while others are sent counts for those that come later.
    queues.change_queue(actor=actor, queue=made, callback_addresses=[site])
    QueueItem.objects.all().delete()
    first, again, signed, unnamed = (ended(made, upstream, trouble="no") for _ in range(4))
    mark, secrets = callbacks._mark, []

    def marked_and_changed(item, trouble):
        mark(item, trouble)
        if item == first:
            secrets.append(queues.renew_queue_secret(actor=actor, queue=made))
            queues.requeue(actor=actor, item=again)
        elif item == signed:
            queues.change_queue(actor=actor, queue=made, callback_addresses=["https://shop.example.com"])

    monkeypatch.setattr(callbacks, "_AT_ONCE", 1)
    monkeypatch.setattr(callbacks, "_mark", marked_and_changed)
    upstream.enqueue({})
    upstream.enqueue({})
    assert call_back_due() == 3
    assert [seen.body["id"] for seen in upstream.seen] == [f"item_{item.pk.hex}" for item in (first, signed)]
    sent = upstream.seen[-1]
    raw = json.dumps(sent.body, ensure_ascii=False).encode()
    assert signing.check(secrets[0], raw, {"x-facet-signature": sent.headers["x-facet-signature"]}, source="plain")
    again.refresh_from_db()
    unnamed.refresh_from_db()
    assert (again.state, again.callbacks, again.callback_trouble) == ("ready", 0, "")
    assert unnamed.callbacks == 1 and "does not name" in unnamed.callback_trouble
    for bad in (["not an address"], ["https://a.example/?x=1"], [f"https://{n}.example" for n in range(21)]):
        with pytest.raises(BadInput) as refused:
            queues.change_queue(actor=actor, queue=made, callback_addresses=bad)
        assert refused.value.param == "callback_addresses"


def test_a_queue_of_before_goes_on_sending_where_its_items_asked_for(queue):
    made, _ = queue
    for number, url in enumerate(("https://a.example:8443/x/1", "https://a.example:8443/y", "", "http://b.example/")):
        at = now() + dt.timedelta(seconds=number)
        QueueItem.objects.create(queue=made, body=1, put_by_name="kim", callback_url=url, created_at=at)
    import_module("agents_app.migrations.0002_where_results_may_be_sent").name_sites_in_use(apps, None)
    made.refresh_from_db()
    assert made.callback_addresses == ["http://b.example", "https://a.example:8443"]


def test_builders_make_the_secret_and_see_what_became_of_a_callback(cast, upstream, signed_in):  # noqa: F811
    made = make.make_queue(cast.team_a, "mail", callback_addresses=["https://shop.example.com"])
    alice, url = signed_in(cast.alice), f"/tools/queues/{made.pk}/"
    asked = alice.get(f"{url}secret/").text
    assert f"Make a new secret for {made.name}?" in asked and ">Make a new secret</button>" in asked
    shown = alice.post(f"{url}secret/")
    made.refresh_from_db()
    assert shown.context["secret"] in shown.text and "no-store" in shown["Cache-Control"] and made.secret
    assert shown.context["secret"] not in alice.get(url).text
    item = make.make_item(made, callback_url="https://shop.example.com/results")
    assert "Result goes to https://shop.example.com/results" in alice.get(url).text
    QueueItem.objects.filter(pk=item.pk).update(callback_trouble="It answered 500.")
    assert "It answered 500." in alice.get(url).text
    assert signed_in(cast.bob).post(f"{url}secret/").status_code == 403


def test_slow_addresses_hold_one_thread_of_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, release = threading.Semaphore(0), threading.Event()
    rounds: list[None] = []

    def call_back_due() -> None:
        rounds.append(None)
        begun.release()
        release.wait(60)

    monkeypatch.setattr(tasks.callbacks, "call_back_due", call_back_due)
    slow = threading.Thread(target=tasks.call_back)
    slow.start()
    assert begun.acquire(timeout=60)
    tasks.call_back()
    assert len(rounds) == 1, "it went by, and did not wait"
    release.set()
    slow.join(60)
    tasks.call_back()
    assert len(rounds) == 2
