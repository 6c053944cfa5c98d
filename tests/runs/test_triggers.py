"""What starts runs by itself: signed webhooks, schedules, items of queues. Each of them once."""

import datetime as dt
import html
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client

from agents_app.engine.ending import end
from agents_app.errors import UnknownTrigger
from agents_app.models import Firing, Queue, QueueItem, Run, Trigger
from agents_app.services import queues
from agents_app.services import triggers as services
from agents_app.services.approval_notices import send
from agents_app.services.approvals import why_not_decide
from agents_app.triggers import beat, firings, payloads
from console.audit.models import AuditEvent
from console.core import signing
from console.core.clock import now
from console.core.errors import BadInput
from console.core.schedules import newest_tick, next_tick
from console.notices.services.delivery import send_due
from console.teams.actors import Actor
from console.teams.models import Role
from tests import make
from tests.conftest import Cast
from tests.make import client_of


def made(agent: Any, owner: Any, kind: str, **config: Any) -> tuple[Trigger, str]:
    return services.create_trigger(
        actor=make.actor_for(owner),
        agent=agent,
        owner=owner,
        kind=kind,
        name="Every night",
        config=config,
        environment="production",
    )


def deleted_meanwhile(trigger: Trigger) -> None:
    """Delete it on another connection, as another process would."""

    def delete() -> None:
        Trigger.objects.filter(pk=trigger.pk).delete()
        connection.close()

    with ThreadPoolExecutor(1) as another:
        another.submit(delete).result()


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_trigger_deleted_while_it_fires_starts_nothing(
    committed_db: None, monkeypatch: pytest.MonkeyPatch, is_refused: bool
) -> None:
    cast = Cast()
    agent = make.make_agent(cast.team_a)
    trigger, _ = made(agent, cast.alice, "webhook", source="plain")
    start = firings.start

    def start_late(trigger: Trigger, *more: Any) -> Run:
        deleted_meanwhile(trigger)
        if is_refused:
            raise BadInput("Not like this.")
        return start(trigger, *more)

    monkeypatch.setattr(firings, "start", start_late)
    with pytest.raises(UnknownTrigger):
        firings.fire(Trigger.objects.get(pk=trigger.pk), "delivery-1", {"message": "Hello"})
    assert not Run.objects.exists() and not Firing.objects.exists()


# Webhooks ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def hook(agent, cast) -> tuple[Trigger, str]:
    return made(agent, cast.alice, "webhook", source="alertmanager")


ALERTS = {
    "status": "firing",
    "commonLabels": {"alertname": "QueueGrows"},
    "alerts": [
        {
            "status": "firing",
            "startsAt": "2026-11-25T14:21:07Z",
            "labels": {"queue": "checkout"},
            "annotations": {"summary": "2,960 items wait"},
        }
    ],
}


