"""Months come and go; nobody but retention takes anything away."""

import datetime as dt
import io
import json

import pytest
from django.core.management import call_command
from django.db import DatabaseError, transaction

from console.audit import actions
from console.audit.models import AuditEvent, Payload
from console.audit.services import retention, verify
from console.audit.services.seal import seal
from console.audit.sql import append, months
from console.core.clock import now, period_start
from tests import make
from tests.audit.calls import a_call, a_chat, run, until_finished

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _tidy(monkeypatch):
    """Nobody else reads the log here; months made by a test go with it, because rows are all that is put back."""
    monkeypatch.setattr(retention, "READERS", [])
    before = {parent: set(months.months(parent)) for parent in ("audit_event", "audit_payload")}
    yield
    for parent, known in before.items():
        for month in set(months.months(parent)) - known:
            run(f"DROP TABLE {parent}_{month:%Y_%m}")


def partition_of(identifier) -> str:
    return str(run("SELECT tableoid::regclass::text FROM audit_event WHERE id = %s", identifier)[0][0])


OLD = dt.datetime(2024, 3, 31, 23, 59, 59, 999_000, tzinfo=dt.UTC)


def test_it_makes_room_two_months_ahead() -> None:
    retention.make_months()
    present = period_start("month", now()).date()
    assert sum(month > present for month in months.months("audit_event")) >= 2
    assert retention.make_months() == 0


def test_a_month_ends_where_the_next_begins() -> None:
    months.make_month(OLD)
    months.make_month(OLD + dt.timedelta(seconds=1))
    team = make.make_team()
    assert partition_of(a_call(team, at=OLD)) == "audit_event_2024_03"
    assert partition_of(a_call(team, at=OLD + dt.timedelta(milliseconds=1))) == "audit_event_2024_04"


def test_rows_without_a_month_find_it_later() -> None:
    retention.make_months()  # the database may have been made in an earlier month
    team = make.make_team()
    identifier = a_call(team, at=OLD, content=a_chat("Hello", "Hi"))
    assert partition_of(identifier) == "audit_event_rest"
    until_finished()
    seal()
    assert retention.make_months() == 1
    assert partition_of(identifier) == "audit_event_2024_03"
    assert Payload.objects.filter(event_id=identifier).count() == 2
    assert list(verify.verify(content=True)) == []
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        run("DELETE FROM audit_event WHERE id = %s", identifier)


def test_a_new_month_is_as_closed_as_the_others() -> None:
    months.make_month(OLD)
    a_call(make.make_team(), at=OLD)
    for statement in ("UPDATE audit_event_2024_03 SET alias = ''", "TRUNCATE audit_event_2024_03"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            run(statement)


def test_it_drops_whole_old_months_and_says_so(settings) -> None:
    months.make_month(OLD)
    team = make.make_team()
    old, young = a_call(team, at=OLD, content=a_chat("Hello", "Hi")), a_call(team)
    until_finished()
    seal()
    settings.AUDIT_KEEP_DAYS = 100
    out = io.StringIO()
    call_command("pruneaudit", stdout=out)
    assert "2024-03: records removed" in out.getvalue() and "2024-03: content removed" in out.getvalue()
    assert not AuditEvent.objects.filter(pk=old).exists() and AuditEvent.objects.filter(pk=young).exists()
    lines = AuditEvent.objects.filter(action=actions.RETENTION_APPLIED.name)
    assert {json.loads(line.detail)["removed"] for line in lines} == {"content", "records"}
    report = verify.Report()
    assert list(verify.verify(report=report)) == []
    assert report.dropped >= 1


def test_content_goes_first_and_its_record_stays(settings) -> None:
    months.make_month(OLD)
    identifier = a_call(make.make_team(), at=OLD, content=a_chat("Hello", "Hi"))
    until_finished()
    seal()
    settings.AUDIT_KEEP_DAYS = 100_000
    retention.apply_retention(actor=make.SYSTEM)
    assert AuditEvent.objects.filter(pk=identifier).exists()
    assert not Payload.objects.filter(event_id=identifier).exists()
    assert list(verify.verify(content=True)) == []


def test_it_leaves_what_is_young_unsealed_or_unread(settings) -> None:
    months.make_month(OLD)
    team = make.make_team()
    a_call(team, at=OLD)
    assert "not old enough" in months.drop_month("audit_event", now().date().replace(day=1), 1, 1 << 62)
    assert "not sealed" in months.drop_month("audit_event", OLD.date(), 100, 1 << 62)
    until_finished()
    seal()
    assert "roll-ups" in months.drop_month("audit_event", OLD.date(), 100, 1)
    settings.AUDIT_KEEP_DAYS = 100
    retention.READERS.append(lambda: 1)
    # Months in which this database of tests was made have become old as well, in time.
    done = retention.apply_retention(actor=make.SYSTEM)
    (dropped,) = [d for d in done if (d.what, d.month) == ("records", OLD.date().replace(day=1))]
    assert "roll-ups" in dropped.why_not
    assert AuditEvent.objects.filter(at=OLD).exists()


def test_a_deletion_is_not_taken_for_retention() -> None:
    months.make_month(OLD)
    a_call(make.make_team(), at=OLD)
    until_finished()
    seal()
    run("DROP TABLE audit_event_2024_03")
    assert any("missing" in str(problem) for problem in verify.verify())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET alias = ''",
        "DELETE FROM audit_event",
        "TRUNCATE audit_event",
        "UPDATE audit_payload SET body = ''",
        "DELETE FROM audit_payload",
        "TRUNCATE audit_payload",
        "UPDATE audit_seal SET rows = 0",
        "DELETE FROM audit_seal",
        "UPDATE audit_clock SET tx_offset = 5",
        "INSERT INTO audit_dropped (part, until_id, max_tx) VALUES ('audit_event_1', gen_random_uuid(), 1)",
        "DROP TABLE audit_event_rest",
        "ALTER TABLE audit_event DISABLE TRIGGER ALL",
    ],
)
def test_the_applications_role_cannot_change_the_log(statement: str) -> None:
    from console.embedded.sql import grant

    with transaction.atomic():
        run("DO $$ BEGIN CREATE ROLE test_f_app; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        grant("test_f_app")
        run("SET LOCAL ROLE test_f_app")
        append({"id": "019aa000-0000-7000-8000-000000000001", "at": now(), "type": "chat", "status": "ok"})
        with pytest.raises(DatabaseError, match="permission denied|must be owner"), transaction.atomic():
            run(statement)
        transaction.set_rollback(True)


def test_the_applications_role_makes_months_and_seals() -> None:
    from console.embedded.sql import grant

    with transaction.atomic():
        run("DO $$ BEGIN CREATE ROLE test_f_app; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        grant("test_f_app")
        run("SET LOCAL ROLE test_f_app")
        assert months.make_month(dt.datetime(2031, 5, 1, tzinfo=dt.UTC))
        seal()
        assert list(verify.verify()) == []
        transaction.set_rollback(True)
