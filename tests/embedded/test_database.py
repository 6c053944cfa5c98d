"""The tests' own database: what a committing test leaves behind is gone afterwards."""

import subprocess
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, ProgrammingError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

import manage
from console.audit import actions
from console.audit.models import AuditEvent, Epoch
from console.audit.services import record
from console.embedded import boot, postgres, role
from console.teams.callers import SYSTEM
from console.teams.models import User
from tests import database, make


@pytest.mark.django_db(transaction=True)
def test_it_restores_what_migrations_left() -> None:
    make.make_user("someone@example.com")
    record(actions.ADMIN_EDITED, actor=SYSTEM)
    before = Epoch.objects.get().value
    assert before > 1
    assert AuditEvent.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM auth_permission")
        permissions = cursor.fetchone()
    database.restore()
    assert not User.objects.exists()
    assert not AuditEvent.objects.exists()
    assert Epoch.objects.get().value > before
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM auth_permission")
        assert cursor.fetchone() == permissions


def test_a_command_beside_no_console_says_which_folder_it_looked_in(monkeypatch, settings, tmp_path) -> None:
    def unreachable(_: list[str]) -> None:
        raise OperationalError("no socket")

    monkeypatch.setattr("django.core.management.execute_from_command_line", unreachable)
    settings.DATA_DIR, settings.HAS_EMBEDDED_POSTGRES = tmp_path, True
    with pytest.raises(SystemExit, match=f"No console runs in {tmp_path}, .*DATA_DIR"):
        manage.main()
    settings.HAS_EMBEDDED_POSTGRES = False
    with pytest.raises(OperationalError):
        manage.main()


@pytest.mark.django_db
def test_a_command_says_in_one_line_that_the_console_is_still_being_set_up(monkeypatch) -> None:
    asked = "SELECT 1 FROM audit_epoch"

    def early(_: list[str]) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("CREATE ROLE early; SET LOCAL ROLE early")
            cursor.execute(asked)

    monkeypatch.setattr("django.core.management.execute_from_command_line", early)
    monkeypatch.setattr("sys.argv", ["manage.py", "demo"])
    with pytest.raises(
        SystemExit, match=r"^The console is still being set up .permission denied .*/health/ready .*migrate`\.$"
    ):
        manage.main()
    asked = "SELECT 1 FROM no_such_table"
    with pytest.raises(ProgrammingError, match="no_such_table"):
        manage.main()  # every migration is applied: a mistake
    monkeypatch.setattr(MigrationRecorder, "applied_migrations", lambda _: {})
    with pytest.raises(SystemExit, match="still being set up .*no_such_table"):
        manage.main()
    monkeypatch.setattr("sys.argv", ["manage.py", "migrate"])
    with pytest.raises(ProgrammingError):
        manage.main()


@pytest.mark.django_db
def test_migrate_waits_for_a_database_that_is_starting(monkeypatch, capfd) -> None:
    """Not every tool that starts containers in an order waits until the one before is healthy."""
    reach, tries = connection.ensure_connection, iter((True, True, False))

    def starting() -> None:
        if next(tries, False):
            raise OperationalError("connection failed: the database system is starting up\nIs it running?")
        reach()

    monkeypatch.setattr(connection, "ensure_connection", starting)
    monkeypatch.setattr("console.embedded.database_wait.time.sleep", lambda _: None)
    call_command("migrate", *role.command(["migrate"])[3:], check_unapplied=True, verbosity=0)
    assert capfd.readouterr().err == "Waiting for PostgreSQL: connection failed: the database system is starting up\n"
    tries = iter([True] * 9)
    with pytest.raises(OperationalError, match="starting up"):
        call_command("migrate", check_unapplied=True, verbosity=0)


@pytest.mark.django_db
def test_it_goes_on_from_all_of_the_older_steps_and_from_no_place_between(monkeypatch) -> None:
    rows = MigrationRecorder.Migration.objects
    before = sorted(rows.values_list("app", "name"))
    newer = MigrationLoader(None).replacements
    assert ("usage", "0001_initial") in newer
    for app, name in newer:
        assert rows.filter(app=app, name=name).delete()[0] == 1, app  # as the older version left it
    call_command("migrate", check_unapplied=True, verbosity=0)
    monkeypatch.setattr(boot, "say", lambda text: pytest.fail(text))  # there is nothing to prepare
    assert not boot.migrate()
    assert sorted(rows.values_list("app", "name")) == before

    rows.filter(app="agents", name__in=("0001_initial", "0014_who_put_an_item")).delete()
    refusal = "older version .agents 0013_what_runs_forget.*Nothing was changed.*git checkout"
    with pytest.raises(SystemExit, match=refusal):
        boot.migrate()
    for command in ({}, {"check_unapplied": True}, {"plan": True}):
        with pytest.raises(CommandError, match=refusal):
            call_command("migrate", verbosity=0, **command)


def test_a_start_leaves_another_server_alone_that_has_the_number_of_its_own(tmp_path: Path) -> None:
    """After the machine was started anew, a number may be that of any program."""
    data, lock = tmp_path / "postgres", tmp_path / "postgres" / "postmaster.pid"
    data.mkdir()
    words = ["postgres", "-D", str(tmp_path / "another"), "-c", "jit=off"]
    with subprocess.Popen(["/bin/sh", "-c", "read line", *words], stdin=subprocess.PIPE) as other:
        lock.write_text(f"{other.pid}\n{data}\n1\n")
        postgres.end_leftover(data, seconds=0.1)
        assert other.poll() is None and lock.read_text().splitlines()[1:] == [str(data), "1"]
        assert int(lock.read_text().splitlines()[0]) != other.pid
        assert other.stdin is not None
        other.stdin.close()
        assert other.wait() == 1, "it was not told to end"