def deliver(trigger: Trigger, secret: str, body: Any = ALERTS, *, at: int | None = None, **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = {"X-Facet-Signature": signing.sign(secret, raw, at or int(time.time()))} | headers
    return Client().post(f"/hooks/{trigger.pk}/", raw, content_type="application/json", headers=signed)


def test_a_signed_delivery_starts_one_run_for_the_owner(hook, cast):
    trigger, secret = hook
    at = int(time.time())
    first, second = deliver(trigger, secret, at=at), deliver(trigger, secret, at=at)
    run = Run.objects.get()
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json() == {"run": run.public_id, "is_new": True} and second.json()["is_new"] is False
    assert (run.actor_id, run.trigger, run.trigger_name) == (cast.alice.pk, "webhook", "Every night")
    assert "queue=checkout" in run.input["message"] and "2,960 items wait" in run.input["message"]
    assert secret not in trigger.secret


def test_grafana_signs_in_its_own_way(agent, cast):
    trigger, secret = made(agent, cast.alice, "webhook", source="grafana")
    raw, stamp = json.dumps(ALERTS).encode(), str(int(time.time()))
    digest = signing._digest(secret, f"{stamp}:".encode() + raw)
    headers = {"X-Grafana-Alerting-Signature": digest, "X-Grafana-Alerting-Timestamp": stamp}
    answer = Client().post(f"/hooks/{trigger.pk}/", raw, content_type="application/json", headers=headers)
    assert answer.status_code == 202


def test_it_starts_nothing_without_a_good_signature(hook, agent, cast):
    trigger, secret = hook
    late = int(time.time()) - signing.TOLERANCE_SECONDS - 5
    other = made(agent, cast.alice, "webhook", source="plain")[1]
    answers = [
        deliver(trigger, other),
        deliver(trigger, secret, at=late),
        deliver(trigger, secret, at=int(time.time()) + 400),
        deliver(trigger, secret, **{"X-Facet-Signature": ""}),
        deliver(trigger, secret, **{"X-Facet-Signature": "t=x,v1=é".encode().decode("latin-1")}),
        deliver(trigger, secret, **{"X-Facet-Signature": "t=\xb2,v1=x"}),
        deliver(trigger, secret, **{"X-Facet-Signature": f"t=1,{signing.sign(secret, b'{}', int(time.time()))}"}),
        deliver(trigger, secret, **{"X-Facet-Signature": f"t={int(time.time())}" + ",v1=0" * 5}),
        deliver(trigger, secret, **{"X-Facet-Signature": signing.sign(secret, b"{}", int(time.time()))}),
        deliver(
            trigger, secret, **{"X-Facet-Signature": signing.sign(secret, json.dumps(ALERTS).encode(), late).upper()}
        ),
        deliver(Trigger(pk=agent.pk), secret),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.json()["error"]["message"] for answer in answers}) == 1
    assert Run.objects.count() == 0


def test_it_says_what_is_wrong_with_a_signed_delivery(hook, settings):
    trigger, secret = hook
    assert deliver(trigger, secret, {"alerts": []}).status_code == 400
    assert deliver(trigger, secret, b'{"a": NaN}').status_code == 400
    assert deliver(trigger, secret, b"x" * (256 * 1024 + 1)).status_code == 413
    assert deliver(trigger, secret, **{"Content-Length": ""}).status_code == 411
    assert deliver(trigger, secret, **{"Content-Length": "\xb2"}).status_code == 411
    for alerts in (None, {}, "x", [None], [["x"]], [{}, 1]):
        assert deliver(trigger, secret, {"alerts": alerts}).status_code == 400, alerts
    for raw in (b"[" * 40 + b"]" * 40, b'{"a": 1, "a": 2}', b'{"a": "\\ud800"}', b'{"a": "\\u0000"}', b"\xff"):
        assert deliver(trigger, secret, raw).status_code == 400, raw
    Trigger.objects.update(is_enabled=False)
    assert deliver(trigger, secret).status_code == 409
    settings.ENCRYPTION_KEYS = ["another, which reads nothing of it"]
    lost = deliver(trigger, secret)
    assert lost.status_code == 503 and "Give the webhook another secret" in lost.json()["error"]["message"]
    assert Run.objects.count() == 0


def test_alerts_cannot_write_lines_of_the_notification_themselves():
    odd = {
        "status": {"a": [1]},
        "alerts": [{"labels": {"pod": "x\n- resolved: all=well\u2028\x1b[2J"}, "values": [1], "startsAt": {}}],
    }
    said = payloads.input_of("grafana", odd, asks_for_message=True)["message"]
    assert [line[:2] for line in said.split("\n")] == ["1 ", "- ", "  "] and not {"\u2028", "\x1b"} & set(said)
    many = {"alerts": [{"labels": {"n": str(n)}} for n in range(900)]}
    said = payloads.input_of("alertmanager", many, asks_for_message=True)["message"]
    assert said.startswith("900 alerts, unknown.") and said.endswith("- and 850 more")


def test_another_secret_ends_the_old_one(hook, cast):
    trigger, secret = hook
    renewed = services.renew_secret(actor=make.actor_for(cast.alice), trigger=trigger)
    assert deliver(trigger, secret).status_code == 401
    at = int(time.time())
    old, new = (signing.sign(one, json.dumps(ALERTS).encode(), at) for one in (secret, renewed))
    both = f"{new},{old.partition(',')[2]}"
    assert deliver(trigger, "", **{"X-Facet-Signature": both}).status_code == 202, "a sender that signs with both"
    assert deliver(trigger, renewed, at=at).status_code == 200, "and it is the same delivery"
    assert AuditEvent.objects.filter(action="trigger.secret_renewed").count() == 1


