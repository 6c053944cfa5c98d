"""Datasets and replays on pages and over the API: who may, what is confirmed first, and that reading is recorded."""

import json
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.audit.models import AuditEvent
from console.audit.services.calls import record_call
from console.core.clock import now
from console.core.ids import uuid7
from console.evals.models import Dataset, Replay
from console.teams.models import Role
from tests import make
from tests.api.manage.test_prompt_tests import as_key
from tests.evals.conftest import World
from tests.make import client_of
from tests.upstream import completion

BASE = "/evaluations/replays/"
FORM = {
    **{"dataset": "log", "team": "team-a", "alias": "support-chat", "status": "ok", "range": "24h"},
    **{"order": "random", "number": "10", "model": "support-chat@sandbox", "likeness": "on", "do": "plan"},
}


def recorded(world: World, *questions: str) -> None:
    """Put answered calls of Team A into the log."""
    for question in questions:
        record_call(
            uuid7(),
            at=now(),
            closed_at=now(),
            type="chat",
            status="ok",
            input=json.dumps({"model": "support-chat", "messages": [{"role": "user", "content": question}]}),
            output=json.dumps(completion(f"About <b>{question}</b>: yes.")),
            **{"team_id": world.cast.team_a.pk, "team": "Team A", "alias": "support-chat", "model": "fake/fake-model"},
            **{"environment": "production", "prompt_tokens": 1000, "completion_tokens": 500, "cost_micros": 450},
        )


def answered(replay: Replay, text: str) -> None:
    fields = {"request_id": uuid7(), "model": "fake/other", "tokens": 30, "cost_micros": 90, "latency_us": 5000}
    replay.results.update(status="passed", output=text, is_same=False, likeness=0.5, **fields)
    Replay.objects.filter(pk=replay.pk).update(status="done")


def lines_of(action: str) -> int:
    return AuditEvent.objects.filter(action=action).count()


