"""The chain's page and its JSON: the head, checks somebody asks for, and heads that were kept."""

import json
from typing import Any

import pytest
from django.db import connection

from console.audit.models import AuditEvent, ChainCheck, Seal, SealState
from console.audit.services import checks, verify
from console.audit.services.seal import seal
from console.audit.tasks import check_task, verify_task
from console.core.clock import now
from console.core.errors import Conflict
from tests import make
from tests.audit.calls import a_call, until_finished
from tests.audit.test_seal import tamper
from tests.conftest import Cast
from tests.make import client_of

pytestmark = pytest.mark.django_db(transaction=True)

PAGE, API = "/audit/chain/", "/api/audit/chain/"
State = ChainCheck.State


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    """The cast, and three blocks with calls of Team A."""
    cast = Cast()
    for _ in range(3):
        a_call(cast.team_a)
        a_call(cast.team_a)
        until_finished()
        seal()
    return cast


def start(cast: Cast) -> ChainCheck:
    return checks.start(actor=make.actor_for(cast.operator), is_operator=True)


def checked(cast: Cast) -> ChainCheck:
    check = start(cast)
    while not check.is_over:
        check_task(str(check.pk))
        check.refresh_from_db()
    return check


def test_it_shows_the_head_and_what_a_check_found(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "_SPAN_BLOCKS", 1)
    auditor = client_of(make.make_member(cast.team_a, make.make_user("ada@example.com"), "auditor"))
    newest = Seal.objects.order_by("-number")[0]
    head = f"{newest.number}:{bytes(newest.sha256).hex()}"
    page = auditor.get(PAGE).text
    assert head in page and "Verify now" in page
    file = auditor.get(f"{PAGE}head/")
    assert "attachment" in file["Content-Disposition"] and json.loads(file.text)["sha256"] == head.partition(":")[2]
    assert auditor.post(f"{PAGE}verify/").status_code == 302
    check = ChainCheck.objects.get()
    check_task(str(check.pk))
    check.refresh_from_db()
    assert (check.state, check.reached) == (State.RUNNING, 1)
    piece = auditor.get(f"{PAGE}?piece=state", headers={"HX-Request": "true"}).text
    assert f"1 of {newest.number} blocks" in piece and "every 2s" in piece and "Verify now" not in piece
    while not check.is_over:
        check_task(str(check.pk))
        check.refresh_from_db()
    assert (check.state, check.blocks, check.head_text) == (State.WHOLE, newest.number, head)
    assert check.rows == sum(Seal.objects.filter(number__lte=newest.number).values_list("rows", flat=True))
    page = auditor.get(PAGE).text
    assert "Intact" in page and "every 2s" not in page
    assert f"{check.rows} records" not in page and f"{check.rows} records" in client_of(cast.operator).get(PAGE).text
    lines = AuditEvent.objects.filter(action__startswith="audit.check_").order_by("id")
    assert [(line.action, line.actor, line.status) for line in lines] == [
        ("audit.check_started", "Ada", "ok"), ("audit.check_ended", "Ada", "ok"),
    ]  # fmt: skip
    assert head in str(lines[1].detail)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "UPDATE audit_event SET cost_micros = 1 WHERE tx >= (SELECT from_tx FROM audit_seal WHERE number = 2)",
            "changed",
        ),
        ("DELETE FROM audit_event WHERE tx >= (SELECT from_tx FROM audit_seal WHERE number = 2)", "missing"),
        ("DELETE FROM audit_seal WHERE number = 2", "the blocks up to 2 are missing"),
        ("UPDATE audit_seal SET sha256 = previous WHERE number = 2", "it does not follow"),
    ],
)
def test_it_finds_what_was_done_in_the_database(
    cast: Cast, statement: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "_SPAN_BLOCKS", 1)
    tamper(statement)
    check = checked(cast)
    assert check.state == State.BROKEN and words in str(check.problems), check.problems
    assert SealState.objects.get().problem.startswith("Block ")
    for text in (client_of(cast.operator).get(PAGE).text, client_of(cast.alice).get(PAGE).text):
        assert "The log was changed after it was sealed" in text and "Keep a copy of the database" in text
    ended = AuditEvent.objects.get(action="audit.check_ended")
    assert (ended.status, ended.reason) == ("error", f"{check.problem_count} problems")


def test_it_finds_an_end_that_was_cut_off_or_made_anew_since_the_last_check(cast: Cast) -> None:
    kept = checked(cast)
    assert kept.state == State.WHOLE
    tamper("DELETE FROM audit_seal WHERE number = %s", kept.last)
    check = checked(cast)
    assert check.state == State.BROKEN and check.problems[-1]["block"] == kept.last
    assert "not the block there was" in check.problems[-1]["what"]


def test_a_check_that_finds_nothing_takes_the_warning_back(cast: Cast) -> None:
    SealState.objects.update(problem="Block 1: it was odd", problem_at=now())
    assert "it was odd" in client_of(cast.alice).get(PAGE).text
    assert checked(cast).state == State.WHOLE
    assert SealState.objects.get().problem == ""


