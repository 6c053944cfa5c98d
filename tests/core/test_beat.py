"""Beat goes on where the clock of its machine was ahead and is put right."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.conf import settings

from console.core.beat import Scheduler

NOW = dt.datetime(2026, 11, 28, 12, 0, tzinfo=dt.UTC)


def beat(app: Celery, sent: list[str]) -> Scheduler:
    scheduler = Scheduler(app=app, schedule_filename=app.conf.beat_schedule_filename, lazy=False)
    scheduler.producer = None  # nothing is sent, so no broker is looked for
    scheduler.apply_entry = lambda entry, **_: sent.append(entry.task)
    return scheduler


def test_it_waits_for_no_time_that_a_wrong_clock_showed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = Celery("of-the-test", set_as_current=False)
    app.conf.update(
        result_expires=None,  # or Celery adds a task of its own
        beat_schedule={"sweep": {"task": "sweep", "schedule": 10}, "roll-up": {"task": "roll-up", "schedule": 60}},
        beat_schedule_filename=str(tmp_path / "schedule"),
    )
    moment = NOW + dt.timedelta(days=3)
    monkeypatch.setattr(Celery, "now", lambda _: moment)

    def round_of(scheduler: Any) -> list[str]:
        sent.clear()
        for _ in range(4):
            scheduler.tick()
        return sorted(sent)

    sent: list[str] = []
    scheduler = beat(app, sent)
    assert round_of(scheduler) == []
    moment += dt.timedelta(seconds=61)
    assert round_of(scheduler) == ["roll-up", "sweep"]

    moment = NOW  # days before what it has seen
    assert round_of(scheduler) == []
    moment += dt.timedelta(seconds=11)
    assert round_of(scheduler) == ["sweep"]

    # Nor does what it wrote down before it was started again.
    moment = NOW + dt.timedelta(days=3)
    scheduler.tick()
    moment += dt.timedelta(seconds=61)
    assert round_of(scheduler) == ["roll-up", "sweep"]
    scheduler.close()
    moment = NOW
    scheduler = beat(app, sent)
    assert round_of(scheduler) == []
    moment += dt.timedelta(seconds=61)
    assert round_of(scheduler) == ["roll-up", "sweep"]
    scheduler.close()


def test_what_is_due_once_a_day_does_not_wait_for_a_day_without_a_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Celery("of-the-test", set_as_current=False)
    app.conf.update(result_expires=None, beat_schedule={"retention": {"task": "retention", "schedule": 86_400}})
    sent: list[str] = []
    moment = NOW
    monkeypatch.setattr(Celery, "now", lambda _: moment)
    for release in range(2):  # each with a disk of its own
        app.conf.beat_schedule_filename = str(tmp_path / f"schedule-{release}")
        scheduler = beat(app, sent)
        scheduler.tick()
        assert len(sent) == release, "not at once, when others start as well"
        moment += dt.timedelta(minutes=6)
        scheduler.tick()
        scheduler.tick()
        assert len(sent) == release + 1
        scheduler.close()


def test_it_is_what_this_installation_runs() -> None:
    assert f"{Scheduler.__module__}:{Scheduler.__name__}" == settings.CELERY_BEAT_SCHEDULER
