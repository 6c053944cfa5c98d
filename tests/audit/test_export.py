"""Exports and the live view: the same filter, whole, streamed, recorded."""

import csv
import html
import io
import json
from itertools import count
from types import SimpleNamespace

import pytest
from django.test import AsyncClient

from console.audit import actions
from console.audit.models import AuditEvent
from console.core.ids import request_id
from console.teams.models import Role
from tests import make
from tests.audit.calls import a_call, a_chat, until_finished
from tests.conftest import Cast
from tests.make import client_of
from usage_app.queries.audit import export


@pytest.mark.django_db
def test_it_exports_the_filter_as_csv(cast: Cast, monkeypatch) -> None:
    monkeypatch.setattr(export, "CHUNK", 7)
    made = {request_id(a_call(cast.team_a, alias="x")) for _ in range(25)}
    a_call(cast.team_a, alias="other")
    response = client_of(cast.alice).get("/audit/export/?format=csv&alias=x")
    assert response["Content-Disposition"].startswith('attachment; filename="audit-')
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))
    assert {row["request_id"] for row in rows} == made and len(rows) == 25
    assert "input" not in rows[0]


@pytest.mark.django_db
def test_it_records_the_start_and_the_end(cast: Cast) -> None:
    a_call(cast.team_a, alias="x", agent="clerk@2", client_request_id="their-7")
    response = client_of(cast.alice).get("/audit/export/?format=jsonl&alias=x")
    lines = AuditEvent.objects.filter(action=actions.AUDIT_EXPORTED.name)
    (begun,) = lines
    assert json.loads(begun.detail) == {"format": "jsonl", "content": False, "filter": {"alias": "x"}}
    (row,) = [json.loads(line) for line in b"".join(response.streaming_content).decode().splitlines()]
    assert row["alias"] == "x" and row["cost_micros"] == 7100
    assert (row["agent"], row["lane"], row["client_request_id"]) == ("clerk@2", "interactive", "their-7")
    assert json.loads(lines.get(target="finished").detail) == {"export": request_id(begun.pk), "rows": 1}


@pytest.mark.django_db
def test_a_file_that_does_not_have_all_says_so_and_where_to_go_on(cast: Cast, monkeypatch) -> None:
    monkeypatch.setattr(export, "CHUNK", 7)
    made = {request_id(a_call(cast.team_a, alias="x")) for _ in range(25)}
    client = client_of(cast.alice)

    def sent(query: str, seconds: int) -> list[str]:
        """Export; the clock goes on by so many seconds each time it is looked at."""
        monkeypatch.setattr(export, "time", SimpleNamespace(monotonic=count(step=seconds).__next__))
        return b"".join(client.get(f"/audit/export/?alias=x&{query}").streaming_content).decode().splitlines()

    *lines, last = map(json.loads, sent("format=jsonl", 1500))
    assert len(lines) >= 14 and last["incomplete"] and f"until={last['until']}" in last["message"]
    rest = list(map(json.loads, sent(f"format=jsonl&until={last['until']}", 1)))
    assert {row["request_id"] for row in lines + rest} == made and len(lines + rest) == len(made)
    _, *rows, words = sent("format=csv", 1500)
    assert len(rows) >= 14 and words.startswith("This export is incomplete: its time was up. The rest is found with")
    *_, nothing = map(json.loads, sent("format=jsonl", 3600))
    assert nothing["incomplete"] and nothing["until"] is None
    ends = AuditEvent.objects.filter(action=actions.AUDIT_EXPORTED.name, target="finished").order_by("id")
    assert [json.loads(line.detail).get("incomplete", False) for line in ends] == [True, False, True, True]


@pytest.mark.django_db
@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(cast: Cast, start: str) -> None:
    evil = f'{start}HYPERLINK("http://192.0.2.1")'
    a_call(cast.team_a, alias="x", actor=evil, content=(evil, evil))
    body = b"".join(client_of(cast.alice).get("/audit/export/?alias=x&content=1").streaming_content).decode()
    (row,) = csv.DictReader(io.StringIO(body, newline=""))
    assert row["actor"] == row["input"] == row["output"] == f"'{evil}"