def test_one_goes_on_at_a_time_and_others_than_operators_wait(cast: Cast) -> None:
    check = start(cast)
    with pytest.raises(Conflict, match="already"):
        start(cast)
    assert client_of(cast.alice).post(f"{API}checks/").status_code == 409
    while not check.is_over:
        check_task(str(check.pk))
        check.refresh_from_db()
    soon = client_of(cast.alice).post(f"{API}checks/")
    assert soon.status_code == 409 and "ten minutes" in soon.json()["error"]["message"]
    ChainCheck.objects.update(ended_at=now() - checks.REST)
    assert client_of(cast.alice).post(f"{API}checks/").status_code == 202
    ChainCheck.objects.filter(state="waiting").update(state="failed", ended_at=now())
    assert checked(cast).state == State.WHOLE, "an operator need not wait"


def test_another_worker_goes_on_where_one_died_and_nobody_checks_twice(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "_SPAN_BLOCKS", 1)
    check = start(cast)
    check_task(str(check.pk))
    ChainCheck.objects.update(leased_until=now() + checks._LEASE)
    check_task(str(check.pk))
    verify_task()
    check.refresh_from_db()
    assert check.reached == 1, "somebody has it"
    ChainCheck.objects.update(leased_until=now())
    verify_task()
    check.refresh_from_db()
    assert check.reached == 2
    ChainCheck.objects.update(leased_until=None, attempts=5)
    verify_task()
    check.refresh_from_db()
    assert check.state == State.FAILED
    assert AuditEvent.objects.get(action="audit.check_ended").reason == "it was interrupted"


def test_what_was_found_while_a_check_went_on_stays(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "_SPAN_BLOCKS", 1)
    check = start(cast)
    check_task(str(check.pk))
    tamper("UPDATE audit_event SET reason = 'other' WHERE id = (SELECT id FROM audit_event ORDER BY id LIMIT 1)")
    assert verify.verify_some(), "in a block that the check has passed"
    while not check.is_over:
        check_task(str(check.pk))
        check.refresh_from_db()
    assert check.state == State.WHOLE
    assert SealState.objects.get().problem.startswith("Block 1: ")
    assert checked(cast).state == State.BROKEN


def test_a_head_that_was_kept_is_looked_for(cast: Cast) -> None:
    alice = client_of(cast.alice)
    head = checks.head()
    assert head is not None
    file = alice.get(f"{PAGE}head/").text
    for text in (str(head), f" {str(head).upper()}\n", file):
        found = alice.post(f"{API}heads/", {"head": text}, content_type="application/json").json()
        assert (found["is_part"], found["number"]) == (True, head.number), found
    assert "is part of the chain" in alice.post(PAGE, {"head": file}).text
    other = f"{head.number}:{'0' * 64}"
    assert "made anew" in alice.post(PAGE, {"head": other}).text
    gone = alice.post(f"{API}heads/", {"head": f"900:{'0' * 64}"}, content_type="application/json").json()
    assert (gone["is_part"], gone["sealed_at"]) == (False, None) and f"ends with {head.number}" in gone["says"]
    for wrong in (
        "",
        "812",
        "812:xyz",
        "{}",
        '{"number": {}, "sha256": []}',
        "[" * 900,
        "٣:" + "0" * 64,
        "9" * 30 + ":" + "0" * 64,
    ):
        assert alice.post(PAGE, {"head": wrong}).status_code == 422, wrong
        answer = alice.post(f"{API}heads/", {"head": wrong}, content_type="application/json")
        assert answer.status_code == 400 and answer.json()["error"]["param"] == "head", wrong


def test_programs_see_the_chain_and_check_it(cast: Cast) -> None:
    olga, alice = client_of(cast.operator), client_of(cast.alice)
    made: Any = olga.post(f"{API}checks/")
    assert made.status_code == 202 and made.json()["state"] == "waiting"
    check_task(made.json()["id"])
    [one], [same] = olga.get(API).json()["checks"], alice.get(API).json()["checks"]
    assert one["state"] == "whole" and one["rows"] > 0
    assert same == one | {"rows": None}, "how much all teams do is for operators"
    seen = alice.get(API).json()
    assert seen["head"]["number"] == Seal.objects.count() and seen["checks"][0]["by"] == "Olga"
    assert client_of(cast.bob).get(API).status_code == 403 and client_of(cast.bob).get(PAGE).status_code == 403


def test_without_a_block_there_is_nothing_to_check(transactional_db: None) -> None:
    olga = client_of(Cast().operator)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit_seal")
        assert cursor.fetchone() == (0,)
    assert "no sealed block yet" in olga.get(PAGE).text and olga.get(f"{PAGE}head/")["Location"] == PAGE
    assert olga.post(f"{API}checks/").status_code == 409 and olga.get(API).json()["head"] is None
