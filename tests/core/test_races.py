"""Changes that meet: who holds a row keeps nobody from speaking of it, and who loses hears so."""

import threading
from contextlib import suppress
from pathlib import Path

import psycopg.errors as postgres
import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection, connections

from console.catalog.models import ModelVersion, Provider
from console.catalog.services.aliases import change_alias
from console.catalog.services.providers import change_provider
from console.core.errors import Gone
from console.core.races import lost
from console.pages.configuration.apply import apply
from console.teams.actors import SYSTEM
from tests import make
from tests.between import After, somebody_waits
from tests.waiting import until


@pytest.mark.django_db(transaction=True)
def test_a_provider_that_is_changed_takes_a_model_meanwhile() -> None:
    provider = make.make_model("old").provider

    def add() -> None:
        try:
            make.make_model("new", provider=provider)
        finally:
            connections.close_all()

    thread = threading.Thread(target=add)

    def meanwhile() -> None:
        thread.start()
        thread.join(60)
        assert not thread.is_alive(), "it waits for whoever waits for it"

    with connection.execute_wrapper(After(meanwhile, of="FOR ")):
        change_provider(actor=SYSTEM, provider=provider, name="Changed")
    assert Provider.objects.get(pk=provider.pk).name == "Changed"
    assert set(ModelVersion.objects.values_list("name", flat=True)) == {"old", "new"}


def test_whoever_loses_a_race_hears_so_and_faults_stay_faults() -> None:
    def of(kind: type[Exception], cause: Exception) -> Exception:
        error = kind()
        error.__cause__ = cause
        return error

    waits = lost(of(OperationalError, postgres.DeadlockDetected()))
    assert waits is not None and (waits.status, waits.retry_after) == (503, 1)
    used = lost(of(IntegrityError, postgres.ForeignKeyViolation()))
    assert used is not None and used.status == 409
    assert isinstance(lost(Provider.DoesNotExist()), Gone)
    assert isinstance(lost(DatabaseError("Save with update_fields did not affect any rows.")), Gone)
    for fault in (
        of(DatabaseError, postgres.DatabaseError()),
        of(IntegrityError, postgres.UniqueViolation()),
        of(OperationalError, postgres.DiskFull()),
        KeyError(),
    ):
        assert lost(fault) is None


@pytest.mark.django_db(transaction=True)
def test_a_file_begins_again_where_it_meets_another_change() -> None:
    alias = make.make_alias("help")
    said: list[str] = []

    def apply_file() -> None:
        try:
            steps = apply(
                "aliases: [{name: help, description: As the file says}]", source="x", folder=Path(), environ={}
            )
            said.extend(step.sign for step in steps)
        finally:
            connections.close_all()

    thread = threading.Thread(target=apply_file)

    def meanwhile() -> None:
        thread.start()
        until(somebody_waits, "the file, which has the epoch, waits for the alias")

    # The file waits first, so it is what PostgreSQL takes back; on a machine that stands still it may be the other.
    with suppress(OperationalError), connection.execute_wrapper(After(meanwhile, of="FOR NO KEY UPDATE")):
        change_alias(actor=SYSTEM, alias=alias, description="As somebody says")
    thread.join(60)
    alias.refresh_from_db()
    assert (said, alias.description) == (["~"], "As the file says")
