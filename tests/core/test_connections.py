"""The connections a process keeps for pages and tasks."""

import threading

import pytest
from django.db import connection


@pytest.mark.django_db
def test_one_that_postgresql_ended_fails_nobody() -> None:
    """As after a restart: it is kept, and dead, when the next thread asks for one."""
    found: list[int] = []

    def ask() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                found.append(cursor.fetchone()[0])
        finally:
            connection.close()

    def in_thread() -> int:
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        return found[-1]

    kept = in_thread()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [kept])
        assert cursor.fetchone() == (True,), "it was kept"
    assert in_thread() != kept
    assert len(found) == 2