@pytest.mark.django_db
def test_content_leaves_only_with_the_right_in_every_team(cast: Cast) -> None:
    a_call(cast.team_a, content=a_chat("What is 42?", "The answer."))
    client = client_of(cast.alice)
    assert b"What is 42?" in b"".join(client.get("/audit/export/?content=1").streaming_content)
    make.make_member(cast.team_b, cast.alice, Role.APPROVER)
    assert client.get("/audit/export/?content=1").status_code == 403
    assert client.get("/audit/export/?content=1&team=team-a").status_code == 200
    assert "CSV with content" not in client.get("/audit/").content.decode()


@pytest.mark.django_db
def test_a_broken_export_is_told(cast: Cast) -> None:
    assert client_of(cast.alice).get("/audit/export/?format=xlsx").status_code == 400


@pytest.mark.django_db(transaction=True)
async def test_it_streams_under_asgi_without_a_warning() -> None:
    from asgiref.sync import sync_to_async

    def prepare() -> tuple[object, str]:
        user = make.make_user("alice@example.com")
        team = make.make_team("Team A", owner=user)
        return user, request_id(a_call(team, alias="x"))

    user, identifier = await sync_to_async(prepare)()
    client = AsyncClient()
    await client.aforce_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")  # type: ignore[arg-type]
    response = await client.get("/audit/export/?format=jsonl&alias=x")
    assert response.is_async
    body = b"".join([piece async for piece in response.streaming_content])
    assert identifier in body.decode()


@pytest.mark.django_db(transaction=True)
def test_the_live_view_brings_what_was_committed_since() -> None:
    alice, team, other = make.make_user(), make.make_team("Team A"), make.make_team("Team B")
    make.make_member(team, alice, Role.AUDITOR)
    client = client_of(alice)
    until_finished()
    page = client.get("/audit/?live=1&type=chat")

    def poll(body: str) -> str:
        """Ask where the page would ask next."""
        url = html.unescape(body.partition('<tr id="tail" hidden hx-get="')[2].partition('"')[0])
        return client.get(url).content.decode()

    before = poll(page.content.decode())
    assert "data-id" not in before
    mine, foreign, wrong = a_call(team), a_call(other), a_call(team, type="embedding")
    until_finished()
    body = poll(before)
    assert str(mine) in body and str(foreign) not in body and str(wrong) not in body
    assert str(mine) not in poll(body), "each record comes once"


@pytest.mark.django_db(transaction=True)
def test_the_live_view_looks_into_content_only_after_a_recorded_search() -> None:
    alice, team = make.make_user(), make.make_team("Team A")
    make.make_member(team, alice, Role.AUDITOR)
    client = client_of(alice)
    until_finished()
    page = client.get("/audit/?live=1&q=zebra").content.decode()
    url = html.unescape(page.partition('<tr id="tail" hidden hx-get="')[2].partition('"')[0])
    found = str(a_call(team, content=a_chat("zebra", "Here.")))
    until_finished()
    assert found in client.get(url).content.decode()
    assert found not in client.get("/audit/tail/?q=zebra&after=0&polls=0").content.decode()
    assert found not in client.get(url.replace("zebra", "Here")).content.decode(), "the proof is for one filter"
    assert AuditEvent.objects.filter(action="audit.searched").count() == 1


@pytest.mark.django_db
def test_the_live_view_ends_by_itself(cast: Cast) -> None:
    client = client_of(cast.alice)
    assert client.get("/audit/tail/?after=0&polls=899").status_code == 200
    ended = client.get("/audit/tail/?after=0&polls=900")
    assert ended.status_code == 286 and "hx-trigger" not in ended.content.decode()
    assert client.get("/audit/tail/?after=x&polls=0").status_code == 400
