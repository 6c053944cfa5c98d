"""Sealed blocks in a store that speaks S3: complete, in order, and provable without this database."""

import gzip
import json
from base64 import b64decode
from collections.abc import Iterator
from hashlib import md5, sha256
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from console.audit.models import AuditEvent, Seal
from console.audit.services import archive as services
from console.audit.services.archive import archive, read_to
from console.audit.services.seal import GENESIS, seal, state
from tests import make
from tests.audit.calls import a_call, a_chat, run, until_finished
from tests.audit.test_seal import tamper
from tests.make import client_of
from tests.upstream import Upstream

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def store(settings: Any) -> Iterator[Upstream]:
    store = Upstream().start()
    settings.AUDIT_S3_URL = f"http://127.0.0.1:{store.port}/bucket/facet"
    settings.AUDIT_S3_ACCESS_KEY, settings.AUDIT_S3_SECRET_KEY = "AKIA1", "not-for-anybody"
    yield store
    store.stop()


def taken(store: Upstream) -> list[tuple[str, list[dict[str, Any]]]]:
    return [
        (seen.path, [json.loads(line) for line in gzip.decompress(seen.raw).decode().split("\n") if line])
        for seen in store.seen
    ]


def test_the_chain_can_be_checked_from_what_was_copied(store: Upstream) -> None:
    team = make.make_team("Team A")
    for words in ("One\u2028line", "Two"):
        a_call(
            team,
            reason=words,
            end_user="" if words == "Two" else 'cus"tomer\u2028',
            token_kinds='{"cache_write_tokens":9}' if words == "Two" else "",
            metadata=json.dumps({"ticket": '7 "b" \u2028\t\x7f', "a": "\U0001f984\\", "": ""}),
            content=a_chat("What now?", "Sign in again."),
        )
        until_finished()
        seal()
    assert archive() == Seal.objects.count() > 1 and archive() == 0
    previous, rows = GENESIS, 0
    for number, (path, lines) in enumerate(taken(store), start=1):
        head, *events = lines
        assert path == f"/bucket/facet/{number:012d}.jsonl.gz" and head["block"] == number
        text = f"{number}:{head['from_tx']}:{head['to_tx']}:{len(events)}:".encode()
        digests = [sha256(json.dumps(list(e.values()), ensure_ascii=False).encode()).digest() for e in events]
        assert head["previous"] == previous.hex() and "Sign in again." not in json.dumps(events)
        previous = sha256(previous + text + b"".join(digests)).digest()
        assert head["sha256"] == previous.hex()
        rows += len(events)
    assert rows == AuditEvent.objects.count() and previous == bytes(Seal.objects.order_by("number").last().sha256)
    sent = store.seen[0].headers
    assert sent["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIA1/")
    assert sent["x-amz-content-sha256"] == sha256(store.seen[0].raw).hexdigest()
    assert b64decode(sent["content-md5"]) == md5(store.seen[0].raw, usedforsecurity=False).digest()
    assert "content-md5" in sent["authorization"], "covered by the signature"
    assert "not-for-anybody" not in json.dumps(sent)