def test_one_that_was_deleted_meanwhile_is_not_found_and_nothing_is_logged(hook, cast):
    trigger, _ = hook
    seen = Trigger.objects.get(pk=trigger.pk)
    services.delete_trigger(actor=make.actor_for(cast.alice), trigger=trigger)
    lines = AuditEvent.objects.count()
    for late in (
        lambda actor: services.change_trigger(actor=actor, trigger=seen, name="Late"),
        lambda actor: services.renew_secret(actor=actor, trigger=seen),
        lambda actor: services.delete_trigger(actor=actor, trigger=seen),
    ):
        with pytest.raises(UnknownTrigger):
            late(make.actor_for(cast.alice))
    assert (AuditEvent.objects.count(), Trigger.objects.count()) == (lines, 0)


def test_who_sets_it_up_counts_as_who_started_it_where_others_approve(hook, agent, cast):
    trigger, secret = hook
    otto = make.make_member(cast.team_a, make.make_user("otto@example.com"), Role.OWNER)

    def why_not(user: Any) -> str:
        assert deliver(trigger, secret, {**ALERTS, "groupKey": str(uuid.uuid4())}).status_code == 202
        approval = make.make_approval(Run.objects.latest("created_at", "id"), is_for_others=True)
        assert send(approval.pk)
        send_due()
        assert why_not_decide(make.actor_for(cast.alice), approval).startswith("You started")
        return why_not_decide(make.actor_for(user), approval)

    services.change_trigger(actor=make.actor_for(otto), trigger=trigger, name="At night", is_enabled=True)
    assert why_not(otto) == "", "a name says nothing of what is started"
    assert {address for one in mail.outbox for address in one.to} == {"otto@example.com"}
    mail.outbox.clear()
    config = {"source": "alertmanager", "input": {"message": "Look."}}
    services.change_trigger(actor=make.actor_for(otto), trigger=trigger, config=config)
    assert why_not(otto).startswith("You set up what") and not mail.outbox
    services.change_trigger(actor=make.actor_for(cast.alice), trigger=trigger, config={"source": "alertmanager"})
    assert why_not(otto) == ""
    key, _ = make.make_key(cast.team_a, "his", owner=otto)
    secret = services.renew_secret(actor=Actor("key", key.pk, "his"), trigger=trigger)
    assert why_not(otto).startswith("You set up what"), "of a key, who answers for it"
    trigger.refresh_from_db()
    assert (trigger.owner, trigger.set_up_by) == (cast.alice, otto)
    assert "set up by" in client_of(cast.alice).get("/agents/clerk/triggers/").text


def test_what_it_may_not_start_is_kept_with_the_reason(hook, cast):
    trigger, secret = hook
    cast.alice.is_active = False
    cast.alice.save()
    answer = deliver(trigger, secret)
    assert (answer.status_code, Run.objects.count()) == (422, 0)
    kept = Firing.objects.get()
    assert kept.state == "parked" and kept.body == ALERTS and kept.trouble


# Schedules -----------------------------------------------------------------------------------------------------------


def test_a_tick_starts_one_run_whoever_ticks(agent, cast):
    trigger, _ = made(agent, cast.alice, "schedule", cron="0 0 1 1 *", time_zone="Europe/Berlin")
    assert trigger.next_at > now()
    due = now().replace(second=0, microsecond=0)
    Trigger.objects.update(next_at=due)
    beat.tick()
    Trigger.objects.update(next_at=due)  # a second scheduler, or a clock set back
    beat.tick()
    run = Run.objects.get()
    assert run.trigger == "schedule" and f"{due:%H:%M} UTC" in run.input["message"]
    assert Trigger.objects.get().next_at > now()


