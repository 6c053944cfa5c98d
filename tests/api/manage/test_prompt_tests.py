"""Tests of prompts for programs: cases and runs, by a key that may build."""

from typing import Any

from rest_framework.test import APIClient

from console.evals.models import TestRun
from tests import make
from tests.conftest import Cast

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
