import datetime as dt
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.core import clock
from tests import make
from tests.conftest import Cast
from tests.usage.rows import a_sum
from usage_app.models import QuotaAlert, QuotaCounter, UsageDay, UsageHour
from usage_app.services import quotas
from usage_app.services.pruning import prune
from usage_app.sql import pruning as sql

pytestmark = pytest.mark.django_db


def test_it_forgets_closed_periods_by_their_age(cast: Cast, settings) -> None:
    settings.AUDIT_KEEP_DAYS = 30
    moment = clock.now()
    kept = {}
    for window, age in (("minute", 1), ("hour", 24), ("day", 29 * 24), ("month", 30 * 24)):
        quota = quotas.set_quota(actor=make.SYSTEM, team=cast.team_a, metric="tokens", window=window, limit=1)
        young = clock.period_start(window, moment - dt.timedelta(hours=age))
        QuotaCounter.objects.get_or_create(quota=quota, period_start=young)
        for days in (200, 300):
            QuotaCounter.objects.create(
                quota=quota, period_start=clock.period_start(window, moment - dt.timedelta(days=days))
            )
        kept[quota.pk] = {young, quota.opening_period}
    assert prune() == 8
    for quota_id, starts in kept.items():
        assert set(QuotaCounter.objects.filter(quota_id=quota_id).values_list("period_start", flat=True)) == starts


def test_it_keeps_the_counter_of_an_open_call(cast: Cast) -> None:
    quota = quotas.set_quota(actor=make.SYSTEM, team=cast.team_a, metric="tokens", window="minute", limit=1)
    old = quota.opening_period - dt.timedelta(hours=5)
    QuotaCounter.objects.create(quota=quota, period_start=old, reserved=3)
    assert prune() == 0


def test_it_forgets_old_hours_and_alerts_but_no_days(cast: Cast) -> None:
    quota = quotas.set_quota(actor=make.SYSTEM, team=cast.team_a, metric="tokens", window="day", limit=1)
    moment = clock.now()
    for days in (1, 101):
        a_sum(cast.team_a, moment - dt.timedelta(days=days))
    for days in (1, 500):
        QuotaAlert.objects.create(quota=quota, period_start=moment - dt.timedelta(days=days), percent=80)
    assert prune() == 2
    assert (UsageHour.objects.count(), UsageDay.objects.count(), QuotaAlert.objects.count()) == (1, 2, 1)


def test_it_remembers_what_was_told_for_as_long_as_a_month_is(cast: Cast, settings) -> None:
    settings.AUDIT_KEEP_DAYS = 1
    quota = quotas.set_quota(actor=make.SYSTEM, team=cast.team_a, metric="tokens", window="month", limit=1)
    QuotaAlert.objects.create(quota=quota, period_start=clock.now() - dt.timedelta(days=30), percent=80)
    assert prune() == 0


@pytest.mark.parametrize(
    "prune_some", [partial(sql.prune_counters, "day"), sql.prune_alerts, sql.prune_hours, sql.prune_touchpoints]
)
def test_it_chooses_the_rows_of_a_batch_once(prune_some: Callable[[dt.datetime, int], int]) -> None:
    with CaptureQueriesContext(connection) as asked:
        prune_some(clock.now(), 3)
    (deleted,) = asked.captured_queries
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {deleted['sql']}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    _, once, chosen = plan.partition("InitPlan")
    assert once and "Limit" in chosen, "a limit beneath a join is met anew for each row that is joined"
