"""The pages of queues outside: owners connect a broker, builders make triggers of it and move what was set aside."""

import datetime as dt
import json
from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape

from agents_app.models import Broker, Firing, Outgoing, Reader, Run, Trigger
from console.audit.models import AuditEvent
from console.core.clock import now
from console.core.crypto import decrypt
from console.teams.models import Role
from tests import make
from tests.agents.conftest import signed_in  # noqa: F401

URL = "redis://facet:hunter2@127.0.0.1:1/0"


@pytest.fixture
def agent(cast):
    return make.make_agent(cast.team_a, "clerk", name="Clerk")


@pytest.fixture
def builder(cast, signed_in):  # noqa: F811
    return signed_in(make.make_member(cast.team_a, make.make_user("bella@example.com"), Role.BUILDER))


def test_an_owner_connects_changes_and_removes_a_broker_and_its_password_is_never_shown(
    cast,
    signed_in,  # noqa: F811
    builder,
    settings,
):
    alice = signed_in(cast.alice)
    assert "Connect broker" in alice.get("/tools/queues/").text
    assert "Connect broker" not in builder.get("/tools/queues/").text
    sent = {"name": "Orders", "slug": "orders", "team": "team-a", "url": "amqp://u:hunter2@elsewhere.internal"}
    wrong = alice.post("/tools/brokers/new/", sent)
    assert wrong.status_code == 422 and "BROKER_HOSTS" in wrong.text and "hunter2" not in wrong.text
    assert builder.post("/tools/brokers/new/", sent).status_code == 403
    page = alice.post("/tools/brokers/new/", sent | {"url": URL})["Location"]
    broker = Broker.objects.get()
    asked = alice.post(f"{page}look/", follow=True).text
    assert "The broker cannot be reached." in asked and "redis://facet:•••@127.0.0.1:1/0" in asked
    edit = alice.get(f"{page}edit/").text
    assert "hunter2" not in asked + edit + alice.get("/tools/queues/").text
    assert alice.post(f"{page}edit/", {"name": "Order events", "url": "", "seen_revision": "1"}).status_code == 302
    stale = alice.post(f"{page}edit/", {"name": "Other", "url": "", "seen_revision": "1"})
    assert stale.status_code == 409 and "changed this broker" in stale.text
    broker.refresh_from_db()
    assert (broker.name, decrypt(broker.secret), broker.trouble) == ("Order events", URL, "")
    assert builder.get(page).status_code == 200 and builder.post(f"{page}look/").status_code == 403
    trigger = make.make_outside_trigger(make.make_agent(cast.team_a), cast.alice, broker)
    kept = alice.post(f"{page}remove/")
    assert kept.status_code == 409 and "Remove these triggers first" in kept.text
    assert "orders" in alice.get(page).text
    trigger.delete()
    settings.ENCRYPTION_KEYS = ["another, which reads nothing of it"]
    lost = alice.post(f"{page}look/", follow=True).text
    assert escape("The broker's address cannot be read with the present ENCRYPTION_KEYS.") in lost
    make.make_agent(cast.team_a, "clerk")
    reading = {"name": "Refunds", "environment": "production", "broker": "orders", "queue": "refunds"}
    reading |= {"dedupe": "/id", "at_once": "1", "attempts": "1"}
    asked = builder.post("/agents/clerk/triggers/new/queue/?from=broker", reading)
    assert asked.status_code == 422 and "An owner of the team enters it anew." in asked.text
    assert alice.post(f"{page}edit/", {"name": "Orders", "url": URL, "seen_revision": "2"}).status_code == 302
    assert decrypt(Broker.objects.get().secret) == URL
    assert alice.post(f"{page}remove/").status_code == 302 and not Broker.objects.exists()
    actions = list(AuditEvent.objects.filter(action__startswith="broker.").values_list("action", flat=True))
    changes, looks = ["broker.changed"] * 2, ["broker.looked_at"] * 2
    assert sorted(actions) == [*changes, "broker.created", "broker.deleted", *looks]


def test_a_builder_makes_a_trigger_that_reads_a_queue_outside(builder, agent, cast):
    new = "/agents/clerk/triggers/new/queue/?from=broker"
    assert "No broker is connected" in builder.get(new).text
    built_in = "/agents/clerk/triggers/new/queue/"
    assert '/tools/queues/new/?team=team-a">Make one' in builder.get(built_in).text
    assert "no queue yet" not in builder.get(new).text + builder.get("/agents/clerk/triggers/new/webhook/").text
    make.make_queue(cast.team_a, "lines")
    assert "no queue yet" not in builder.get(built_in).text
    make.make_broker(cast.team_a, "mq", URL)
    sent = {
        "name": "Refunds",
        "environment": "production",
        "broker": "mq",
        "queue": "refunds",
        "result_queue": "refunds",
        "parking_queue": "",
        "dedupe": "/order/id",
        "at_once": "3",
        "attempts": "4",
    }
    wrong = builder.post(new, sent)
    assert wrong.status_code == 422 and "go round for ever" in wrong.text
    assert builder.post(new, sent | {"result_queue": "refunded"}).status_code == 302
    trigger = Trigger.objects.get()
    assert trigger.config == {
        "broker": "mq",
        "queue": "refunds",
        "result_queue": "refunded",
        "dedupe": "/order/id",
        "at_once": 3,
        "attempts": 4,
    }
    page = builder.get("/agents/clerk/triggers/").text
    assert "No reader yet" in page and "refunded" in page and "hunter2" not in page
    Reader.objects.create(
        trigger=trigger, lease_until=now() + dt.timedelta(days=1), state="trouble", said="The broker cannot be reached."
    )
    page = builder.get("/agents/clerk/triggers/").text
    assert "Trouble" in page and "The broker cannot be reached." in page