@pytest.mark.parametrize(("catch_up", "runs"), [("skip", 0), ("once", 1)])
def test_missed_ticks_follow_the_rule(agent, cast, catch_up, runs):
    long_past = (now().month + 5) % 12 + 1  # half a year
    made(agent, cast.alice, "schedule", cron=f"0 0 1 {long_past} *", time_zone="UTC", catch_up=catch_up)
    Trigger.objects.update(next_at=dt.datetime(now().year - 2, long_past, 1, tzinfo=dt.UTC))
    beat.tick()
    assert Run.objects.count() == runs
    assert Firing.objects.get().state == ("started" if runs else "skipped")


def test_a_schedule_keeps_its_hour_when_clocks_change():
    spring = dt.datetime(2026, 3, 28, 12, tzinfo=dt.UTC)
    ticks = [spring]
    for _ in range(3):
        ticks.append(next_tick("30 2 * * *", "Europe/Berlin", ticks[-1]))
    assert [f"{tick:%d %H:%M}" for tick in ticks[1:]] == ["29 01:00", "30 00:30", "31 00:30"]
    autumn = dt.datetime(2026, 10, 24, 12, tzinfo=dt.UTC)
    first = next_tick("30 2 * * *", "Europe/Berlin", autumn)
    assert next_tick("30 2 * * *", "Europe/Berlin", first).day == 26, "the hour that comes twice ticks once"
    second_pass = dt.datetime(2026, 10, 25, 1, 10, tzinfo=dt.UTC)  # 02:10 for the second time
    assert next_tick("30 2 * * *", "Europe/Berlin", second_pass).day == 26, "and what is past is not to come"
    assert next_tick("*/30 2 * * *", "Europe/Berlin", second_pass) == second_pass.replace(minute=30)
    gap = dt.datetime(2026, 3, 29, 0, 59, tzinfo=dt.UTC)
    assert [
        f"{next_tick('0,30 2 * * *', 'Europe/Berlin', gap + dt.timedelta(minutes=n)):%d %H:%M}" for n in (0, 1)
    ] == [
        "29 01:00",
        "30 00:00",
    ]
    assert next_tick("15 2 * * *", "Australia/Lord_Howe", dt.datetime(2026, 10, 3, 12, tzinfo=dt.UTC)).minute == 30
    leap = next_tick("0 0 29 2 *", "UTC", dt.datetime(2096, 3, 1, tzinfo=dt.UTC))
    assert (leap.year, leap.day) == (2104, 29), "2100 has no leap day"


def test_the_newest_tick_of_a_long_stop_is_one_that_has_come():
    stop, noon = dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
    for cron, newest in (
        ("* 0-5 * * *", dt.datetime(2026, 6, 1, 5, 59)),
        ("* * * * *", dt.datetime(2026, 6, 1, 12)),
        ("0 0 1 1 *", dt.datetime(2026, 1, 1)),
        ("0 0 29 2 *", dt.datetime(2024, 2, 29)),
        ("0 0 31 12 *", dt.datetime(2025, 12, 31)),
    ):
        since = next_tick(cron, "UTC", stop - dt.timedelta(days=1))
        assert newest_tick(cron, "UTC", since, noon).replace(tzinfo=None) == newest, cron
    assert newest_tick("0 0 1 1 *", "UTC", stop, stop) == stop


def test_a_clock_that_ran_ahead_does_not_silence_a_schedule(agent, cast):
    made(agent, cast.alice, "schedule", cron="0 0 1 1 *", time_zone="UTC")
    due, ahead = now().replace(second=0, microsecond=0), now() + dt.timedelta(days=400)
    Trigger.objects.update(next_at=ahead + dt.timedelta(minutes=5), last_at=ahead)
    beat.tick()
    trigger = Trigger.objects.get()
    assert trigger.next_at <= now() + dt.timedelta(days=366) and not Run.objects.exists()
    Trigger.objects.update(next_at=due)
    beat.tick()
    beat.tick()
    assert Run.objects.count() == 1 and Trigger.objects.get().last_at <= now()


