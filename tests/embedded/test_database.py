"""The tests' own database: what a committing test leaves behind is gone afterwards."""

import pytest
from django.db import OperationalError, connection

import manage
from console.audit import actions
from console.audit.models import AuditEvent, Epoch
from console.audit.services import record
from console.teams.callers import SYSTEM
from console.teams.models import User
from tests import database, make


@pytest.mark.django_db(transaction=True)
def test_it_restores_what_migrations_left() -> None:
    make.make_user("someone@example.com")
    record(actions.SETTING_CHANGED, actor=SYSTEM)
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
    with pytest.raises(SystemExit, match=f"No console runs in {tmp_path}. .*DATA_DIR"):
        manage.main()
    settings.HAS_EMBEDDED_POSTGRES = False
    with pytest.raises(OperationalError):
        manage.main()
