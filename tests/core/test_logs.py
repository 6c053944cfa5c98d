"""What the filter of every log makes of a record."""

import logging
import time
import warnings

import psycopg
import pytest
from celery.beat import Scheduler
from celery.exceptions import CPendingDeprecationWarning
from celery.signals import celeryd_after_setup
from celery.worker.consumer.consumer import CANCEL_TASKS_BY_DEFAULT
from django.db import OperationalError
from kombu.exceptions import OperationalError as BrokerAway

from console.celery import app
from console.core.logs import OutageFilter, ScrubFilter, SeldomFilter

SECRET = "Bearer sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.mark.parametrize("arguments", [(SECRET, "and one too many"), ({"other": SECRET},)])
def test_a_message_that_does_not_fit_its_arguments_is_logged_all_the_same(arguments: tuple[object, ...]) -> None:
    """The standard library swallows such a mistake; raised in a filter it would end whatever was being done."""
    record = logging.LogRecord("library", logging.ERROR, __file__, 1, "Refused: %(token)d", arguments, None)
    assert ScrubFilter().filter(record)
    assert record.getMessage().startswith("Refused: %(token)d") and "sk-proj" not in record.getMessage()


def test_a_task_without_postgresql_is_one_line_and_no_traceback() -> None:
    """Each of a dozen that are due every few seconds would be a page of where it was at that moment."""
    assert any(isinstance(one, OutageFilter) for one in logging.getLogger("celery.app.trace").filters)

    def told(error: Exception) -> tuple[int, str, bool]:
        arguments = ({"name": "audit.seal", "exc": repr(error)},)
        exc_info = (type(error), error, None)
        record = logging.LogRecord(
            "celery.app.trace", logging.ERROR, __file__, 1, "%(name)s: %(exc)s", arguments, exc_info
        )
        assert OutageFilter().filter(record)
        return record.levelno, record.getMessage(), bool(record.exc_info)

    level, said, has_traceback = told(OperationalError("couldn't get a connection, 100% of it\nmore"))
    assert (level, has_traceback) == (logging.WARNING, False)
    assert said.startswith("Task audit.seal had no PostgreSQL") and said.endswith("a connection, 100% of it")
    full = OperationalError("could not extend file")
    full.__cause__ = psycopg.errors.DiskFull()
    assert told(full)[::2] == (logging.WARNING, False), "least of all on a disk without room for it"
    timed_out = OperationalError("canceling statement")
    timed_out.__cause__ = psycopg.errors.QueryCanceled()
    for mistake in (timed_out, ValueError("no")):
        assert told(mistake) == (logging.ERROR, f"audit.seal: {mistake!r}", True)


def test_a_task_that_beat_cannot_send_is_one_line(monkeypatch, caplog) -> None:
    scheduler = Scheduler(app=app, lazy=True)
    entry = scheduler.Entry(name="sweep", task="no.such_task", schedule=60, app=app)

    def told(error: Exception) -> tuple[str, str, bool]:
        def refused(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(scheduler, "send_task", refused)
        scheduler.apply_entry(entry, producer=object())
        (record,) = (one for one in caplog.records if one.levelno > logging.INFO)
        caplog.clear()
        return record.levelname, record.getMessage(), bool(record.exc_info)

    said = "Couldn't apply scheduled task sweep: connection refused, 100%"
    assert told(BrokerAway("connection refused, 100%\nmore")) == ("WARNING", said, False)
    level, message, has_traceback = told(ValueError("a mistake"))
    assert (level, has_traceback) == ("ERROR", True) and "a mistake" in message


def test_a_pool_says_once_a_minute_that_it_has_no_connections(monkeypatch) -> None:
    # One for each time that logging was set up in this process.
    seldom = next(one for one in logging.getLogger("psycopg.pool").filters if isinstance(one, SeldomFilter))
    clock = time.monotonic() + 1000
    monkeypatch.setattr("console.core.logs.time.monotonic", lambda: clock)
    record = logging.LogRecord("psycopg.pool", logging.WARNING, __file__, 1, "error connecting", None, None)
    assert [seldom.filter(record) for _ in range(3)] == [True, False, False]
    clock += 60
    assert seldom.filter(record)


def test_a_worker_does_not_warn_that_tasks_go_on_without_the_broker(monkeypatch) -> None:
    monkeypatch.setattr(logging, "captureWarnings", lambda _: None)
    with warnings.catch_warnings(record=True) as said:
        app.log.setup(loglevel="INFO")  # as a worker does
        celeryd_after_setup.send(sender="worker", instance=None, conf=app.conf)
        warnings.warn(CANCEL_TASKS_BY_DEFAULT, CPendingDeprecationWarning, stacklevel=1)
        warnings.warn("something else of Celery's", CPendingDeprecationWarning, stacklevel=1)
    assert [str(one.message) for one in said] == ["something else of Celery's"]
