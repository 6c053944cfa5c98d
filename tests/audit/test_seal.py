"""The seal: whatever is done to sealed records shows."""

import io
import json
import os
import uuid
from collections.abc import Callable
from hashlib import sha256

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from console.audit.models import AuditEvent, Seal, SealState
from console.audit.services.seal import GENESIS, seal
from console.audit.services.verify import Report, verify, verify_some
from console.core.ids import request_id
from console.embedded import sql
from console.teams.models import Team
from tests import make
from tests.audit.calls import a_call, a_chat, run, until_finished
from tests.make import client_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sealed() -> list[str]:
    """Three blocks of two calls each; their ids in order."""
    team = make.make_team("Team A")
    until_finished()
    seal()
    ids = []
    for _ in range(3):
        for _ in range(2):
            ids.append(str(a_call(team, content=a_chat("What now?", "Sign in again."))))
        until_finished()
        seal()
    return ids


def tamper(statement: str, *values: object) -> None:
    """Do as the owner of the tables, without their triggers: what a thief of the database would."""
    with transaction.atomic():
        run("SET LOCAL session_replication_role = replica")
        run(statement, *values)


def problems() -> list[str]:
    return [str(problem) for problem in verify()]


def test_it_seals_every_finished_record_once(sealed: list[str]) -> None:
    assert sum(Seal.objects.values_list("rows", flat=True)) == AuditEvent.objects.count()
    assert seal() == (0, 0)
    assert problems() == []
    blocks = list(Seal.objects.order_by("number"))
    assert bytes(blocks[0].previous) == GENESIS
    assert [b.number for b in blocks] == list(range(1, len(blocks) + 1))
    for before, after in zip(blocks, blocks[1:], strict=False):
        assert bytes(after.previous) == bytes(before.sha256) and after.from_tx == before.to_tx


def test_a_record_shows_its_block_and_the_whole_hash(sealed: list[str]) -> None:
    owner = make.make_member(Team.objects.get(slug="team-a"), role="owner")
    block = Seal.objects.get(number=Seal.objects.count())
    page = client_of(owner).get(f"/audit/{request_id(uuid.UUID(sealed[-1]))}/").text
    assert f"Sealed in block {block.number}" in page and bytes(block.sha256).hex() in page


def test_its_digest_can_be_made_without_the_database(sealed: list[str]) -> None:
    block = Seal.objects.get(number=Seal.objects.count())
    digests = b""
    for event in AuditEvent.objects.filter(tx__gte=block.from_tx, tx__lt=block.to_tx).order_by("tx", "id"):
        values = []
        for field in AuditEvent._meta.concrete_fields:
            value = getattr(event, field.attname)
            if hasattr(value, "timestamp"):
                value = round(value.timestamp() * 1_000_000)
            elif isinstance(value, bytes | memoryview):
                value = bytes(value).hex()
            elif value is not None and not isinstance(value, bool | int | str):
                value = str(value)
            values.append(value)
        later = [values.pop() for _ in range(3)]
        assert later == [None, "", ""], "what came later belongs to the text of those that say so"
        digests += sha256(json.dumps(values, ensure_ascii=False).encode()).digest()
    head = f"{block.number}:{block.from_tx}:{block.to_tx}:{block.rows}:".encode()
    assert sha256(bytes(block.previous) + head + digests).digest() == bytes(block.sha256)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda i: tamper("UPDATE audit_event SET cost_micros = 1 WHERE id = %s", i[2]), "was changed"),
        (lambda i: tamper("UPDATE audit_event SET reason = 'x' WHERE id = %s", i[2]), "was changed"),
        (lambda i: tamper("UPDATE audit_event SET key_id = team_id WHERE id = %s", i[2]), "was changed"),
        (lambda i: tamper("DELETE FROM audit_event WHERE id = %s", i[2]), "1 of 2 records are missing"),
        (
            lambda i: tamper(
                "INSERT INTO audit_event (id, tx, at, type, status) SELECT gen_random_uuid(), tx, at, type, status"
                " FROM audit_event WHERE id = %s",
                i[2],
            ),
            "1 records were added to 2",
        ),
        (
            lambda i: tamper(
                "UPDATE audit_event e SET tx = (SELECT sum(tx) FROM audit_event WHERE id IN (%s, %s)) - e.tx"
                " WHERE id IN (%s, %s)",
                i[2], i[3], i[2], i[3],
            ),
            "was changed",
        ),
    ],
    ids=["a figure", "a text", "an id", "missing", "added", "reordered"],
)  # fmt: skip
def test_it_shows_what_was_done_to_records(sealed: list[str], change: Callable[[list[str]], None], words: str) -> None:
    change(sealed)
    found = problems()
    assert found and words in found[0]
    assert f"Block {Seal.objects.count() - 1}:" in found[0], "it names the block of the record"
    with pytest.raises(CommandError, match="not what was sealed"):
        call_command("verifyaudit", stderr=io.StringIO())


