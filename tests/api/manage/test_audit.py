"""The audit log over the management API: who sees what, and that reading is recorded."""

import csv
import io
import json

import pytest
from django.test import Client

from console.audit import actions
from console.audit.models import AuditEvent, Seal
from console.core.ids import request_id
from console.teams.models import Role
from tests import make
from tests.audit.calls import a_call, a_chat
from tests.conftest import Cast
from tests.make import client_of

SCOPES = ["audit:read", "audit:content"]


class Reader:
    """A client that reads with one key."""

    def __init__(self, text: str) -> None:
        self._client, self._headers = Client(), {"Authorization": f"Bearer {text}"}

    def __call__(self, path: str):
        return self._client.get(f"/api/{path}", headers=self._headers)


@pytest.fixture
def reader(cast: Cast) -> Reader:
    return Reader(make.make_key(cast.team_a, "reader", scopes=make.TEAM_SCOPES)[1])


def of(action: actions.Action) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=action.name))


def ids(response) -> list[str]:
    return [row["request_id"] for row in response.json()["data"]]


def test_it_lists_by_filter_and_cursor(reader, cast):
    made = {request_id(a_call(cast.team_a, alias="x")) for _ in range(5)}
    kept = AuditEvent.objects.filter(alias="x").latest("id")
    said = reader(f"audit/events/{request_id(kept.pk)}/").json()
    assert (said["lane"], said["client_request_id"], said["model_version_id"]) == ("interactive", "", None)
    a_call(cast.team_a, alias="other")
    a_call(cast.team_b, alias="x")
    found, cursor = [], ""
    for _ in range(3):
        page = reader(f"audit/events/?alias=x&type=chat&limit=2&cursor={cursor}")
        found += ids(page)
        cursor = page.json()["next"]
    assert cursor is None and len(found) == 5 and set(found) == made
    assert found == sorted(found, reverse=True)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    one = a_call(cast.team_a, client_request_id=f"00-{trace}-00f067aa0ba902b7-01")
    a_call(cast.team_a, client_request_id=f"about {trace}")
    assert ids(reader(f"audit/events/?trace={trace}")) == [request_id(one)]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("alais=x", "alais"),
        ("type=nothing", "type"),
        ("key=1", "key"),
        ("trace=%25", "trace"),
        ("since=2026-02-02&until=2026-02-01", "until"),
    ],
)
def test_it_refuses_a_filter_it_does_not_know(reader, cast, query, param):
    for address in ("audit/events/", "audit/export/"):
        refused = reader(f"{address}?{query}")
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert [reader(f"audit/events/?{bad}").status_code for bad in ("cursor=x", "limit=0", "limit=201")] == [400] * 3


def test_it_shows_a_record_without_content(reader, cast):
    event = a_call(cast.team_a, content=a_chat("What is 42?", "The answer."))
    page = reader(f"audit/events/{request_id(event)}/")
    assert page.json()["cost_micros"] == 7100 and page.json()["seal"] is None
    assert "What is 42?" not in page.content.decode() and not of(actions.CONTENT_READ)


def test_reading_content_is_recorded(reader, cast):
    event = a_call(cast.team_a, content=a_chat("What is 42?", "The answer."))
    page = reader(f"audit/events/{request_id(event)}/content/")
    assert "What is 42?" in page.json()["input"]["body"] and "The answer." in page.json()["output"]["body"]
    assert page["Cache-Control"] == "no-store"
    (line,) = of(actions.CONTENT_READ)
    assert (line.target, line.actor_kind, line.team_id) == (request_id(event), "key", cast.team_a.pk)
    assert client_of(cast.alice).get(f"/api/audit/events/{request_id(event)}/content/").status_code == 200
    assert len(of(actions.CONTENT_READ)) == 2


def test_who_lacks_the_right_reads_nothing(cast):
    event = request_id(a_call(cast.team_a, content=a_chat("What is 42?", "The answer.")))
    lines = Reader(make.make_key(cast.team_a, scopes=["audit:read"])[1])
    assert lines(f"audit/events/{event}/").status_code == 200
    assert lines(f"audit/events/{event}/content/").status_code == 403
    assert lines("audit/export/?content=1").status_code == 403
    assert event not in ids(lines("audit/events/?q=42"))
    assert not of(actions.AUDIT_SEARCHED)
    approver = client_of(make.make_member(cast.team_a, role=Role.APPROVER))
    assert approver.get(f"/api/audit/events/{event}/content/").status_code == 403
    for who in (Reader(cast.kim_text), lambda path: client_of(cast.bob).get(f"/api/{path}")):
        for address in ("events/", f"events/{event}/", f"events/{event}/content/", "export/", "seals/"):
            assert who(f"audit/{address}").status_code == 403, address
    assert Client().get("/api/audit/events/").status_code == 401
    assert not of(actions.CONTENT_READ)


def test_another_teams_record_looks_like_none(reader, cast):
    foreign, nobodys = a_call(cast.team_b, content=a_chat("a", "b")), a_call(None)
    for tail in ("", "content/"):
        nothing = reader(f"audit/events/req_{'0' * 32}/{tail}").json()["error"]
        for hidden in (foreign, nobodys):
            theirs = reader(f"audit/events/{request_id(hidden)}/{tail}")
            assert theirs.status_code == 404 and theirs.json()["error"]["message"] == nothing["message"]
    assert reader("audit/events/?team=team-b").status_code == 404
    assert reader("audit/export/?team=team-b").status_code == 404
    assert request_id(foreign) not in ids(reader("audit/events/"))
    assert not of(actions.CONTENT_READ)


def test_searching_content_is_recorded(reader, cast):
    event = a_call(cast.team_a, content=a_chat("What is zebra?", "The answer."))
    first = reader("audit/events/?q=zebra")
    assert ids(first) == [request_id(event)]
    reader(f"audit/events/?q=zebra&cursor=o{'f' * 32}")
    assert [json.loads(line.detail) for line in of(actions.AUDIT_SEARCHED)] == [{"text": "zebra"}] * 2


def test_it_exports_and_records_that(reader, cast):
    event = request_id(a_call(cast.team_a, alias="x", content=a_chat("What is 42?", "The answer.")))
    a_call(cast.team_b, alias="x")
    table = reader("audit/export/?format=csv&alias=x")
    (row,) = csv.DictReader(io.StringIO(b"".join(table.streaming_content).decode()))
    assert table["Content-Type"] == "text/csv" and row["request_id"] == event and "input" not in row
    lines = b"".join(reader("audit/export/?format=jsonl&alias=x&content=1").streaming_content).decode().splitlines()
    assert [json.loads(line)["request_id"] for line in lines] == [event] and "What is 42?" in lines[0]
    assert reader("audit/export/?format=xml").status_code == 400
    assert [line.target for line in of(actions.AUDIT_EXPORTED)].count("finished") == 2


def test_it_lists_seals(reader, cast):
    for number in (1, 2, 3):
        Seal.objects.create(
            number=number, from_tx=number, to_tx=number + 1, rows=7, previous=bytes(32), sha256=bytes([number] * 32)
        )
    page = reader("audit/seals/?limit=2").json()
    assert [seal["number"] for seal in page["data"]] == [3, 2] and page["data"][0]["sha256"] == "03" * 32
    assert "rows" not in page["data"][0]
    rest = reader(f"audit/seals/?cursor={page['next']}").json()
    assert [seal["number"] for seal in rest["data"]] == [1] and rest["next"] is None
    assert client_of(cast.operator).get("/api/audit/seals/").json()["data"][0]["rows"] == 7
