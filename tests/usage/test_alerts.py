import datetime as dt

import pytest
from django.core import mail

from console.audit.models import AuditEvent
from console.core import clock
from console.notices.models import Delivery, Notice
from console.notices.services.delivery import send_due
from tests import make
from tests.conftest import Cast
from usage_app.models import Quota, QuotaAlert, QuotaCounter
from usage_app.services import quotas
from usage_app.services.alerts import check_alerts

pytestmark = pytest.mark.django_db


@pytest.fixture
def quota(cast: Cast) -> Quota:
    return quotas.set_quota(
        actor=make.SYSTEM, team=cast.team_a, metric="cost", window="month", limit=100_000_000, mode="soft"
    )


def use(quota: Quota, micros: int) -> None:
    QuotaCounter.objects.filter(quota=quota).update(used=micros)


@pytest.fixture
def mails(django_capture_on_commit_callbacks):
    """Look once, and return what was mailed by it."""

    def look() -> list:
        mail.outbox.clear()
        with django_capture_on_commit_callbacks(execute=True):
            check_alerts()
        send_due()
        return list(mail.outbox)

    return look


def test_it_is_quiet_below_the_threshold(quota: Quota, mails) -> None:
    use(quota, 79_999_999)
    assert mails() == []
    assert not QuotaAlert.objects.exists()


def test_it_tells_owners_and_operators_once(quota: Quota, mails) -> None:
    use(quota, 80_000_000)
    sent = mails()
    assert sorted(m.to[0] for m in sent) == ["alice@example.com", "olga@example.com"]
    assert sent[0].subject == "Team A has used 80 % of its quota: Cost per month"
    assert "Team A has used $80.00 of $100.00: Cost per month.\n" in sent[0].body and "calls go on" in sent[0].body
    assert "/quotas/?team=team-a" in sent[0].body
    (facts,) = Notice.objects.values_list("facts", flat=True)
    assert facts["quota"] == str(quota.public_id), "as it is called in /api/quotas/"
    assert mails() == []
    use(quota, 99_000_000)
    assert mails() == []
    line = AuditEvent.objects.get(action="quota.alerted")
    assert line.team_id == quota.team_id and '"percent": 80' in line.detail
    assert '"metric": "cost"' in line.detail, "or nobody can tell what is used"


def test_it_tells_again_when_all_is_used(quota: Quota, mails) -> None:
    use(quota, 80_000_000)
    mails()
    use(quota, 100_000_000)
    assert "has used all of its quota" in mails()[0].subject
    assert sorted(QuotaAlert.objects.values_list("percent", flat=True)) == [80, 100]


def test_a_jump_past_both_is_one_mail(quota: Quota, mails) -> None:
    use(quota, 120_000_000)
    assert len(mails()) == 2  # one for each person
    assert QuotaAlert.objects.count() == 2
    assert AuditEvent.objects.filter(action="quota.alerted").count() == 1


def test_a_hard_quota_says_what_happens(quota: Quota, mails) -> None:
    Quota.objects.update(mode="hard")
    use(quota, 100_000_000)
    assert "answered with 429 until" in mails()[0].body


def test_a_temporary_increase_counts(quota: Quota, mails) -> None:
    quotas.increase_quota(
        actor=make.SYSTEM,
        quota=quota,
        amount=100_000_000,
        reason="launch",
        ends_at=clock.now() + dt.timedelta(hours=1),
    )
    use(quota, 100_000_000)
    assert mails() == []


def test_a_new_period_tells_anew(quota: Quota, mails) -> None:
    use(quota, 80_000_000)
    mails()
    QuotaAlert.objects.update(period_start=quota.opening_period - dt.timedelta(days=31))
    assert len(mails()) == 2


def test_minutes_are_not_mailed(cast: Cast, mails) -> None:
    quota = quotas.set_quota(actor=make.SYSTEM, team=cast.team_a, metric="requests", window="minute", limit=1)
    use(quota, 5)
    assert mails() == []


def test_a_mail_server_that_is_away_loses_nothing_else(quota: Quota, mails, settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    use(quota, 100_000_000)
    mails()
    assert QuotaAlert.objects.count() == 2
    assert set(Delivery.objects.values_list("state", "problem")) == {("waiting", "The mail server cannot be reached.")}


def test_background_work_is_scheduled_by_the_names_it_has(settings) -> None:
    from console.celery import app
    from usage_app import tasks

    for task in (tasks.roll_up_task, tasks.check_alerts_task, tasks.prune_task):
        assert task.name in {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
        assert task.name in app.tasks
