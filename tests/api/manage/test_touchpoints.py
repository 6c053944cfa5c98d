"""The inventory over the management API."""

import json

from django.test import Client

from console.audit.models import AuditEvent
from console.core.clock import now
from console.touchpoints.models import Expectation, LegacyTouchpoint
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.usage.rows import a_touchpoint_day

URL = "/api/touchpoints/"


def api(client: Client, method: str, url: str, body: dict | None = None, key: str = "") -> tuple[int, dict]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    data = "" if body is None else json.dumps(body)
    response = client.generic(method, url, data, content_type="application/json", headers=headers)
    return response.status_code, response.json() if response.content else {}


def test_it_lists_pages_filters_and_sums(cast: Cast) -> None:
    alice = client_of(cast.alice)
    a_touchpoint_day(cast.team_a, "key", cast.kim.pk, now(), durations=(40_000_000,))
    make.make_widget(cast.team_a, name="Help centre")
    make.make_key(cast.team_b, "of others")
    assert (
        api(alice, "PATCH", f"{URL}key/{cast.kim.pk}/expectation/", {"expected": "seconds", "owner": "Ines"})[0] == 200
    )
    assert api(alice, "POST", f"{URL}legacy/", {"team": "team-a", "name": "Old bot", "kind": "chat"})[0] == 201
    status, whole = api(alice, "GET", URL)
    assert status == 200 and whole["next"] is None
    names = [row["name"] for row in whole["data"]]
    assert names == ["Old bot", "Help centre", "kim"]
    kim = whole["data"][2]
    assert (kim["state"], kim["calls"], kim["cost"], kim["owner"]) == ("slower", 1, "0.001", "Ines")
    assert kim["expected"] == "seconds" and kim["p95_us"] > 30_000_000 and whole["data"][0]["calls"] is None
    paged, cursor = [], ""
    while cursor is not None:
        _, page = api(alice, "GET", f"{URL}?limit=2&cursor={cursor}")
        paged += [row["name"] for row in page["data"]]
        cursor = page["next"]
    assert paged == names
    assert [row["name"] for row in api(alice, "GET", f"{URL}?state=slower&team=team-a")[1]["data"]] == ["kim"]
    status, refused = api(alice, "GET", f"{URL}?state=slow")
    assert status == 400 and "slower" in refused["error"]["message"]
    assert api(alice, "GET", f"{URL}summary/")[1] == {
        "total": 3, "missed": 1, "unset": 1, "overlapping": 0, "cost": "0.001",
        "legacy_left": 1, "legacy_done": 0, "legacy_spend_estimate": "0.00",
    }  # fmt: skip
    _, reader = make.make_key(cast.team_a, scopes=["usage:read"])
    assert [row["name"] for row in api(Client(), "GET", URL, key=reader)[1]["data"]] == names
    assert api(Client(), "DELETE", f"{URL}key/{cast.kim.pk}/expectation/", key=reader)[0] == 403
    assert api(alice, "DELETE", f"{URL}key/{cast.kim.pk}/expectation/")[0] == 204
    assert not Expectation.objects.exists()
    assert AuditEvent.objects.filter(action="expectation.cleared").count() == 1
    charlie = client_of(cast.charlie)
    assert [row["name"] for row in api(charlie, "GET", URL)[1]["data"]] == ["of others"]
    for kind, pk in (("key", cast.kim.pk), ("widget", cast.kim.pk), ("robot", cast.kim.pk)):
        assert api(charlie, "PATCH", f"{URL}{kind}/{pk}/expectation/", {"expected": "seconds"})[0] == 404


def test_places_elsewhere_come_in_change_and_go(cast: Cast) -> None:
    alice, legacy = client_of(cast.alice), f"{URL}legacy/"
    csv = "name,kind,spend\nOld bot,chat,300\nScript,robots,3\n"
    status, refused = api(alice, "POST", f"{legacy}import/", {"team": "team-a", "csv": csv})
    assert status == 400 and "Line 3, kind" in refused["error"]["message"]
    csv = csv.replace("robots", "api")
    assert api(alice, "POST", f"{legacy}import/", {"team": "team-a", "csv": csv}) == (
        201,
        {"imported": 2, "skipped": 0},
    )
    _, page = api(alice, "GET", f"{legacy}?team=team-a&status=planned")
    assert [(row["name"], row["spend"]) for row in page["data"]] == [("Script", "3.00"), ("Old bot", "300.00")]
    url = f"{legacy}{page['data'][1]['id']}/"
    body = {"status": "migrated", "replaced_by": {"kind": "key", "id": str(cast.kim.pk)}, "revision": 1}
    status, changed = api(alice, "PATCH", url, body)
    assert status == 200 and changed["replaced_by"]["name"] == "kim" and changed["revision"] == 2
    assert api(alice, "PATCH", url, body | {"name": "Newer"})[0] == 409
    for wrong in ({"team": "team-b"}, {"spend": "-1"}, {"name": ""}, {"name": "script"}):
        assert api(alice, "PATCH", url, {"revision": 2, **wrong})[0] in {400, 409}, wrong
    assert api(client_of(cast.bob), "PATCH", url, {"revision": 2})[0] == 403
    assert api(client_of(cast.charlie), "GET", url)[0] == 404
    assert api(alice, "DELETE", url)[0] == 204
    assert LegacyTouchpoint.objects.get().name == "Script"