def test_another_name_does_not_swallow_the_tick_that_is_due(agent, cast):
    trigger, _ = made(agent, cast.alice, "schedule", cron="0 0 1 1 *", time_zone="UTC")
    due = now().replace(second=0, microsecond=0)
    Trigger.objects.update(next_at=due)
    services.change_trigger(actor=make.actor_for(cast.alice), trigger=trigger, name="Every year")
    beat.tick()
    assert Run.objects.count() == 1
    # What says when it ticks anew, or switches it on, begins from now.
    for change in ({"config": {**trigger.config, "time_zone": "Europe/Berlin"}}, {"is_enabled": False}):
        Trigger.objects.update(next_at=due)
        services.change_trigger(actor=make.actor_for(cast.alice), trigger=trigger, **change)
        assert Trigger.objects.get().next_at != due
    services.change_trigger(actor=make.actor_for(cast.alice), trigger=trigger, is_enabled=True)
    assert Trigger.objects.get().next_at > now()


def test_it_refuses_what_is_no_schedule(agent, cast):
    for wrong in (
        {"cron": "every day"},
        {"cron": "0 0 31 2 *"},
        {"cron": "* * * * *", "time_zone": "Mars/Olympus"},
        {"cron": "* * * * *", "time_zone": "localtime"},
        {"cron": "* * * * * *"},
        {"cron": "0," * 60 + "0 * * * *"},
        {"cron": "9" * 5_000 + " * * * *"},
        {"cron": "* * * * *", "input": {"message": "x" * 70_000}},
    ):
        with pytest.raises(BadInput):
            made(agent, cast.alice, "schedule", **wrong)
    odd: list[Any] = [[1], {"a": 1}, 5, True]
    for kind, name in (("schedule", "catch_up"), ("schedule", "cron"), ("webhook", "source"), ("queue", "queue")):
        for value in odd:
            with pytest.raises(BadInput):
                services.check_config(
                    agent, kind, {"cron": "* * * * *", name: value} if kind == "schedule" else {name: value}
                )
    with pytest.raises(BadInput):
        made(agent, cast.alice, "queue", queue="nothing")
    trigger, _ = made(agent, cast.alice, "schedule", cron="* * * * *")
    with pytest.raises(BadInput, match="nobody could see"):
        services.change_trigger(actor=make.actor_for(cast.alice), trigger=trigger, name="Night\u202e")


# Queues --------------------------------------------------------------------------------------------------------------


def test_an_item_becomes_a_run_and_its_result_is_written_back(agent, cast):
    actor = make.actor_for(cast.alice)
    queue = queues.create_queue(actor=actor, team=cast.team_a, slug="tickets", name="Tickets")
    made(agent, cast.alice, "queue", queue="tickets")
    item, _ = queues.put(queue=queue, body={"message": "Where is 17?"}, put_by_name="kim", dedupe_id="17")
    queues.put(queue=queue, body={"message": "Where is 17?"}, put_by_name="kim", dedupe_id="17")
    bad, _ = queues.put(queue=queue, body=["no object"], put_by_name="kim")
    beat.tick()
    beat.tick()
    run = Run.objects.get()
    assert (run.trigger, run.input) == ("queue", {"message": "Where is 17?"})
    bad.refresh_from_db()
    assert bad.state == "failed" and "object" in bad.trouble
    Run.objects.filter(pk=run.pk).update(state="running")
    Run.objects.filter(pk=run.pk).update(state="succeeded", output={"text": "On its way."}, ended_at=now())
    beat.tick()
    item.refresh_from_db()
    assert (item.state, item.result) == ("done", {"text": "On its way."})
    assert Queue.objects.get().items.filter(state=QueueItem.State.TAKEN).count() == 0


def test_an_item_starts_no_second_run_because_the_console_was_off(agent, cast):
    queue = make.make_queue(cast.team_a, "tickets", most_attempts=2)
    made(agent, cast.alice, "queue", queue="tickets")
    item, _ = queues.put(queue=queue, body={"message": "Where is 17?"}, put_by_name="kim")
    beat.tick()
    off = now() - dt.timedelta(hours=9)
    QueueItem.objects.update(lease_until=off, attempts=2)
    queues.sweep()
    assert queues.take(queue=queue) is None, "the run goes on"
    QueueItem.objects.update(lease_until=off, attempts=1)
    end(Run.objects.get(), "succeeded", output={"text": "On its way."})
    beat.tick()
    item.refresh_from_db()
    assert (item.state, item.result, Run.objects.count()) == ("done", {"text": "On its way."}, 1)


