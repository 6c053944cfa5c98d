"""Webhooks of services that cannot sign: a bearer token, made, replaced and revoked, and what counts as the same."""

import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from agents_app.models import Firing, Run, Trigger, TriggerToken
from agents_app.services import triggers as services
from agents_app.triggers import identity, tokens
from console.audit.models import AuditEvent
from console.core.clock import now
from console.core.errors import BadInput, Conflict
from console.core.scrub import scrub
from console.teams import keys, refusals
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.runs.test_triggers import deliver, made

ALERT = {
    "version": "4",
    "groupKey": '{}:{alertname="DiskFull"}',
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "fingerprint": "a1b2",
            "labels": {"alertname": "DiskFull"},
            "annotations": {"summary": "93 % used"},
            "startsAt": "2026-11-28T07:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
        }
    ],
}


@pytest.fixture
def hook(agent, cast) -> tuple[Trigger, str]:
    return made(agent, cast.alice, "webhook", source="alertmanager", auth="token")


def send(trigger: Trigger, token: str, body: Any = ALERT, **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    carried = {"Authorization": f"Bearer {token}"} | headers
    return Client().post(f"/hooks/{trigger.pk}/", raw, content_type="application/json", headers=carried)


def changed(**alert: Any) -> dict[str, Any]:
    return {**ALERT, "alerts": [{**ALERT["alerts"][0], **alert}]}


def test_a_token_starts_a_run_and_only_its_hash_is_kept(hook, cast):
    trigger, token = hook
    answer = send(trigger, token)
    run = Run.objects.get()
    assert (answer.status_code, answer.json()) == (202, {"run": run.public_id, "is_new": True})
    assert (run.actor_id, run.trigger) == (cast.alice.pk, "webhook") and "93 % used" in run.input["message"]
    assert run.title == "1 alert, firing. alertname=DiskFull", "the title says which, without common labels too"
    kept = TriggerToken.objects.get()
    assert keys.is_hook_token(token) and not keys.is_well_formed(token)
    assert bytes(kept.digest) == keys.digest(token) and kept.shown == f"fk_hook_…{token[-4:]}" and kept.last_used_at
    assert trigger.secret == "" and scrub(f"sent {token}") == ("sent [redacted]", 1)
    lines = AuditEvent.objects.filter(action="trigger.token_created")
    assert kept.shown in str(lines.get().detail) and token not in str(lines.values())
    page = client_of(cast.alice).get("/agents/clerk/triggers/").text
    assert f'href="/runs/{run.public_id}/">{run.title}</a>' in page
    members = client_of(cast.bob).get("/agents/clerk/triggers/").text
    assert "Started a run" in members and "DiskFull" not in members, "the title is what the run was given"
    assert kept.shown in page and token not in page and "a delivery from Alertmanager with its token" in page


def test_what_carries_no_good_token_is_refused_alike(hook, agent, cast, django_assert_num_queries):
    trigger, token = hook
    other, another = made(agent, cast.alice, "webhook", source="plain", auth="token")
    signed, secret = made(agent, cast.alice, "webhook", source="plain")
    mistyped = token[:-1] + ("A" if token[-1] != "A" else "B")
    refused = [
        send(trigger, another),
        send(trigger, mistyped),
        send(trigger, keys.generate("production")),
        send(trigger, "", Authorization="Basic YTpi"),
        send(trigger, "", Authorization=f"Bearer {token},Bearer {another}"),
        send(Trigger(pk=agent.pk), token),
        send(signed, token),
    ]
    assert {(one.status_code, one.json()["error"]["code"]) for one in refused} == {(401, "bad_token")}
    assert len({one.json()["error"]["message"] for one in refused}) == 1
    assert send(trigger, token, **{"X-Facet-Signature": "t=1,v1=0"}).status_code == 401, "one way, not both"
    assert deliver(trigger, secret).status_code == 401
    assert Client().post(f"/hooks/{trigger.pk}/?token={token}", "{}", "application/json").status_code == 401
    with django_assert_num_queries(0):
        assert send(trigger, mistyped).status_code == 401
    assert Run.objects.count() == 0
    refusals.flush(everything=True)
    noise = AuditEvent.objects.filter(action="key.refused").values_list("reason", flat=True)
    assert set(noise) == {"malformed token of a webhook", "unknown token of a webhook"}, "counted, not one line each"
    assert deliver(signed, secret, {"message": "Hi"}, Authorization="Basic YTpi").status_code == 202, "signed as ever"


def test_a_token_is_replaced_with_an_overlap_and_revoked_at_once(hook, cast, monkeypatch):
    trigger, first = hook
    alice = make.actor_for(cast.alice)
    second = services.renew_secret(actor=alice, trigger=trigger, overlap=dt.timedelta(hours=1))
    assert [send(trigger, one, changed(fingerprint=one)).status_code for one in (first, second)] == [202, 202]
    ends = TriggerToken.objects.get(digest=keys.digest(first)).expires_at
    assert ends and dt.timedelta(minutes=59) < ends - now() <= dt.timedelta(hours=1)
    TriggerToken.objects.filter(digest=keys.digest(first)).update(expires_at=now())
    assert send(trigger, first).status_code == 401
    third = services.renew_secret(actor=alice, trigger=trigger)
    assert send(trigger, second).status_code == 401, "without an overlap it stops now"
    token = TriggerToken.objects.get(digest=keys.digest(third))
    services.revoke_token(actor=alice, trigger=trigger, token_id=token.pk)
    assert send(trigger, third).status_code == 401
    assert "no token that is good" in client_of(cast.alice).get("/agents/clerk/triggers/").text
    assert AuditEvent.objects.filter(action="trigger.token_revoked").count() == 1
    for _ in range(4):
        services.renew_secret(actor=alice, trigger=trigger, overlap=dt.timedelta(days=7))
    with pytest.raises(Conflict):
        services.renew_secret(actor=alice, trigger=trigger, overlap=dt.timedelta(days=7))
    with pytest.raises(BadInput):
        services.renew_secret(actor=alice, trigger=trigger, overlap=dt.timedelta(days=8))


def test_the_same_alerts_within_an_hour_start_one_run(hook):
    trigger, token = hook
    assert send(trigger, token).status_code == 202
    again = send(trigger, token, {**changed(annotations={"summary": "94 % used"}), "externalURL": "http://am-2"})
    assert (again.status_code, again.json()["is_new"]) == (200, False), "annotations may count, and two may send it"
    resolved = changed(status="resolved", endsAt="2026-11-28T08:00:00Z")
    news = [
        {**resolved, "status": "resolved"},
        changed(startsAt="2026-11-28T09:00:00Z"),
        {**ALERT, "alerts": [*ALERT["alerts"], {**ALERT["alerts"][0], "fingerprint": "c3d4"}]},
        {**ALERT, "groupKey": "another"},
    ]
    assert [send(trigger, token, one).status_code for one in news] == [202] * 4
    assert send(trigger, token, {**news[2], "alerts": news[2]["alerts"][::-1]}).status_code == 200, "in any order"


def test_the_window_is_an_hour_wherever_it_begins():
    at = dt.datetime(2026, 11, 28, 9, 59, 59, tzinfo=dt.UTC)
    present, before = identity.window_keys("body:x", at)
    assert identity.window_keys("body:x", at + dt.timedelta(seconds=2))[1] == present != before
    assert present not in identity.window_keys("body:x", at + dt.timedelta(hours=2))


def test_a_reminder_after_the_window_starts_another_run(hook):
    trigger, token = hook
    assert send(trigger, token).status_code == 202
    hour = dt.timedelta(hours=1)
    for firing in Firing.objects.all():
        content, _, number = firing.key.rpartition(":")
        Firing.objects.filter(pk=firing.pk).update(key=f"{content}:{int(number) - 1}", at=firing.at - hour / 2)
        Run.objects.update(dedupe_key="as of the window before")
        assert send(trigger, token).status_code == 200, "half an hour ago, in the window before"
        Firing.objects.filter(pk=firing.pk).update(at=firing.at - hour)
    assert send(trigger, token).status_code == 202 and Run.objects.count() == 2


@pytest.mark.parametrize("name", ["Idempotency-Key", "Webhook-Id", "X-GitHub-Delivery", "X-Gitea-Delivery"])
def test_an_id_of_the_delivery_tells_it_apart_for_good(agent, cast, name):
    trigger, token = made(agent, cast.alice, "webhook", source="plain", auth="token")
    ones = [send(trigger, token, {"message": "Build"}, **{name: value}) for value in ("d-1", "d-2", "d-1")]
    assert [one.status_code for one in ones] == [202, 202, 200]
    Firing.objects.update(at=now() - dt.timedelta(days=5))
    assert send(trigger, token, {"message": "Build"}, **{name: "d-2"}).status_code == 200
    assert send(trigger, token, **{name: "x" * 256}).status_code == 400
    body = [send(trigger, token, {"message": text}).status_code for text in ("Build", "Build", "Other")]
    assert body == [202, 200, 202], "without one the body does"


def test_what_was_refused_is_tried_again_when_it_comes_again(hook, cast):
    trigger, token = hook
    cast.alice.is_active = False
    cast.alice.save()
    assert [send(trigger, token).status_code for _ in range(2)] == [422, 422]
    assert Firing.objects.get().state == "parked"
    cast.alice.is_active = True
    cast.alice.save()
    assert send(trigger, token).status_code == 202 and Firing.objects.get().run == Run.objects.get()


def test_a_token_delivers_so_many_a_minute(hook, monkeypatch):
    trigger, token = hook
    monkeypatch.setattr(tokens, "MOST_PER_MINUTE", 2)
    at = dt.datetime(2026, 11, 28, 9, 0, 30, tzinfo=dt.UTC)
    monkeypatch.setattr(tokens, "now", lambda: at)
    answers = [send(trigger, token) for _ in range(3)]
    assert [one.status_code for one in answers] == [202, 200, 429] and answers[2]["Retry-After"] == "30"
    at += dt.timedelta(seconds=30)
    assert send(trigger, token).status_code == 200


def test_many_at_once_are_one(committed_db: None) -> None:
    cast = Cast()
    trigger, token = made(make.make_agent(cast.team_a), cast.alice, "webhook", source="alertmanager", auth="token")

    def one(_: int) -> int:
        try:
            return int(send(trigger, token).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as several:
        assert sorted(several.map(one, range(4))) == [200, 200, 200, 202]
    assert Run.objects.count() == 1 and TriggerToken.objects.get().minute_count == 4


def test_the_form_chooses_the_way_and_shows_what_it_needs_once(agent, cast):
    alice = client_of(cast.alice)
    fields = {"name": "Alerts", "environment": "production", "source": "alertmanager", "auth": "token"}
    refused = alice.post("/agents/clerk/triggers/new/webhook/", fields | {"auth": "signature"})
    assert refused.status_code == 422 and "Alertmanager cannot sign its deliveries" in refused.text
    assert not Trigger.objects.exists()
    shown = alice.post("/agents/clerk/triggers/new/webhook/", fields)
    trigger = Trigger.objects.get()
    assert trigger.config == {"source": "alertmanager", "auth": "token"} and shown["Cache-Control"] == "no-store"
    assert "fk_hook_" in shown.text and "credentials_file" in shown.text and f"/hooks/{trigger.pk}/" in shown.text
    edit = f"/agents/clerk/triggers/{trigger.pk}/edit/"
    back = alice.post(edit, {**fields, "auth": "signature", "seen_revision": trigger.revision})
    trigger.refresh_from_db()
    assert (
        "X-Facet-Signature" in back.text and trigger.secret and not [one for one in trigger.tokens.all() if one.is_live]
    )
    alice.post(edit, {**fields, "source": "grafana", "seen_revision": trigger.revision})
    trigger.refresh_from_db()
    token = trigger.tokens.get(revoked_at=None)
    assert trigger.secret == ""
    renew = f"/agents/clerk/triggers/{trigger.pk}/renew/"
    assert "Valid for 24 hours" in alice.get(renew).text and alice.post(renew, {"overlap": "5y"}).status_code == 422
    assert "Contact points" in alice.post(renew, {"overlap": "1h"}).text
    assert ", stops " in alice.get("/agents/clerk/triggers/").text
    revoke = f"/agents/clerk/triggers/{trigger.pk}/tokens/{token.pk}/revoke/"
    assert token.shown in alice.get(revoke).text and alice.post(revoke).status_code == 302
    assert alice.post(revoke).status_code == 404 and trigger.tokens.filter(revoked_at=None).count() == 1
    assert client_of(cast.bob).post(renew, {"overlap": "0"}).status_code == 403


def test_a_webhook_without_a_secret_yet_is_refused_like_any_other(hook, cast):
    trigger, token = hook
    services.change_trigger(actor=make.actor_for(cast.alice), trigger=trigger, config={"source": "alertmanager"})
    refused = [deliver(trigger, ""), Client().post(f"/hooks/{trigger.pk}/", "{}", "application/json")]
    unknown = deliver(Trigger(pk=cast.alice.pk), "")
    said = {(one.status_code, one.json()["error"]["code"], one.json()["error"]["message"]) for one in refused}
    assert said == {(401, "bad_signature", unknown.json()["error"]["message"])}
    assert send(trigger, token).json()["error"]["code"] == "bad_token" and not Run.objects.exists()


def test_programs_make_replace_and_revoke_tokens(agent, cast):
    alice = client_of(cast.alice)
    base = "/api/agents/clerk/triggers/"
    new = {"kind": "webhook", "name": "Alerts", "config": {"source": "alertmanager", "auth": "token"}}
    one = alice.post(base, new, content_type="application/json").json()
    assert keys.is_hook_token(one["secret"]) and [t["shown"] for t in one["tokens"]] == [
        f"fk_hook_…{one['secret'][-4:]}"
    ]
    at = f"{base}{one['id']}/"
    two = alice.post(f"{at}renew/", {"overlap_hours": 24}, content_type="application/json")
    listed = alice.get(at).json()["tokens"]
    assert two.status_code == 201 and [bool(t["expires_at"]) for t in listed] == [False, True]
    assert alice.delete(f"{at}tokens/{listed[0]['id']}/").status_code == 204
    assert alice.delete(f"{at}tokens/{listed[0]['id']}/").status_code == 404
    assert [t["id"] for t in alice.get(base).json()["data"][0]["tokens"]] == [listed[1]["id"]]
    other = {"config": {"source": "plain", "auth": "nothing"}}
    assert alice.patch(at, other, content_type="application/json").json()["error"]["param"] == "config.auth"
    signed = alice.patch(at, {"config": {"source": "plain"}}, content_type="application/json").json()
    assert (signed["tokens"], signed["has_secret"], signed["config"]) == ([], False, {"source": "plain"})
    wrong = alice.post(f"{at}renew/", {"overlap_hours": 1}, content_type="application/json")
    assert wrong.json()["error"]["param"] == "overlap_hours"
    assert alice.post(f"{at}renew/", content_type="application/json").status_code == 201
