"""Whose calls they were: found in the log, and covered by its seal."""

import csv
import io
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.audit.redaction import kept_name
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


@pytest.mark.django_db
def test_it_finds_the_calls_of_one(cast: Cast) -> None:
    mine = a_call(cast.team_a, end_user="customer-1")
    others = a_call(cast.team_a, end_user="customer-2")
    foreign = a_call(cast.team_b, end_user="customer-1")
    a_call(cast.team_a)
    client = client_of(cast.alice)
    assert ids_on(client.get("/audit/?end_user=customer-1")) == [str(mine)]
    assert ids_on(client.get("/audit/?end_user=customer")) == [], "whole names only"
    assert ids_on(client.get("/audit/?end_user=%20customer-1%20")) == [str(mine)]
    assert set(ids_on(client.get("/audit/?q=customer&type=chat"))) == {str(mine), str(others)}
    both = ids_on(client_of(cast.operator).get("/audit/?end_user=customer-1"))
    assert set(both) == {str(mine), str(foreign)}
    assert ids_on(client.get("/audit/?end_user=a%00b")) == [], "PostgreSQL is asked for no NUL"
    page = text(client.get("/audit/?end_user=customer-1"))
    assert "End user: <b>customer-1</b>" in page
    (row,) = client.get("/api/audit/events/?end_user=customer-1").json()["data"]
    assert (row["request_id"], row["end_user"]) == (request_id(mine), "customer-1")
    assert client.get("/api/audit/events/?end_user=" + "x" * 1001).status_code == 400


@pytest.mark.django_db
def test_a_long_name_is_found_by_what_it_was(cast: Cast) -> None:
    name = "long " * 60
    call = a_call(cast.team_a, end_user=kept_name("user", name))
    assert ids_on(client_of(cast.alice).get("/audit/", {"end_user": name})) == [str(call)]


@pytest.mark.django_db
def test_it_stands_on_the_record_as_text_and_leads_to_the_others(cast: Cast) -> None:
    evil = '"><script>alert(1)</script>\u202e&x=1'
    call = a_call(cast.team_a, end_user=evil)
    page = text(client_of(cast.alice).get(f"/audit/{request_id(call)}/", headers=HTMX))
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "?end_user=%22%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E%E2%80%AE%26x%3D1" in page


@pytest.mark.django_db
def test_it_leaves_with_exports_and_is_no_formula(cast: Cast) -> None:
    a_call(cast.team_a, end_user="=1+1")
    a_call(cast.team_a, end_user="else")
    client = client_of(cast.alice)
    for address in ("/audit/export/", "/api/audit/export/"):
        sent = client.get(address, {"end_user": "=1+1", "format": "csv"})
        (row,) = csv.DictReader(io.StringIO(b"".join(sent.streaming_content).decode()))
        assert row["end_user"] == "'=1+1"
    sent = client.get("/audit/export/", {"end_user": "=1+1", "format": "jsonl"})
    (line,) = b"".join(sent.streaming_content).splitlines()
    assert json.loads(line)["end_user"] == "=1+1"


@pytest.mark.django_db
def test_who_may_not_see_the_log_finds_nobody(cast: Cast) -> None:
    a_call(cast.team_a, end_user="customer-1")
    for address in ("/audit/?end_user=customer-1", "/api/audit/events/?end_user=customer-1"):
        assert client_of(cast.bob).get(address).status_code == 403, "a member without the right"


@pytest.mark.django_db
def test_one_index_finds_them_in_order(cast: Cast) -> None:
    criteria = Criteria(None, end_user="customer-1")
    assert criteria.has_index and not Criteria(None, end_user="customer-1", text="a").has_index
    with CaptureQueriesContext(connection) as asked:
        search.find(criteria)
    (sql,) = [query["sql"] for query in asked if "end_user" in query["sql"] and "SELECT" in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN " + sql)
        plan = "\n".join(line for (line,) in cursor)
        assert "_end_user on audit_event" in plan and "->  Sort" not in plan
        cursor.execute(
            "SELECT count(*) FILTER (WHERE NOT x.indisvalid), count(*) FROM pg_index x JOIN pg_class c"
            " ON c.oid = x.indexrelid WHERE c.relname = 'audit_event_end_user'"
            " OR x.indexrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'audit_event_end_user'::regclass)"
        )
        invalid, whole = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit_event'::regclass")
        assert (invalid, whole) == (0, cursor.fetchone()[0] + 1), "every partition has it"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["someone-else", ""])
def test_the_seal_covers_it(cast: Cast, name: str) -> None:
    named, nobodys = str(a_call(cast.team_a, end_user="customer-1")), str(a_call(cast.team_a))
    until_finished()
    seal()
    assert list(verify()) == []
    for changed, to in ((named, name), (nobodys, name or "customer-1")):
        tamper("UPDATE audit_event SET end_user = %s WHERE id = %s", to, changed)
        (problem,) = verify()
        assert "was changed" in problem.what
        tamper("UPDATE audit_event SET end_user = %s WHERE id = %s", "customer-1" if changed == named else "", changed)
        assert list(verify()) == []


@pytest.mark.django_db
def test_a_line_without_one_is_digested_as_before(cast: Cast) -> None:
    """Blocks of the version before stay what they are, and its processes check new ones alike."""
    call = a_call(cast.team_a, reason='odd "text" \\ ]')
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT audit_digest_1(e) = sha256(convert_to(json_build_array(e.id, e.tx, (extract(epoch FROM e.at) *"
            " 1000000)::bigint, (extract(epoch FROM e.closed_at) * 1000000)::bigint, e.type, e.action, e.status,"
            " e.http_status, e.code, e.reason, e.team_id, e.team, e.actor_kind, e.actor_id, e.actor, e.key_id, e.key,"
            " e.environment, e.lane, e.surface, e.route, e.client_address, e.client_request_id, e.alias, e.model,"
            " e.model_version_id, e.prompt, e.agent, e.stream, e.attempts, e.prompt_tokens, e.cached_tokens,"
            " e.completion_tokens, e.reasoning_tokens, e.cost_micros, e.usage_note, e.latency_us, e.first_token_us,"
            " e.overhead_us, e.epoch, encode(e.input_sha256, 'hex'), encode(e.output_sha256, 'hex'), e.target_type,"
            " e.target_id, e.target, e.detail)::text, 'UTF8')) FROM audit_event e WHERE id = %s",
            [call],
        )
        assert cursor.fetchone() == (True,)