def test_it_shows_a_block_that_is_gone(sealed: list[str]) -> None:
    tamper("DELETE FROM audit_seal WHERE number = 2")
    assert any("Block 2: the blocks up to 2 are missing" in p for p in problems())


def test_it_shows_a_block_that_was_made_anew(sealed: list[str]) -> None:
    tamper("UPDATE audit_event SET cost_micros = 1 WHERE id = %s", sealed[0])
    number = Seal.objects.count() - 2
    tamper(
        "UPDATE audit_seal s SET sha256 = (SELECT audit_block_hash(s.previous, s.number, s.from_tx, s.to_tx, s.rows,"
        " string_agg(audit_digest_1(e), ''::bytea ORDER BY tx, id)) FROM audit_event e"
        " WHERE e.tx >= s.from_tx AND e.tx < s.to_tx) WHERE number = %s",
        number,
    )
    assert problems() == [f"Block {number + 1}: it does not follow the block before it"]


def test_it_shows_an_end_that_was_cut_off_when_its_head_was_kept(sealed: list[str]) -> None:
    report = Report()
    assert list(verify(report=report)) == []
    tamper("DELETE FROM audit_seal WHERE number = %s", report.last_number)
    assert problems() == []
    with pytest.raises(CommandError):
        call_command("verifyaudit", expect=f"{report.last_number}:{report.head.hex()}", stderr=io.StringIO())


def test_it_compares_content(sealed: list[str]) -> None:
    assert list(verify(content=True)) == []
    tamper("UPDATE audit_payload SET body = 'else' WHERE event_id = %s AND kind = 'input'", sealed[2])
    tamper("DELETE FROM audit_payload WHERE event_id = %s AND kind = 'output'", sealed[3])
    assert problems() == []
    changed, missing = sorted((str(p) for p in verify(content=True)), key=lambda said: "output" in said)
    assert "input of req_" in changed and "was changed" in changed
    assert "output of req_" in missing and "is missing" in missing


def test_it_compares_content_of_a_record_that_was_added(sealed: list[str]) -> None:
    """Its id may lie before or after those of every block: the transaction says which block it is in."""
    tamper(
        "INSERT INTO audit_event SELECT (json_populate_record(e, json_build_object("
        "'id', 'ffffffff-ffff-7fff-bfff-ffffffffffff'))).* FROM audit_event e WHERE id = %s",
        sealed[2],
    )
    number = Seal.objects.count() - 1
    said = [str(problem) for problem in verify(content=True)]
    assert [words.partition(":")[0] for words in said] == [f"Block {number}"] * 3
    assert "1 records were added to 2" in said[0] and "input of req_" in said[1] and "is missing" in said[2]