def test_an_item_that_is_put_back_is_worked_on_anew(agent, cast):
    actor, queue = make.actor_for(cast.alice), make.make_queue(cast.team_a, "tickets")
    made(agent, cast.alice, "queue", queue="tickets")
    item, _ = queues.put(queue=queue, body={"message": "Where is 17?"}, put_by_name="kim")
    beat.tick()
    end(Run.objects.get(), "failed", trouble="The shop was down.")
    beat.tick()
    item.refresh_from_db()
    assert (item.state, item.trouble) == ("failed", "The shop was down.")
    queues.requeue(actor=actor, item=item)
    beat.tick()
    item.refresh_from_db()
    assert (item.state, Run.objects.count()) == ("taken", 2)
    assert item.run is not None
    end(item.run, "succeeded", output={"text": "On its way."})
    beat.tick()
    item.refresh_from_db()
    assert (item.state, item.result) == ("done", {"text": "On its way."})


def test_an_item_whose_run_may_not_start_is_tried_anew_when_it_is_put_back(agent, cast):
    actor, queue = make.actor_for(cast.alice), make.make_queue(cast.team_a, "tickets", most_attempts=1)
    made(agent, cast.alice, "queue", queue="tickets")
    item, _ = queues.put(queue=queue, body={"message": "Where is 17?"}, put_by_name="kim")
    cast.alice.is_active = False
    cast.alice.save()
    beat.tick()
    item.refresh_from_db()
    assert item.state == "parked"
    cast.alice.is_active = True
    cast.alice.save()
    queues.requeue(actor=actor, item=item)
    beat.tick()
    item.refresh_from_db()
    assert (item.state, Run.objects.count()) == ("taken", 1)


def test_an_item_is_taken_and_its_result_sent_as_soon_as_it_can_be(
    agent, cast, monkeypatch, django_capture_on_commit_callbacks
):
    sent: list[tuple[str, list[str]]] = []
    app = "console.core.tasks.current_app.send_task"
    monkeypatch.setattr(app, lambda name, args, **options: sent.append((name, args)))
    actor = make.actor_for(cast.alice)
    queue = make.make_queue(cast.team_a, "tickets", callback_addresses=["http://127.0.0.1:9"])
    queues.renew_queue_secret(actor=actor, queue=queue)
    queue.refresh_from_db()

    def put(number: int, **more: Any) -> QueueItem:
        with django_capture_on_commit_callbacks(execute=True):
            return queues.put(queue=queue, body={"message": f"{number}?"}, put_by_name="kim", **more)[0]

    put(1)
    assert sent == [], "nobody reads it"
    made(agent, cast.alice, "queue", queue="tickets")
    item, serve = (
        put(2, dedupe_id="2", callback_url="http://127.0.0.1:9/result"),
        ("agents.serve_queue", [str(queue.pk)]),
    )
    put(2, dedupe_id="2")
    assert sent == [serve], "an item that is there already wakes nobody"
    beat.serve_queue(queue.pk)
    run = QueueItem.objects.get(pk=item.pk).run
    assert run is not None and Run.objects.count() == 2, "what waited before is taken as well"
    sent.clear()
    with django_capture_on_commit_callbacks(execute=True):
        end(run, "succeeded", output={"text": "On its way."})
    assert serve in sent
    sent.clear()
    with django_capture_on_commit_callbacks(execute=True):
        beat.serve_queue(queue.pk)
    item.refresh_from_db()
    assert (item.state, item.result, sent) == ("done", {"text": "On its way."}, [("agents.call_back", [])])
    with django_capture_on_commit_callbacks(execute=True):
        queues.requeue(actor=actor, item=queues.park(actor=actor, item=QueueItem.objects.exclude(pk=item.pk).get()))
    assert sent[-1] == serve


