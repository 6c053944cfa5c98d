"""A batch from a table: rows become calls of a prompt, and the answers come back beside them."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from console.audit.models import AuditEvent
from console.batches import tables
from console.batches.models import Batch
from console.batches.services.batches import delete_batch
from console.core.errors import Gone
from console.teams.actors import SYSTEM
from prompts_app.models import Prompt
from tests import make
from tests.batches.conftest import content
from tests.conftest import Cast
from tests.gateway.conftest import World
from tests.make import client_of

Run = Callable[[Batch], Batch]
URL = "/batches/new/table/"
VARIABLES = [
    {"name": "product", "type": "text", "is_required": True},
    {"name": "words", "type": "number", "is_required": False, "default": 20},
]


def given(world: World, table: bytes | str, **fields: Any) -> dict[str, Any]:
    raw = table if isinstance(table, bytes) else table.encode()
    file = SimpleUploadedFile("slogans.csv", raw)
    return {
        "team": world.team.slug,
        "prompt": "support/slogan",
        "model": "support-chat",
        "environment": "production",
        "file": file,
    } | fields


@pytest.fixture
def prompt(world: World) -> Prompt:
    return make.make_prompt(
        world.team, "support/slogan", "A slogan of {{words}} words for {{product}}.", variables=VARIABLES
    )


@pytest.fixture
def author(world: World) -> Client:
    return client_of(make.make_member(world.team))


def test_rows_become_calls_and_the_answers_come_back_beside_them(
    world: World, prompt: Prompt, author: Client, run: Run
) -> None:
    page = author.get(URL).text
    assert 'value="support/slogan"' in page and 'value="support-chat"' in page
    table = '\ufeffid;product;words;shelf;message\r\nshoe-1;"Trail; shoe";5;A3;Funny please;\r\n;=Tent;;B1;\r\n;;;;\r\n'
    answer = author.post(URL, given(world, table), follow=True)
    assert "2 rows queued" in answer.text and "Columns not used: shelf." in answer.text
    batch = Batch.objects.get()
    lines = content(batch.input_file)
    assert [one["custom_id"] for one in lines] == ["shoe-1", "row-3"]
    assert lines[0]["body"] == {
        "model": "support-chat",
        "prompt": {"id": "support/slogan", "version": 1, "variables": {"product": "Trail; shoe", "words": 5}},
        "messages": [{"role": "user", "content": "Funny please"}],
    }
    assert lines[1]["body"]["prompt"]["variables"] == {"product": "=Tent"} and "messages" not in lines[1]["body"]
    assert author.get(f"/batches/{batch.pk}/table.csv").status_code == 404, "it is not over"
    world.upstream.enqueue({"error": {"message": "No."}}, status=400)
    batch = run(batch)
    assert (batch.state, batch.completed, batch.failed) == ("completed", 1, 1)
    assert "Table, CSV" in author.get(f"/batches/{batch.pk}/").text
    response = author.get(f"/batches/{batch.pk}/table.csv")
    assert response["Content-Type"].startswith("text/csv") and "no-store" in response["Cache-Control"]
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode()))}
    assert list(rows) == ["shoe-1", "row-3"]
    assert (rows["shoe-1"]["product"], rows["shoe-1"]["words"], rows["row-3"]["words"]) == ("Trail; shoe", "5", "")
    assert rows["shoe-1"]["message"] == "Funny please"
    assert sorted(row["answer"] for row in rows.values()) == ["", "Hello there."]
    assert sorted(row["error"] for row in rows.values()) == ["", "The model refused the request: No."]
    assert rows["row-3"]["product"] == "'=Tent", "no cell is a formula"
    assert AuditEvent.objects.filter(action="file.read").count() == 2, "both files were read"


def test_it_says_which_row_cannot_be_asked_and_why(world: World, prompt: Prompt, author: Client) -> None:
    cases = [
        ("", {}, "The table is empty."),
        ("product\n", {}, "no rows below its first"),
        ("name\nTent\n", {}, "names no column product; the prompt has the variables product, words"),
        ("product,words\nTent,many\n", {}, "Row 2: "),
        ("product,words\nTent,5\n,5\n", {}, "Row 3: "),
        ("id,product\na,Tent\na,Shoe\n", {}, "Rows 2 and 3 have the same id"),
        ("product,product\nTent,Shoe\n", {}, "Two columns are called"),
        ("product\nTent,Shoe\n", {}, "Row 2 has 2 cells, the first row has 1."),
        ('product\n"Tent\n', {}, "this is no CSV"),
        ("product\nTänt\n".encode("latin-1"), {}, "CSV UTF-8"),
        ("product\nTent\n", {"prompt": "support/nothing"}, "support/nothing"),
        ("product\nTent\n", {"prompt": "support/slogan:canary"}, "No version of it is published as canary"),
        ("product\nTent\n", {"prompt": "support/slogan@7"}, "7"),
        ("product\nTent\n", {"prompt": "{{x}}"}, "Write a prompt&#x27;s name"),
        ("product\nTent\n", {"model": "nobody"}, "may call no alias"),
        (",".join(map(str, range(501))) + "\n", {}, "at most 500 columns; this has 501"),
        (f"product\n{'x' * 131_073}\n", {}, "Line 2: a cell has at most 131,072 characters"),
        (f"id,product\n{'x' * 513},Tent\n", {}, "Row 2: an id has at most 512 characters"),
    ]
    for table, fields, said in cases:
        answer = author.post(URL, given(world, table, **fields))
        assert answer.status_code == 422 and said in answer.text, (table, fields, said)
    assert not Batch.objects.exists()


def test_a_prompt_of_another_team_is_asked_only_where_it_is_shared(
    world: World, prompt: Prompt, author: Client, cast: Cast
) -> None:
    prompt.team = cast.team_b
    prompt.save(update_fields=["team"])
    operator = client_of(cast.operator)
    answer = operator.post(URL, given(world, "product\nTent\n"))
    assert answer.status_code == 422 and "is only for Team B" in answer.text and not Batch.objects.exists()
    prompt.visibility = "organisation"
    prompt.save(update_fields=["visibility"])
    assert author.post(URL, given(world, "product\nTent\n")).status_code == 302


def test_variables_keep_their_names_beside_the_columns_of_a_batch(world: World, author: Client, run: Run) -> None:
    text = "Is {{answer}} right for {{id}}? {{strict}}"
    strict = {"name": "strict", "type": "json", "is_required": False}
    make.make_prompt(world.team, "support/judge", text, variables=[strict])
    table = 'id;answer;"a, b, c";strict\r7;Yes;;true\r7;No;;\r'
    author.post(URL, given(world, table, prompt="support/judge"))
    batch = run(Batch.objects.get())
    response = author.get(f"/batches/{batch.pk}/table.csv")
    assert b"".join(response.streaming_content).decode().splitlines() == [
        "batch_id,id,answer,strict,batch_answer,error",
        "row-2,7,Yes,true,Hello there.,",
        "row-3,7,No,,Hello there.,",
    ]


def test_what_programs_wrote_makes_no_more_columns_than_a_table_may_have(
    world: World, author: Client, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_MOST_COLUMNS", 3)
    lines = [
        {"custom_id": f"{n}", "method": "POST", "url": tables.ENDPOINT, "body": body}
        for n in range(3)
        if (body := {"model": "support-chat", "prompt": {"id": "x", "variables": {f"v{n}{m}": m for m in range(2)}}})
    ]
    raw = "\n".join(map(json.dumps, lines)).encode()
    fields = {"team": world.team.slug, "environment": "production", "endpoint": tables.ENDPOINT}
    author.post("/batches/new/", fields | {"file": SimpleUploadedFile("calls.jsonl", raw)})
    response = author.get(f"/batches/{run(Batch.objects.get()).pk}/table.csv")
    head, *rows = b"".join(response.streaming_content).decode().splitlines()
    assert head == "id,v00,v01,v10,answer,error" and len(rows) == 3


def test_columns_that_nothing_is_made_of_are_named_in_short(world: World, prompt: Prompt, author: Client) -> None:
    extra = ["x" * 1000, *(f"c{number}" for number in range(9))]
    answer = author.post(URL, given(world, ",".join(["product", *extra]) + "\nTent\n"), follow=True)
    assert f"{'x' * 39}…, c0, c1, c2, c3 and 5 more." in answer.text and "x" * 50 not in answer.text


def test_programs_send_and_read_the_same(world: World, prompt: Prompt, run: Run) -> None:
    program, key = Client(), {"Authorization": f"Bearer {world.key_text}"}
    assert "Fill from a table" in client_of(make.make_member(world.team)).get("/prompts/support/slogan/").text
    body = {name: value for name, value in given(world, "product\nTent\n").items() if name != "environment"}
    made = program.post("/api/batches/", body, headers=key)
    assert made.status_code == 201 and made.json()["name"] == "slogans.jsonl", made.text
    batch = run(Batch.objects.get())
    table = program.get(f"/api/batches/{batch.public_id}/files/table/", headers=key)
    assert b"".join(table.streaming_content) == b"id,product,answer,error\r\nrow-2,Tent,Hello there.,\r\n"
    body["file"] = SimpleUploadedFile("slogans.csv", b"name\nTent\n")
    refused = program.post("/api/batches/", body, headers=key)
    assert refused.status_code == 400 and "no column product" in refused.json()["error"]["message"]
    for wrong, param in (
        ({"endpoint": "/v1/embeddings"}, "endpoint"),
        ({"model": f"support-chat@{'x' * 100}"}, "model"),
        ({"prompt": "x" * 301}, "prompt"),
    ):
        body |= {"file": SimpleUploadedFile("slogans.csv", b"product\nTent\n")}
        refused = program.post("/api/batches/", body | wrong, headers=key)
        assert refused.status_code == 400 and refused.json()["error"]["param"] == param, refused.text
    alone = {name: body[name] for name in ("team", "model")} | {"file": SimpleUploadedFile("calls.jsonl", b"{}")}
    assert program.post("/api/batches/", alone, headers=key).json()["error"]["param"] == "model"


def test_it_is_for_those_who_may_call_models_and_read_the_answers(
    world: World, prompt: Prompt, author: Client, run: Run, cast: Cast
) -> None:
    author.post(URL, given(world, "product\nTent\n"))
    batch = run(Batch.objects.get())
    assert client_of(make.make_member(world.team)).get(f"/batches/{batch.pk}/table.csv").status_code == 403
    assert client_of(cast.charlie).get(f"/batches/{batch.pk}/table.csv").status_code == 404
    answer = client_of(cast.charlie).post(URL, given(world, "product\nTent\n"))
    assert answer.status_code == 422 and Batch.objects.count() == 1
    auditor = make.make_member(world.team, role="auditor")
    assert client_of(auditor).get(URL).status_code == 403
    assert client_of(auditor).get(f"/batches/{batch.pk}/table.csv").status_code == 200


def test_a_table_of_a_batch_that_is_deleted_meanwhile_breaks_off(
    world: World, prompt: Prompt, author: Client, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that ended as usual would say that those were all its rows."""
    monkeypatch.setattr(tables, "_LINES_AT_ONCE", 1)
    monkeypatch.setattr(tables, "_BYTES_AT_ONCE", 1)
    author.post(URL, given(world, "product\nTent\nTarp\n"))
    batch = run(Batch.objects.get())
    sent = tables.table_of(batch)
    assert b"Tent" in next(sent)
    delete_batch(actor=SYSTEM, batch=Batch.objects.get())
    with pytest.raises(Gone):
        list(sent)