def test_its_owner_cannot_change_it_by_mistake(sealed: list[str]) -> None:
    for statement in (
        "UPDATE audit_event SET cost_micros = 1",
        "DELETE FROM audit_event",
        "TRUNCATE audit_event",
        "TRUNCATE audit_payload",
        "UPDATE audit_payload SET body = ''",
        "DELETE FROM audit_seal",
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            run(statement)


def test_the_command_says_what_it_found(sealed: list[str]) -> None:
    out = io.StringIO()
    call_command("verifyaudit", stdout=out)
    assert (
        f"{AuditEvent.objects.count()} records in {Seal.objects.count()} blocks are what was sealed" in out.getvalue()
    )
    head = out.getvalue().partition("Head: ")[2].split()[0]
    call_command("verifyaudit", expect=head, stdout=out)
    out = io.StringIO()
    call_command("sealaudit", stdout=out)
    assert "sealed already" in out.getvalue()


def test_a_rolling_check_remembers_what_it_found(sealed: list[str]) -> None:
    assert verify_some() == []
    present = SealState.objects.get()
    assert present.verified_at and present.sealed_at and not present.problem
    tamper("UPDATE audit_event SET alias = 'x' WHERE id = %s", sealed[2])
    assert verify_some()
    assert "was changed" in SealState.objects.get().problem
    tamper("UPDATE audit_event SET alias = 'support-chat' WHERE id = %s", sealed[2])
    call_command("verifyaudit", stdout=io.StringIO())
    assert SealState.objects.get().problem == ""


def test_a_block_has_a_bounded_size() -> None:
    team = make.make_team("Team A")
    for _ in range(9):
        a_call(team)
    until_finished()
    blocks, rows = seal(block_rows=4)
    assert rows == AuditEvent.objects.count()
    assert blocks >= 3
    assert max(Seal.objects.values_list("rows", flat=True)) <= 4
    assert problems() == []


def test_a_record_under_way_is_left_for_the_next_block() -> None:
    team = make.make_team("Team A")
    with transaction.atomic():
        identifier = a_call(team)
        seal()
        assert not Seal.objects.filter(first_id=identifier).exists()
    until_finished()
    seal()
    event = AuditEvent.objects.get(pk=identifier)
    assert Seal.objects.filter(from_tx__lte=event.tx, to_tx__gt=event.tx).exists()
    assert problems() == []


def test_transactions_of_other_databases_hold_nothing_back() -> None:
    """Nor does one need rights to know whose they are, beyond those of the application's role."""
    with psycopg.connect(os.environ["FACET_TEST_DATABASE_URL"]) as another:
        assert another.info.dbname != connection.settings_dict["NAME"]
        theirs = another.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
        [(finished,)] = run("SELECT audit_tx()")
        with transaction.atomic():
            run("CREATE ROLE facet_test_reader")
            run("GRANT SELECT ON audit_clock TO facet_test_reader")
            run("SET LOCAL ROLE facet_test_reader")
            [(horizon, ours)] = run("SELECT audit_horizon(), audit_tx()")
            transaction.set_rollback(True)
    assert theirs is not None and theirs[0] < finished < horizon <= ours


def test_a_restored_log_counts_on_from_where_it_was(sealed: list[str]) -> None:
    """A new cluster counts transactions from a lower number, here from 10 million below."""
    with transaction.atomic():
        run("SET LOCAL session_replication_role = replica")
        run("UPDATE audit_event SET tx = tx + 10000000")
        run("DELETE FROM audit_seal")
    run("UPDATE audit_clock SET tx_offset = 10000000")
    until_finished()
    seal()
    run("UPDATE audit_clock SET tx_offset = 0")
    sql.count_on_after_restore()
    identifier = a_call(make.make_team("Team B"))
    until_finished()
    assert seal()[1] >= 1
    event = AuditEvent.objects.get(pk=identifier)
    assert Seal.objects.filter(from_tx__lte=event.tx, to_tx__gt=event.tx).exists()
    assert problems() == []
