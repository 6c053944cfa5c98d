"""What else is told: a provider that keeps failing, a seal that does not hold. And what is forgotten."""

import datetime as dt

import pytest

from console.audit.models import SealState
from console.catalog.models.providers import CLOSED, OPENED
from console.catalog.services import health
from console.celery import app
from console.core.clock import now
from console.notices import tasks
from console.notices.models import Delivery, Notice
from console.notices.services import notify, retention, watch
from console.teams.models import Team
from tests import make
from tests.conftest import Cast

pytestmark = pytest.mark.django_db
MOMENT = dt.datetime(2026, 11, 20, 12, 30, tzinfo=dt.UTC)


def test_a_provider_that_keeps_failing_is_told_once_an_hour(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = make.make_model().provider
    for minutes, code in ((0, OPENED), (1, OPENED), (2, CLOSED), (3, OPENED), (40, OPENED), (41, "upstream_error")):
        monkeypatch.setattr(health, "now", lambda minutes=minutes: MOMENT + dt.timedelta(minutes=minutes))
        health.note_failure(provider_id=provider.pk, code=code, sentence="So it is.")
    told = Notice.objects.order_by("created_at", "id").values_list("title", flat=True)
    assert list(told) == [f"{provider} keeps failing", f"{provider} answers again", f"{provider} keeps failing"]
    assert set(Delivery.objects.values_list("address", flat=True)) == {"olga@example.com"}


def test_a_seal_that_does_not_hold_is_told_once_a_day(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not watch.watch_seal()
    SealState.objects.update_or_create(pk=1, defaults={"problem": "Block 3: a record is missing.", "problem_at": now()})
    monkeypatch.setattr(watch, "now", lambda: MOMENT)
    assert watch.watch_seal() and not watch.watch_seal()
    monkeypatch.setattr(watch, "now", lambda: MOMENT + dt.timedelta(days=1))
    assert watch.watch_seal() and "Block 3" in Notice.objects.latest("created_at", "id").text


def test_it_forgets_after_a_month_and_tells_nobody_of_the_demo(cast: Cast, settings) -> None:
    def say(team: Team, key: str) -> bool:
        return notify("quota", team=team, title="t", text="t", url="/", facts={}, key=key)

    assert say(cast.team_a, "old") and say(cast.team_a, "new")
    Team.objects.filter(pk=cast.team_b.pk).update(is_demo=True)
    cast.team_b.refresh_from_db()
    assert not say(cast.team_b, "demo")
    Notice.objects.filter(key="old").update(created_at=now() - dt.timedelta(days=31))
    assert retention.forget() == 1 and Notice.objects.get().key == "new"
    assert set(Delivery.objects.values_list("notice__key", flat=True)) == {"new"}
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    for task in (tasks.send_task, tasks.watch_task, tasks.forget_task):
        assert task.name in scheduled and task.name in app.tasks