# Pages ---------------------------------------------------------------------------------------------------------------


def test_builders_make_switch_and_remove_triggers(agent, cast):
    alice, url = client_of(cast.alice), "/agents/clerk/triggers/"
    assert "No triggers yet" in alice.get(url).content.decode()
    wrong = alice.post(
        f"{url}new/schedule/",
        {"name": "N", "environment": "production", "cron": "x", "time_zone": "UTC", "catch_up": "skip"},
    )
    assert wrong.status_code == 422 and "no cron expression" in wrong.content.decode()
    sent = {"name": "Nightly", "environment": "production", "cron": "0 7 * * *", "time_zone": "UTC", "catch_up": "skip"}
    assert alice.post(f"{url}new/schedule/", sent).status_code == 302
    shown = alice.post(f"{url}new/webhook/", {"name": "Alerts", "environment": "production", "source": "grafana"})
    hook = Trigger.objects.get(kind="webhook")
    assert (
        shown.status_code == 200
        and f"/hooks/{hook.pk}/" in shown.content.decode()
        and "no-store" in shown["Cache-Control"]
    )
    assert "No reader yet" not in shown.content.decode(), "only queues outside have readers"
    sample = json.loads(html.unescape(shown.content.decode()).split("body='")[1].split("'\n")[0])
    assert deliver(hook, shown.context["secret"], sample).status_code == 202, "what the page says to try is taken"
    assert "Make a new secret for Alerts?" in alice.get(f"{url}{hook.pk}/renew/").content.decode()
    page = f"{url}{hook.pk}/edit/"
    form = alice.get(page).content.decode()
    assert 'value="Alerts"' in form and '<option value="grafana" selected>' in form and "act for" in form
    changes = {"name": "Alarms", "environment": "sandbox", "source": "alertmanager", "input": '{"message": "Look."}'}
    for wrong, says in (
        ({"source": "pager"}, "valid choice"),
        ({"input": "[1]"}, "an object"),
        ({"input": "{"}, "JSON"),
    ):
        refused = alice.post(page, changes | {"seen_revision": hook.revision} | wrong)
        assert refused.status_code == 422 and says in refused.content.decode(), refused.content.decode()
    assert alice.post(page, changes | {"seen_revision": hook.revision}).status_code == 302
    late = alice.post(page, changes | {"name": "Late", "seen_revision": hook.revision})
    assert late.status_code == 409 and "Somebody changed this trigger after you opened it" in late.text
    assert 'value="Late"' in late.text and "now in “Name”; saving again" in late.text
    assert late.context["form"]["seen_revision"].value() == str(hook.revision + 1), "no dead end"
    hook.refresh_from_db()
    kept = {"source": "alertmanager", "input": {"message": "Look."}}
    assert (hook.name, hook.environment, hook.config, hook.owner) == ("Alarms", "sandbox", kept, cast.alice)
    detail = json.loads(AuditEvent.objects.filter(action="trigger.changed").latest("id").detail)
    assert (detail["before"]["config"], detail["after"]["config"]) == ({"source": "grafana"}, kept)
    assert client_of(cast.bob).get(page).status_code == 403
    secret = shown.context["secret"]
    assert secret in shown.content.decode() and secret not in alice.get(url).content.decode()
    assert client_of(cast.bob).post(f"{url}{hook.pk}/switch/").status_code == 403
    assert 'name="enabled" value="0"' in alice.get(url).text
    for to, is_on in (("0", False), ("0", False), ("1", True), ("0", False)):  # two who saw it on both switch it off
        assert alice.post(f"{url}{hook.pk}/switch/", {"enabled": to}).status_code == 302
        assert Trigger.objects.get(pk=hook.pk).is_enabled is is_on
    for verb, says in (("renew", "refused from now on"), ("delete", "no longer starts runs")):
        assert says in alice.get(f"{url}{hook.pk}/{verb}/").content.decode()
    assert alice.post(f"{url}{hook.pk}/delete/").status_code == 302
    assert list(Trigger.objects.values_list("name", flat=True)) == ["Nightly"]
    assert client_of(cast.charlie).get(url).status_code == 404
