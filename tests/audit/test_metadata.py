"""What calls were for: found in the log, and covered by its seal."""

import csv
import html
import io
import json
import re
import uuid
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.audit.search import Criteria
from console.audit.services.seal import seal
from console.audit.services.verify import verify
from console.audit.sql import search
from console.core.ids import request_id
from tests.audit.calls import a_call, until_finished
from tests.audit.test_page import HTMX, ids_on, text
from tests.audit.test_seal import tamper
from tests.conftest import Cast
from tests.make import client_of

BOOKS = {"project": "books", "tier": "gold"}


def labelled(team: Any, metadata: dict[str, str] | None = None, **more: Any) -> str:
    """The id of a call that says what it was for."""
    return str(a_call(team, metadata=json.dumps(BOOKS if metadata is None else metadata), **more))


@pytest.mark.django_db(transaction=True)
def test_the_seal_covers_it(cast: Cast) -> None:
    call, plain = labelled(cast.team_a), str(a_call(cast.team_a, end_user="customer-1"))
    until_finished()
    seal()
    assert list(verify()) == []
    changes = [(call, {**BOOKS, "tier": "lead"}), (call, None), (call, {}), (plain, BOOKS)]
    for changed, to in changes:
        tamper("UPDATE audit_event SET metadata = %s WHERE id = %s", None if to is None else json.dumps(to), changed)
        (problem,) = verify()
        assert "was changed" in problem.what
        before = json.dumps(BOOKS) if changed == call else None
        tamper("UPDATE audit_event SET metadata = %s WHERE id = %s", before, changed)
        assert list(verify()) == []


@pytest.mark.django_db
def test_a_line_without_it_is_digested_as_before(cast: Cast) -> None:
    """Blocks of the version before stay what they are, and its processes check new ones alike."""
    with connection.cursor() as cursor:
        digest = import_module("console.audit.migrations.0009_kinds_of_tokens").DIGEST
        cursor.execute(digest.replace("audit_digest_1", "digest_before"))
        for row in ({}, {"end_user": "customer-1"}, {"token_kinds": "{}"}):
            call = a_call(cast.team_a, reason='odd "text" \\ ]', **row)
            cursor.execute("SELECT audit_digest_1(e) = digest_before(e) FROM audit_event e WHERE id = %s", [call])
            assert cursor.fetchone() == (True,)


@pytest.mark.django_db
def test_it_finds_the_calls_of_a_pair(cast: Cast) -> None:
    mine, films = labelled(cast.team_a), labelled(cast.team_a, {"project": "films"})
    foreign = labelled(cast.team_b)
    a_call(cast.team_a)
    client = client_of(cast.alice)

    def found(said: str) -> list[str]:
        return ids_on(client.get("/audit/", {"metadata": said}))

    assert found("project=books") == [mine] == found(" project = books ") == found("tier=gold")
    assert set(found("project")) == {mine, films} and found("tier") == [mine]
    for nothing in ("project=book", "Project=books", "books", "project=", "=books", "=", "project=books=", "a\0=b"):
        assert found(nothing) == [], nothing
    both = ids_on(client_of(cast.operator).get("/audit/?metadata=project%3Dbooks"))
    assert set(both) == {mine, foreign}
    assert ids_on(client.get("/audit/?metadata=project%3Dbooks&status=error")) == []
    page = text(client.get("/audit/?metadata=project%3Dbooks"))
    assert "Metadata: <b>project=books</b>" in page
    (row,) = client.get("/api/audit/events/?metadata=project%3Dbooks").json()["data"]
    assert (row["request_id"], row["metadata"]) == (f"req_{mine.replace('-', '')}", BOOKS)
    assert {row["metadata"] is None for row in client.get("/api/audit/events/").json()["data"]} == {True, False}
    assert client.get(f"/api/audit/events/{row['request_id']}/").json()["metadata"] == BOOKS
    assert client.get("/api/audit/events/?metadata=" + "x" * 601).status_code == 400


@pytest.mark.django_db
def test_names_may_have_equals_signs(cast: Cast) -> None:
    calls = {labelled(cast.team_a, {"a": "b=c"}), labelled(cast.team_a, {"a=b": "c"})}
    labelled(cast.team_a, {"a": "b", "c": "c"})
    assert set(ids_on(client_of(cast.alice).get("/audit/?metadata=a%3Db%3Dc"))) == calls


@pytest.mark.django_db
def test_it_stands_on_the_record_as_text_and_leads_to_the_others(cast: Cast) -> None:
    evil = '"><script>alert(1)</script>\u202e&x=1'
    call = labelled(cast.team_a, {"project": "books", evil: evil})
    client = client_of(cast.alice)
    page = text(client.get(f"/audit/{request_id(uuid.UUID(call))}/", headers=HTMX))
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert '?metadata=project%3Dbooks"' in page
    leads = [html.unescape(path) for path in re.findall(r'href="(/audit/\?metadata=[^"]*)"', page)]
    assert len(leads) == 2 and all(ids_on(client.get(path)) == [call] for path in leads)


@pytest.mark.django_db
def test_it_leaves_with_exports(cast: Cast) -> None:
    labelled(cast.team_a, {"=1+1": "=1+1"})
    labelled(cast.team_a)
    a_call(cast.team_a)
    client = client_of(cast.alice)
    for address in ("/audit/export/", "/api/audit/export/"):
        sent = client.get(address, {"metadata": "project=books", "format": "csv"})
        (row,) = csv.DictReader(io.StringIO(b"".join(sent.streaming_content).decode()))
        assert json.loads(row["metadata"]) == BOOKS
    sent = client.get("/audit/export/", {"type": "chat", "format": "jsonl"})
    lines = [json.loads(line)["metadata"] for line in b"".join(sent.streaming_content).splitlines()]
    assert len(lines) == 3 and all(one in lines for one in (BOOKS, None, {"=1+1": "=1+1"}))
    sent = client.get("/audit/export/", {"type": "chat", "format": "csv"})
    cells = [row["metadata"] for row in csv.DictReader(io.StringIO(b"".join(sent.streaming_content).decode()))]
    assert "" in cells and not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


@pytest.mark.django_db
def test_who_may_not_see_the_log_finds_nothing(cast: Cast) -> None:
    labelled(cast.team_a)
    for address in ("/audit/?metadata=project", "/api/audit/events/?metadata=project"):
        assert client_of(cast.bob).get(address).status_code == 403, "a member without the right"


@pytest.mark.django_db
def test_an_index_finds_a_pair(cast: Cast) -> None:
    with CaptureQueriesContext(connection) as asked:
        search.find(Criteria(None, metadata="project=books"))
    asks = [query["sql"] for query in asked if "metadata @>" in query["sql"]]
    condition = re.search(r"e\.metadata IS NOT NULL AND \(.*?\)", asks[0])[0]  # type: ignore[index]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN SELECT e.id FROM audit_event e WHERE {condition}")
        assert "_metadata" in "\n".join(line for (line,) in cursor)
        cursor.execute(
            "SELECT count(*) FILTER (WHERE NOT x.indisvalid OR c.reloptions IS DISTINCT FROM"
            " ARRAY['gin_pending_list_limit=256']), count(*) FROM pg_index x JOIN pg_class c"
            " ON c.oid = x.indexrelid WHERE c.relname = 'audit_event_metadata'"
            " OR x.indexrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'audit_event_metadata'::regclass)"
        )
        invalid, whole = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit_event'::regclass")
        assert (invalid, whole) == (0, cursor.fetchone()[0] + 1), "every partition has it"