def test_it_samples_confirms_and_lays_answers_side_by_side(
    world: World, django_assert_num_queries: Any, settings: Any
) -> None:
    cast = world.cast
    alice, bob, charlie = client_of(cast.alice), client_of(cast.bob), client_of(cast.charlie)
    auditor = client_of(make.make_member(cast.team_a, role=Role.AUDITOR))
    assert "No replays yet" in alice.get(BASE).text and "Builders of your teams" in bob.get(BASE).text
    assert "No dataset yet" in alice.get("/evaluations/datasets/").text
    assert bob.get(f"{BASE}new/").status_code == auditor.get(f"{BASE}new/").status_code == 403
    leads = "Replay traffic against another version before promoting"
    assert leads in alice.get("/models/aliases/support-chat/").text
    assert leads not in bob.get("/models/aliases/support-chat/").text
    offered = alice.get(f"{BASE}new/?alias=support-chat&model=support-chat@sandbox").text
    assert 'value="support-chat@sandbox"' in offered and "the team’s quota" in offered

    # Nothing is drawn for a candidate that cannot be asked; nothing is asked before somebody saw what it costs.
    recorded(world, "Where?", "Why?")
    refused = alice.post(f"{BASE}new/", {**FORM, "model": "nobody"})
    assert refused.status_code == 422 and "Team A has no alias" in refused.text and not Dataset.objects.exists()
    other = alice.post(f"{BASE}new/", {**FORM, "of_prompt": "support/other", "prompt": ""})
    assert other.status_code == 422 and not Dataset.objects.exists(), "the sample's prompt is not the candidate's"
    assert other.text.count('id="id_prompt"') == 1 and 'value="support/other"' in other.text
    for slug, number, field in (("support/answer", "99", "version"), ("support/gone", "1", "prompt")):
        form = alice.post(f"{BASE}new/", FORM | {"prompt": slug, "version": number}).context["form"]
        assert list(form.errors) == [field] and form.data[field] in form.errors[field][0], "at its field"
    typed = alice.post(f"{BASE}new/", {**FORM, "do": "add"})
    assert typed.status_code == 200 and len(typed.context["checks"]) == 1 and "invalid" not in typed.text
    check = {"c-0-kind": "contains", "c-0-value": "yes"}
    confirm = alice.post(f"{BASE}new/", {**FORM, **check})
    dataset = Dataset.objects.get()
    assert "About $0.00090" in confirm.text and "it was $0.00090 when it was recorded" in confirm.text
    assert "2 of" in confirm.text and not Replay.objects.exists() and lines_of("content.sampled") == 1
    started = alice.post(f"{BASE}new/", {**FORM, **check, "dataset": str(dataset.pk), "do": "start"})
    replay = Replay.objects.get()
    page = f"{BASE}{replay.pk}/"
    assert started.headers["Location"] == page and replay.started_by_name == str(cast.alice)
    assert "0 of 2" in alice.get(page).text and "Remove" not in alice.get(page).text
    part = alice.get(page, headers={"HX-Request": "true"})
    assert part.status_code == 200 and "<html" not in part.text and "HX-Refresh" not in part.headers

    answered(replay, "About <b>this</b>: no.")
    shown = alice.get(page).text
    assert "$0.45" in shown and "$0.09" in shown and "\N{MINUS SIGN}80.0 %" in shown and "0.50 on average" in shown
    assert "About" not in shown.partition("<main")[2].replace("about $", ""), (
        "figures only: what was said is read one by one"
    )
    settings.CURRENCY = "CHF"
    assert "CHF 0.45" in alice.get(page).text, "in the installation's own"
    settings.CURRENCY = "USD"
    for client, may_read in ((bob, False), (auditor, True)):
        seen = client.get(page).text
        assert ("items/1/" in seen) == may_read and "Stop" not in seen and "Remove" not in seen
    assert bob.get(f"{page}items/1/").status_code == 403 and charlie.get(page).status_code == 404
    assert (lines_of("replay.read"), charlie.get(f"{page}items/1/").status_code) == (0, 404)
    item = auditor.get(f"{page}items/1/").text
    assert "&lt;b&gt;" in item and "<b>W" not in item and "What was asked" in item and lines_of("replay.read") == 1
    assert auditor.get(f"{page}items/9/").status_code == 404

    # One item, the dataset, and no more questions however many there are.
    there = f"/evaluations/datasets/{dataset.pk}/"
    assert "2 items" in bob.get(there).text and bob.get(f"{there}items/1/").status_code == 403
    assert "&lt;b&gt;" in alice.get(f"{there}items/1/").text and lines_of("dataset.read") == 1
    addresses = (page, BASE, there, "/evaluations/datasets/")
    with CaptureQueriesContext(connection) as before:
        for address in addresses:
            alice.get(address)
    asked = len(before)
    recorded(world, *(f"And {n}?" for n in range(5)))
    alice.post(f"{BASE}new/", FORM)
    larger = Dataset.objects.first()
    assert larger is not None and larger.items.count() == 7
    alice.post(f"{BASE}new/", {**FORM, "dataset": str(larger.pk), "do": "start"})
    answered(other := Replay.objects.get(dataset=larger), "No.")
    addresses = (f"{BASE}{other.pk}/", BASE, f"/evaluations/datasets/{larger.pk}/", "/evaluations/datasets/")
    with django_assert_num_queries(asked):
        for address in addresses:
            alice.get(address)
    assert "2 replays<" in alice.get(BASE).text and "2 datasets<" in alice.get("/evaluations/datasets/").text

    assert "Every item of this replay was answered" in alice.post(f"{page}retry/").text
    other.results.filter(item__place=1).update(status="error", error="Away.", calls={"answer": str(uuid7())})
    assert alice.post(f"{BASE}{other.pk}/retry/").status_code == 302
    again = other.results.get(item__place=1)
    assert (again.status, again.calls) == ("waiting", {}) and "Queued" in alice.get(BASE).text
    assert alice.post(f"{BASE}{other.pk}/delete/").status_code == 409
    alice.post(f"{BASE}{other.pk}/stop/")
    assert alice.post(f"{BASE}{other.pk}/delete/").status_code == 302
    assert "Its 1 replay" in alice.get(f"{there}delete/").text
    assert alice.post(f"{there}delete/").status_code == 302 and not Replay.objects.exists()

    # A file, and a sample without a replay.
    new = "/evaluations/datasets/new/"
    wrong = SimpleUploadedFile("a.csv", b"question\nWhy?")
    refused = alice.post(new, {"team": "team-a", "name": "File", "file": wrong})
    assert refused.status_code == 422 and "is not a column here" in refused.text
    fine = SimpleUploadedFile("a.csv", b"input,expected\nWhy?,Because.")
    made = alice.post(new, {"team": "team-a", "name": "File", "file": fine})
    assert made.status_code == 302 and "Line of a file" in alice.get(f"{made.headers['Location']}items/1/").text
    fields = {**FORM, "name": "Week", "prompt": "support/answer"}
    nothing = alice.post("/evaluations/datasets/sample/", fields)
    assert nothing.status_code == 422 and "no record to sample" in nothing.text


