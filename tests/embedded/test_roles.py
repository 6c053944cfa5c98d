"""The application's role may do its work and cannot change the log's past."""

import datetime as dt
import io
import uuid

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.commands.migrate import Command as MigrateCommand
from django.db import OperationalError, ProgrammingError, connection, connections, transaction

from console.audit import actions
from console.audit.models import AuditEvent
from console.audit.services import record
from console.core.clock import now
from console.embedded import checks, sql
from console.embedded.management.commands import migrate
from console.gateway.ledger import Ledger
from console.teams.callers import SYSTEM
from console.teams.models import Team
from tests import make

ROLE = f"facet_test_{uuid.uuid4().hex[:8]}"


@pytest.fixture
def as_application(db: None):  # type: ignore[no-untyped-def]
    """Work as the application's role until the test ends; the role goes with the transaction."""
    sql.ensure_role(ROLE, "a 'password'")
    sql.grant(ROLE)
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {ROLE}")
    yield
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")


def refused(statement: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except ProgrammingError as error:
        return "permission denied" in str(error)
    return False


def test_it_works(as_application: None) -> None:
    team = make.make_team("Team A")
    record(actions.TEAM_CHANGED, actor=SYSTEM, target=team)
    assert AuditEvent.objects.filter(target_id=str(team.pk)).count() >= 1
    Team.objects.filter(pk=team.pk).update(name="Team B")
    assert not sql.owns_tables()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_event",
        "UPDATE audit_event SET status = 'ok'",
        "TRUNCATE audit_event",
        "DELETE FROM audit_payload",
        "UPDATE audit_payload SET body = ''",
        "UPDATE audit_seal SET sha256 = ''",
        "DELETE FROM audit_seal",
        "UPDATE audit_clock SET tx_offset = 0",
        "INSERT INTO audit_retention (event_days, content_days) VALUES (1, 1)",
        "UPDATE audit_retention SET event_days = 1, content_days = 1",
        "INSERT INTO audit_event_rest DEFAULT VALUES",
        "DELETE FROM audit_event_rest",
        "ALTER TABLE audit_event DISABLE TRIGGER ALL",
        "DROP TABLE audit_event",
        "CREATE TABLE mine (id int)",
        "DELETE FROM django_migrations",
        "CREATE ROLE another SUPERUSER",
    ],
)
def test_it_cannot(as_application: None, statement: str) -> None:
    if statement.startswith(("ALTER", "DROP")):
        with (
            pytest.raises(ProgrammingError, match="must be owner"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    else:
        assert refused(statement)


def test_it_cannot_reach_past_the_parent_in_a_month_made_later(as_application: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_make_month('2031-05-15')")
    assert refused("DELETE FROM audit_event_2031_05")
    assert refused("INSERT INTO audit_event_2031_05 DEFAULT VALUES")


def test_it_drops_no_month_the_owner_keeps_whatever_it_asks_for(as_application: None, settings) -> None:  # type: ignore[no-untyped-def]
    """With as few days as it likes, of a month that is sealed and read."""

    def asked(parent: str, month: str) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT audit_make_month(%s)", [month])
            cursor.execute("SELECT audit_drop_month(%s, %s, 1, %s)", [parent, month, 1 << 62])
            return str(cursor.fetchone()[0])

    def months_ago(days: int) -> str:
        return (now() - dt.timedelta(days=days)).strftime("%Y-%m-01")

    settings.AUDIT_KEEP_DAYS, settings.AUDIT_CONTENT_KEEP_DAYS = 200, 300
    assert not sql.keeps_log_as_set()
    assert "keeps it for 400 days" in asked("audit_event", months_ago(300))
    assert "keeps it for 90 days" in asked("audit_payload", months_ago(70))
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")  # as the owner
        sql.tell_how_long_to_keep_log()
        sql.tell_how_long_to_keep_log()
        cursor.execute("SELECT event_days, content_days FROM audit_retention ORDER BY set_at")
        assert cursor.fetchall() == [(400, 90), (200, 200)]
        cursor.execute(f"SET LOCAL ROLE {ROLE}")
    assert sql.keeps_log_as_set()
    assert asked("audit_event", months_ago(300)) == ""
    assert "keeps it for 200 days" in asked("audit_payload", months_ago(190))


def test_a_migration_counts_on_where_a_restored_log_and_its_readers_were(db: None, monkeypatch, settings) -> None:  # type: ignore[no-untyped-def]
    """A new server's numbers are lower, and what bears one is passed over."""
    monkeypatch.setattr(MigrateCommand, "handle", lambda *_, **__: None)  # there is nothing to migrate
    settings.DATABASE_OWNER_URL = ""

    def counted() -> tuple[int, ...]:
        migrate.Command().handle(plan=False, check_unapplied=False)
        with connection.cursor() as cursor:
            cursor.execute("SELECT tx_offset, audit_tx() FROM audit_clock")
            return tuple(cursor.fetchone())

    record(actions.TEAM_CHANGED, actor=SYSTEM, target=make.make_team("Team A"))
    assert counted()[0] == 0, "nothing is ahead of its own server"
    readers = [model for model in apps.get_models() if any(field.name == "next_tx" for field in model._meta.fields)]
    assert len(readers) >= 3
    for times, reader in enumerate(readers, start=1):
        highest = times * 10**9
        reader._default_manager.update_or_create(defaults={"next_tx": highest})
        offset, number = counted()
        assert offset == highest < number
        assert counted()[0] == offset, "once"


def test_the_first_migration_asks_nothing_as_a_role_that_is_not_there_yet(committed_db: None, settings) -> None:  # type: ignore[no-untyped-def]
    """Commands check the models first, and those ask the server for its version."""
    usual = connection.settings_dict
    host = str(usual["HOST"]).replace("/", "%2F")
    settings.DATABASE_OWNER_URL = f"postgresql://{usual['USER']}@/{usual['NAME']}?host={host}"
    connection.close()
    connection.settings_dict = {**usual, "USER": ROLE, "OPTIONS": {**usual["OPTIONS"], "pool": False}}
    for known in (vars(connections["default"]), vars(connection.features)):  # what the server was asked before
        for name in [name for name in known if "pg_version" in name or "_postgresql" in name]:
            known.pop(name)
    said = io.StringIO()
    try:
        call_command("migrate", plan=True, skip_checks=False, stdout=said)
        with pytest.raises(OperationalError, match="does not exist"):
            connection.ensure_connection()
    finally:
        connection.close()
        connection.settings_dict = usual
    assert "No planned migration operations." in said.getvalue()


def test_it_says_when_the_pools_do_not_fit(db: None, settings) -> None:  # type: ignore[no-untyped-def]
    assert checks.pools_fit(databases=["default"]) == []
    settings.DATABASE_PROCESSES = 500
    (problem,) = checks.pools_fit(databases=["default"])
    assert problem.id == "embedded.E001"
    assert checks.pools_fit(databases=[]) == []


async def test_what_a_process_may_hold_outside_the_pool_is_counted() -> None:
    ledger = Ledger()
    held = [ledger._begin_statement, *ledger._close_statements, ledger._keep_connection]
    assert len(held) + 1 == checks.GATEWAY_CONNECTIONS, "and that of a health check"


def test_it_warns_production_of_an_owner(db: None, settings) -> None:  # type: ignore[no-untyped-def]
    assert checks.application_is_not_the_owner(databases=["default"]) == []
    settings.IS_PRODUCTION = True
    (problem,) = checks.application_is_not_the_owner(databases=["default"])
    assert problem.id == "embedded.W002"