def test_messages_set_aside_are_shown_tried_again_and_dropped(builder, agent, cast, signed_in):  # noqa: F811
    trigger = make.make_outside_trigger(agent, cast.alice, result_queue="done")
    for key, body in (("m-1", {"message": "Hello <b>"}), ("m-2", "no json")):
        Firing.objects.create(trigger=trigger, key=key, state="parked", trouble="It does not fit.", body=body)
    url = "/agents/clerk/triggers/"
    page = builder.get(url).text
    assert "2 parked" in page and escape('"Hello <b>"') in page and "Hello <b>" not in page
    member = signed_in(cast.bob).get(url).text
    assert "It does not fit." in member and "Hello" not in member and "Try again" not in member
    good, bad = Firing.objects.order_by("key")
    assert signed_in(cast.bob).post(f"{url}messages/{good.pk}/move/").status_code == 403
    assert "It has a run now" in builder.post(f"{url}messages/{good.pk}/move/", follow=True).text
    run = Run.objects.get()
    assert run.input == {"message": "Hello <b>"} and Outgoing.objects.get().run == run
    assert "JSON object" in builder.post(f"{url}messages/{bad.pk}/move/", follow=True).text
    assert "Dropped." in builder.post(f"{url}messages/{bad.pk}/move/", {"do": "drop"}, follow=True).text
    bad.refresh_from_db()
    assert (bad.state, bad.body) == ("dropped", None) and "dropped it" in bad.trouble
    assert builder.post(f"{url}messages/{run.pk}/move/").status_code == 404


def test_programs_do_the_same(cast, agent):
    _, text = make.make_key(
        cast.team_a, owner=cast.alice, scopes=["models:call", "team:manage", "prompts:write", "audit:content"]
    )
    client, headers = Client(), {"Authorization": f"Bearer {text}"}

    def send(method: str, path: str, body: object = None) -> Any:
        return client.generic(
            method, f"/api{path}", json.dumps(body) if body else b"", content_type="application/json", headers=headers
        )

    made = send("POST", "/brokers/", {"team": "team-a", "slug": "mq", "url": URL})
    assert made.status_code == 201 and "hunter2" not in made.text and made.json()["address"].endswith(":1/0")
    path = f"/brokers/{made.json()['id']}/"
    assert send("POST", f"{path}look/").json()["trouble"] == "The broker cannot be reached."
    assert send("PATCH", path, {"name": "Orders", "revision": 1}).json()["name"] == "Orders"
    refused = send("PATCH", path, {"url": "amqp://elsewhere.internal"})
    assert refused.status_code == 400 and refused.json()["error"]["param"] == "url"
    sent = {"kind": "queue", "name": "Orders", "config": {"broker": "mq", "queue": "orders"}}
    assert send("POST", "/agents/clerk/triggers/", sent).json()["reader"]["state"] == "none"
    trigger = Trigger.objects.get()
    Reader.objects.create(trigger=trigger, lease_until=now() + dt.timedelta(days=1), state="waiting", said="Busy.")
    shown = send("GET", "/agents/clerk/triggers/").json()["data"][0]
    assert (shown["reader"]["state"], shown["reader"]["said"]) == ("waiting", "Busy.")
    assert send("DELETE", path).status_code == 409
    for key in ("m-1", "m-2"):
        Firing.objects.create(trigger=trigger, key=key, state="parked", trouble="No.", body={"message": "Hi"})
    listed = send("GET", "/parked-messages/?agent=clerk").json()["data"]
    assert [(one["key"], one["agent"], one["body"]) for one in listed] == [
        ("m-2", "clerk", {"message": "Hi"}),
        ("m-1", "clerk", {"message": "Hi"}),
    ]
    started = send("POST", f"/parked-messages/{listed[1]['id']}/try-again/")
    assert started.json() == {"run": Run.objects.get().public_id}
    assert send("POST", f"/parked-messages/{listed[0]['id']}/drop/").status_code == 204
    assert send("POST", f"/parked-messages/{listed[0]['id']}/drop/").status_code == 404
    trigger.delete()
    assert send("DELETE", path).status_code == 204
    queue = make.make_queue(cast.team_a)
    assert len(send("POST", f"/queues/{queue.pk}/secret/").json()["secret"]) > 40
