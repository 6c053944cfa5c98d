"""Tests of prompts for programs: cases and runs, by a key that may build."""

from typing import Any

from rest_framework.test import APIClient

from console.evals.models import Schedule, TestRun
from tests import make
from tests.conftest import Cast
from tests.evals.test_schedules import answer

BASE = "/api/prompts/support/answer/-/tests"
CASE = {"name": "sync", "variables": {"question": "Why?"}, "checks": [{"kind": "contains", "value": "Settings"}]}


def as_key(text: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


def test_it_keeps_cases_and_starts_runs(cast: Cast) -> None:
    make.make_prompt(cast.team_a, "support/answer", "Answer: {{question}}")
    _, text = make.make_key(cast.team_a, scopes=["models:call", "prompts:write"])
    key = as_key(text)
    made = key.post(f"{BASE}/cases/", CASE, format="json")
    assert made.status_code == 201, made.json()
    address = f"{BASE}/cases/{made.json()['id']}/"
    changed: Any = {**CASE, "expected": "Settings", "checks": [{"kind": "equals"}]}
    assert key.put(address, changed, format="json").json()["checks"] == [{"kind": "equals", "value": ""}]
    late = key.put(address, {**CASE, "name": "late", "seen_revision": made.json()["revision"]}, format="json")
    assert (late.status_code, late.json()["error"]["code"]) == (409, "conflict")
    twice = key.post(f"{BASE}/cases/", CASE, format="json")
    assert (twice.status_code, twice.json()["error"]["param"]) == (409, "name")
    wrong = key.post(f"{BASE}/cases/", {**CASE, "name": "x", "checks": [{"kind": "vibes"}]}, format="json")
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "checks[0].kind")

    run = key.post(f"{BASE}/runs/", {"version": 1, "model": "support-chat@sandbox"}, format="json")
    assert (run.status_code, run.json()["status"], run.json()["environment"]) == (201, "queued", "sandbox")
    results = key.get(f"{BASE}/runs/{run.json()['id']}/results/").json()["data"]
    assert [(one["name"], one["status"]) for one in results] == [("sync", "waiting")]
    assert key.post(f"{BASE}/runs/{run.json()['id']}/stop/").json()["status"] == "stopped"
    assert TestRun.objects.get().started_by_kind == "key"
    assert key.delete(address).status_code == 204

    reader = as_key(cast.kim_text)
    assert reader.get(f"{BASE}/cases/").status_code == 200
    assert reader.post(f"{BASE}/cases/", CASE, format="json").status_code == 403
    _, other = make.make_key(cast.team_b, scopes=["models:call", "prompts:write"])
    assert as_key(other).get(f"{BASE}/cases/").status_code == 404


def test_it_schedules_tests_and_decides_on_drift(cast: Cast) -> None:
    prompt = make.make_prompt(cast.team_a, "support/answer", "Answer: {{question}}")
    make.make_alias("support-chat", production=make.make_model(), sandbox=make.make_model())
    _, text = make.make_key(cast.team_a, scopes=["models:call", "prompts:write"])
    key = as_key(text)
    key.post(f"{BASE}/cases/", CASE, format="json")
    wanted = {"model": "support-chat@sandbox", "cron": "0 3 * * *", "tolerance": 0}
    made = key.post(f"{BASE}/schedules/", wanted, format="json")
    assert made.status_code == 201, made.json()
    said = made.json()
    assert (said["state"], said["when"], said["version"]) == ("queued", "at 03:00 every day, UTC", 1)
    wrong = key.post(f"{BASE}/schedules/", {**wanted, "cron": "nightly"}, format="json")
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "cron")
    assert key.post(f"{BASE}/schedules/", wanted, format="json").status_code == 409
    address = f"{BASE}/schedules/{said['id']}/"

    stricter = key.patch(address, {"tolerance": 4, "seen_revision": said["revision"]}, format="json").json()
    assert (stricter["tolerance"], stricter["revision"]) == (4, said["revision"] + 1)
    assert key.patch(address, {"tolerance": 9, "seen_revision": 1}, format="json").status_code == 409
    schedule = Schedule.objects.get()
    answer(schedule, "+")
    key.post(f"{address}run/")
    answer(schedule, "-")
    answer(schedule, "-")
    shown = key.get(address).json()
    assert (shown["state"], shown["last_score"], shown["baseline_score"]) == ("drifted", 0, 100)
    assert shown["incident"]["lost"] == ["sync"]
    assert key.get("/api/evaluations/").json()["data"] == [shown]
    rounds = key.get(f"{address}rounds/").json()["data"]
    assert [one["outcome"] for one in rounds] == ["drifted", "suspicious", "fine"]
    assert key.post(f"{address}close/", {"reason": " "}, format="json").status_code == 400
    closed = key.post(f"{address}close/", {"reason": "Known."}, format="json").json()
    assert (closed["state"], closed["incident"]) == ("red", None)
    assert key.post(f"{address}close/", {"reason": "Known."}, format="json").status_code == 409
    taken = key.post(f"{address}baselines/", {"run": rounds[0]["run"], "reason": "It will do."}, format="json")
    assert (taken.status_code, taken.json()["score"]) == (201, 0)
    assert [one["score"] for one in key.get(f"{address}baselines/").json()["data"]] == [0, 100]
    assert key.get(f"{address}incidents/").json()["data"][0]["closed_reason"] == "Known."
    paused = key.post(f"{address}pause/", {"reason": "Holiday."}, format="json").json()
    assert (paused["state"], paused["pause_reason"].partition(": ")[2]) == ("paused", "Holiday.")
    assert key.post(f"{address}resume/").json()["state"] == "red"
    assert key.patch(address, {"cron": "0 4 * * *"}, format="json").json()["when"].startswith("at 04:00")

    weak = as_key(make.make_key(cast.team_a, scopes=["prompts:write"])[1])
    assert weak.post(f"{address}run/").status_code == 403, "its calls would be refused one by one"
    reader = as_key(cast.kim_text)
    assert reader.get(address).status_code == 200 and reader.post(f"{address}run/").status_code == 403
    other = as_key(make.make_key(cast.team_b, scopes=["models:call", "prompts:write"])[1])
    assert other.get(address).status_code == 404 and other.get("/api/evaluations/").json()["data"] == []
    assert key.delete(address).status_code == 204 and not Schedule.objects.filter(prompt=prompt).exists()
