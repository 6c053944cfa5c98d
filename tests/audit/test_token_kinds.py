"""Of which kinds the tokens of a call were: on its record, in exports, and covered by the seal."""

import csv
import io
import json
from importlib import import_module

import pytest
from django.db import connection

from console.audit.services.seal import seal
from console.audit.services.verify import verify
from console.core.ids import request_id
from tests.audit.calls import a_call, until_finished
from tests.audit.test_page import HTMX, text
from tests.audit.test_seal import tamper
from tests.conftest import Cast
from tests.make import client_of

KINDS = '{"cache_write_tokens":600,"cache_write_1h_tokens":200,"audio_input_tokens":50}'


@pytest.mark.django_db
def test_they_stand_on_the_record_in_the_api_and_in_exports(cast: Cast) -> None:
    call, plain = a_call(cast.team_a, token_kinds=KINDS, cached_tokens=300), a_call(cast.team_a)
    client = client_of(cast.alice)
    page = text(client.get(f"/audit/{request_id(call)}/", headers=HTMX))
    assert (
        "Cache read" in page and ">600 tokens" in page and "200 for an hour" in page and "50 tokens in, 0 out" in page
    )
    assert "Cache written" not in text(client.get(f"/audit/{request_id(plain)}/", headers=HTMX))
    said = {row["request_id"]: row for row in client.get("/api/audit/events/").json()["data"]}
    names = ("cached_tokens", "cache_write_tokens", "cache_write_1h_tokens", "audio_input_tokens")
    assert [said[request_id(call)][name] for name in names] == [300, 600, 200, 50]
    assert [said[request_id(plain)][name] for name in names] == [0, 0, 0, 0]
    assert client.get(f"/api/audit/events/{request_id(call)}/").json()["cache_write_tokens"] == 600
    sent = b"".join(client.get("/audit/export/", {"format": "csv"}).streaming_content).decode()
    rows = {row["request_id"]: row for row in csv.DictReader(io.StringIO(sent))}
    assert [rows[request_id(call)][name] for name in names] == ["300", "600", "200", "50"]
    assert [rows[request_id(plain)][name] for name in names] == ["0", "0", "0", "0"]
    sent = b"".join(client.get("/audit/export/", {"format": "jsonl"}).streaming_content)
    lines = {line["request_id"]: line for line in map(json.loads, sent.splitlines())}
    assert lines[request_id(call)]["cache_write_1h_tokens"] == 200


@pytest.mark.django_db(transaction=True)
def test_the_seal_covers_them(cast: Cast) -> None:
    marked = str(a_call(cast.team_a, token_kinds=KINDS, end_user="customer-1"))
    nobodys = str(a_call(cast.team_a, token_kinds=KINDS))
    plain, named = str(a_call(cast.team_a)), str(a_call(cast.team_a, end_user=KINDS))
    until_finished()
    seal()
    assert list(verify()) == []
    for changed, before, after in (
        (marked, (KINDS, "customer-1"), (KINDS.replace("6", "7"), "customer-1")),
        (marked, (KINDS, "customer-1"), ("", "customer-1")),
        (nobodys, (KINDS, ""), ("", KINDS)),
        (plain, ("", ""), (KINDS, "")),
        (named, ("", KINDS), (KINDS, "")),
    ):
        tamper("UPDATE audit_event SET token_kinds = %s, end_user = %s WHERE id = %s", *after, changed)
        (problem,) = verify()
        assert "was changed" in problem.what
        tamper("UPDATE audit_event SET token_kinds = %s, end_user = %s WHERE id = %s", *before, changed)
        assert list(verify()) == []


@pytest.mark.django_db
def test_a_line_without_them_is_digested_as_before(cast: Cast) -> None:
    before = import_module("console.audit.migrations.0007_whose_call_it_was").DIGEST
    calls = [a_call(cast.team_a), a_call(cast.team_a, end_user='cus"tomer')]
    with connection.cursor() as cursor:
        cursor.execute(before.replace("audit_digest_1", "pg_temp.digest_before"))
        cursor.execute(
            "SELECT audit_digest_1(e) = pg_temp.digest_before(e) FROM audit_event e WHERE id = ANY(%s)", [calls]
        )
        assert cursor.fetchall() == [(True,), (True,)]