def test_it_goes_on_where_it_stopped_and_says_why_it_did(store: Upstream, cast: Any, settings: Any) -> None:
    for _ in range(3):
        a_call(cast.team_a)
        a_call(cast.team_a)
        until_finished()
        seal()
    first, *_, last = Seal.objects.order_by("number")
    store.enqueue({})
    said = "<Error><Code>SignatureDoesNotMatch</Code><Message>Our secrets</Message></Error>"
    store.enqueue(said, status=403, content_type="application/xml")
    problem = "The archive answered with status 403 (SignatureDoesNotMatch)."
    assert archive() == 1 and read_to() == first.to_tx, "which retention waits for"
    assert state().archive_problem == problem
    page = client_of(cast.operator).get("/audit/").content.decode()
    assert f"Not archived: {problem}" in page
    said = client_of(cast.operator).get("/api/audit/seals/").json()
    assert (said["archived_number"], said["archive_problem"]) == (1, problem)

    store.enqueue("<html>" + "x" * 100_000, status=403, content_type="text/html")
    assert archive() == 0 and state().archive_problem == "The archive answered with status 403."

    networks, settings.PRIVATE_NETWORKS_ALLOWED = settings.PRIVATE_NETWORKS_ALLOWED, []
    assert archive() == 0 and "must be in PRIVATE_NETWORKS_ALLOWED" in state().archive_problem
    settings.PRIVATE_NETWORKS_ALLOWED = networks

    tamper("UPDATE audit_event SET cost_micros = 1 WHERE tx >= %s AND tx < %s", last.from_tx, last.to_tx)
    with pytest.raises(CommandError, match=f"Block {last.number} is not what was sealed"):
        call_command("archiveaudit")
    assert [path[-14:-9] for path, _ in taken(store)[3:]] == [f"{n:05d}" for n in range(2, last.number)]
    tamper("UPDATE audit_event SET cost_micros = 7100 WHERE tx >= %s AND tx < %s", last.from_tx, last.to_tx)
    out = StringIO()
    call_command("archiveaudit", stdout=out)
    assert f"as far as block {last.number}" in out.getvalue() and state().archive_problem == ""
    assert "Archived to block" in client_of(cast.operator).get("/audit/").content.decode()

    # Another store begins with the first block; of one whose rows retention took, the link is left.
    newest = "max(id::text)::uuid"
    run(f"INSERT INTO audit_dropped (part, until_id, max_tx) SELECT 'audit_event_x', {newest}, 0 FROM audit_event")
    tamper("DELETE FROM audit_event WHERE tx >= %s AND tx < %s", first.from_tx, first.to_tx)
    settings.AUDIT_S3_URL, store.seen = f"{settings.AUDIT_S3_URL}/2", []
    assert archive() == last.number
    ((_, (head,)), *_) = taken(store)
    assert head["dropped"] and head["block"] == 1

    # So it is of the block across the end of the dropped month, with the rows left; no copy is replaced by less.
    kept = AuditEvent.objects.filter(tx__gte=last.from_tx, tx__lt=last.to_tx).order_by("tx", "id").first()
    tamper("DELETE FROM audit_event WHERE tx >= %s AND tx < %s AND id <> %s", last.from_tx, last.to_tx, kept.pk)
    settings.AUDIT_S3_URL, store.seen = f"{settings.AUDIT_S3_URL}/3", []
    store.enqueue("<Error/>", status=412, content_type="application/xml")
    assert archive() == last.number and state().archive_problem == ""
    (_, (head, *rows)) = taken(store)[-1]
    assert head["dropped"] and head["rows"] > 1 and [row["id"] for row in rows] == [str(kept.pk)]
    conditions = [seen.headers.get("if-none-match") for seen in store.seen]
    assert conditions[0] == conditions[-1] == "*" and set(conditions[1:-1]) <= {None}

    settings.AUDIT_S3_URL = ""
    assert archive() == 0 and read_to() > last.to_tx
    with pytest.raises(CommandError, match="Set AUDIT_S3_URL first"):
        call_command("archiveaudit")


def test_a_round_that_is_overtaken_sets_nothing_back(store: Upstream, cast: Any, monkeypatch: Any) -> None:
    for _ in range(3):
        a_call(cast.team_a)
        until_finished()
        seal()
    last, put, overtaken = Seal.objects.order_by("number").last(), services._put, []

    def slow(url: str, block: services.Packed) -> None:
        put(url, block)
        if not overtaken:
            overtaken.append(url)
            archive()  # the round of the next minute, from the same block on and to the end

    monkeypatch.setattr(services, "_put", slow)
    archive(seconds=0)
    assert overtaken and state().archived_number == last.number and read_to() == last.to_tx