def test_programs_do_the_same(world: World) -> None:
    recorded(world, "Where?", "Why?")
    scopes = ["models:call", "prompts:write", "audit:read", "audit:content"]
    key = as_key(make.make_key(world.cast.team_a, scopes=scopes)[1])
    lesser = as_key(make.make_key(world.cast.team_a, scopes=["models:call", "prompts:write"])[1])
    sample = {"team": "team-a", "name": "Both", "alias": "support-chat"}
    assert lesser.post("/api/datasets/sample/", sample, format="json").status_code == 403
    made = key.post("/api/datasets/sample/", sample, format="json")
    assert made.status_code == 201, made.json()
    dataset = made.json()
    assert (dataset["items"], dataset["source"], dataset["passed_over"]) == (2, "log", "")
    twice = key.post("/api/datasets/sample/", sample, format="json").json()["error"]
    assert twice["param"] == "name"
    content = '{"input": "Why?"}'
    file = {"team": "team-a", "name": "File", "content": content}
    assert lesser.post("/api/datasets/", file, format="json").json()["items"] == 1
    assert [one["name"] for one in lesser.get("/api/datasets/").json()["data"]] == ["File", "Both"]
    there = f"/api/datasets/{dataset['id']}/"
    assert lesser.get(f"{there}items/").status_code == 403
    items = key.get(f"{there}items/?limit=1")
    assert items.json()["data"][0]["expected"].startswith("About <b>W") and items["Cache-Control"] == "no-store"
    assert lines_of("dataset.read") == 1

    wanted = {"dataset": dataset["id"], "model": "support-chat@sandbox", "likeness_by": ""}
    costs = key.post("/api/replays/estimate/", wanted, format="json").json()
    assert (costs["calls"], costs["cost_micros"], costs["judging_calls"]) == (2, 900, 0) and not Replay.objects.exists()
    assert lesser.post("/api/replays/", wanted, format="json").status_code == 403
    exact = key.post("/api/replays/", {**wanted, "model": "fake/fake-model"}, format="json")
    assert exact.status_code == 403 and "for operators" in exact.json()["error"]["message"]
    assert key.post("/api/replays/", {**wanted, "prompt": "support/answer"}, format="json").status_code == 400
    gone = key.post("/api/replays/", {**wanted, "prompt": "support/answer", "version": 99}, format="json")
    assert (gone.status_code, gone.json()["error"]["param"]) == (404, "version")
    started = key.post("/api/replays/", wanted, format="json")
    assert started.status_code == 201, started.json()
    replay, page = started.json(), f"/api/replays/{started.json()['id']}/"
    assert (replay["status"], replay["report"]["done"], replay["estimate_micros"]) == ("queued", 0, 900)
    assert key.post(f"{page}stop/").json()["status"] == "stopped"
    answered(Replay.objects.get(), "No.")
    report = key.get(page).json()["report"]
    assert (report["recorded"]["cost_micros"], report["candidate"]["cost_micros"], report["alike"]) == (900, 180, 0)
    results = key.get(f"{page}results/").json()["data"]
    assert [(one["place"], one["output"]) for one in results] == [(2, "No."), (1, "No.")]
    assert lines_of("replay.read") == 1 and lesser.get(f"{page}results/").status_code == 403
    assert key.post(f"{page}retry/").status_code == 409
    stranger = as_key(make.make_key(world.cast.team_b, scopes=scopes)[1])
    assert stranger.get(page).status_code == stranger.get(there).status_code == 404
    assert key.delete(page).status_code == key.delete(there).status_code == 204
    assert key.get("/api/replays/").json()["data"] == []
