"""Old and new processes beside each other: the tables after a migration still serve the version before."""

import io
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.core.management.commands.migrate import Command as MigrateCommand
from django.db import connection, migrations, models, transaction
from django.db.migrations import operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from psycopg_pool.base import AttemptWithBackoff

from console.core.operations import CreateModels
from console.embedded import boot, sql
from console.embedded.management.commands import migrate

# What takes away or renames something that a process of the version before reads by name.
TAKES_AWAY = (
    operations.DeleteModel,
    operations.RemoveField,
    operations.RenameField,
    operations.RenameModel,
    operations.AlterModelTable,
)


def test_no_migration_breaks_the_processes_that_still_run() -> None:
    """They add rows without the columns they do not know, and read those they do."""
    loader = MigrationLoader(None)
    ours = {app.label for app in apps.get_app_configs() if not app.path.count("site-packages")}
    begun: dict[tuple[str, str], str] = {}
    added: list[tuple[str, str, str, str]] = []
    for label, name in loader.graph._generate_plan(loader.graph.leaf_nodes(), at_end=True):
        for operation in _operations(loader.disk_migrations[label, name]) if label in ours else ():
            where = f"{label}.{name}: {operation.describe()}"
            assert not isinstance(operation, TAKES_AWAY), f"{where}: a later release may, when no process reads it"
            if isinstance(operation, operations.CreateModel):
                begun[label, operation.name_lower] = name
            elif isinstance(operation, operations.AddField) and begun[label, operation.model_name_lower] != name:
                added.append((label, operation.model_name_lower, operation.name, where))
    assert added
    for label, model, name, where in added:
        field = apps.get_model(label, model)._meta.get_field(name)
        assert isinstance(field, models.Field)
        assert field.null or field.has_db_default(), f"{where}: give it null or a db_default"


def _operations(migration: migrations.Migration) -> Iterator[operations.base.Operation]:
    for operation in migration.operations:
        if isinstance(operation, operations.SeparateDatabaseAndState):
            yield from operation.database_operations
        elif isinstance(operation, CreateModels):
            yield from operation.models
        else:
            yield operation


@pytest.mark.django_db
def test_an_older_version_leaves_the_tables_of_a_newer_one_as_they_are(monkeypatch) -> None:
    role = f"facet_test_{uuid.uuid4().hex[:8]}"
    rights = "SELECT has_table_privilege(%s, 'made_by_a_newer_one', 'DELETE')"

    def migrated() -> tuple[str, bool]:
        said = io.StringIO()
        command = migrate.Command(stdout=io.StringIO(), stderr=said)
        with monkeypatch.context() as patch, connection.cursor() as cursor:
            patch.setattr(migrate, "as_owner", lambda: _Owner(role))
            call_command(command, verbosity=0)
            cursor.execute(rights, [role])
            return said.getvalue(), bool(cursor.fetchone()[0])

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE made_by_a_newer_one ()")
    MigrationRecorder(connection).record_applied("usage", "9999_from_a_later_year")
    MigrationRecorder(connection).record_applied("an_app_that_is_gone", "0001_initial")
    sentence = "of a newer version (1 steps this one does not know, such as usage 9999_from_a_later_year)"
    said, may = migrated()
    assert sentence in said
    assert may, "of a restored dump: the role is new"
    with connection.cursor() as cursor:
        cursor.execute(f"REVOKE ALL ON made_by_a_newer_one FROM {role}")
    assert migrated()[1] is False, "the newer version decided what the role may do"
    told: list[str] = []
    monkeypatch.setattr(boot, "say", told.append)
    assert not boot.migrate()
    assert sentence in "".join(told)
    MigrationRecorder(connection).record_unapplied("usage", "9999_from_a_later_year")
    assert migrated() == ("", True)
    assert sql.has_rights(role)


@pytest.mark.django_db(transaction=True)
def test_a_step_that_meets_a_dump_lets_go_and_is_tried_again(monkeypatch) -> None:
    """Whoever waits for a table for itself has all calls and pages wait behind it."""
    parameters = connection.get_connection_params()
    holder = psycopg.connect(**{name: value for name, value in parameters.items() if name != "cursor_factory"})
    holder.execute("SET idle_in_transaction_session_timeout = '30s'")  # or the test would wait for ever, if a step does
    holder.execute("LOCK TABLE usage_quota IN ACCESS SHARE MODE")
    said, made = io.StringIO(), []

    def step(*_: object, **__: object) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE usage_quota IN ACCESS EXCLUSIVE MODE")
            made.append(1)

    def given_back(_: float) -> None:
        assert not made
        holder.rollback()

    monkeypatch.setattr(MigrateCommand, "handle", step)
    monkeypatch.setattr(migrate.time, "sleep", given_back)
    call_command("migrate", verbosity=0, stderr=said)
    assert made == [1]
    assert said.getvalue() == "A table is in use (canceling statement due to lock timeout); trying again.\n"
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)
    holder.execute("LOCK TABLE usage_quota IN ACCESS SHARE MODE")
    monkeypatch.setattr(migrate, "_PATIENCE_SECONDS", 0)
    with pytest.raises(CommandError, match="stayed in use .*run this again"):
        call_command("migrate", verbosity=0)
    holder.close()


class _Owner:
    """Stands for `as_owner`: the tests' role owns the tables, and another one is the application's."""

    def __init__(self, role: str) -> None:
        self._role = role

    def __enter__(self) -> str:
        return self._role

    def __exit__(self, *_: object) -> None:
        pass


def test_it_is_back_soon_after_postgresql_is_however_long_that_was_away() -> None:
    """Between two tries the pool waits twice as long each time, for minutes if it may."""
    pool = connection.pool
    assert pool is not None
    assert pool.min_size == 0, "after it gave up it begins anew for whoever asks"
    longest, now, attempt = 0.0, 0.0, AttemptWithBackoff(timeout=pool.reconnect_timeout)
    while not attempt.time_to_give_up(now):
        attempt.update_delay(now)
        longest, now = max(longest, attempt.delay), now + attempt.delay
    assert longest < pool.timeout
