import datetime as dt
import uuid
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from console.audit import sql as audit_sql
from console.core import clock
from console.core.ids import uuid7_at
from console.teams.services.keys import rotate_key
from tests import make
from tests.conftest import Cast
from tests.usage.rows import a_call
from usage_app.models import Quota, QuotaCounter, Reservation
from usage_app.queries.quotas import remaining
from usage_app.queries.recount import differences
from usage_app.services import quotas
from usage_app.shapes import quota_shapes
from usage_app.sql.counters import recount

_LATER = (dt.timedelta(seconds=1), dt.timedelta(minutes=10))

pytestmark = pytest.mark.django_db


def make_quota(cast: Cast, **fields) -> Quota:
    fields = {"metric": "tokens", "window": "day", "limit": 1_000_000} | fields
    return quotas.set_quota(actor=make.SYSTEM, team=cast.team_a, **fields)


def reserve(cast: Cast, quota: Quota, amount: int) -> None:
    Reservation.objects.create(
        id=uuid.uuid4(),
        team_id=cast.team_a.pk,
        process="test",
        expires_at=clock.now() + dt.timedelta(minutes=5),
        quota_ids=[quota.pk],
        period_starts=[quota.opening_period],
        metrics=[quota.metric],
        amounts=[amount],
        record="{}",
    )


def test_it_finds_no_difference_when_counter_and_log_agree(cast: Cast) -> None:
    a_call(cast.team_a)
    quota = make_quota(cast)
    a_call(cast.team_a)
    QuotaCounter.objects.update(used=300)
    reserve(cast, quota, 40)
    QuotaCounter.objects.update(reserved=40)
    assert differences() == []


def test_it_leaves_out_calls_admitted_before_the_quota(cast: Cast) -> None:
    before = audit_sql.epoch()
    make_quota(cast)
    a_call(cast.team_a, epoch=before)
    assert differences() == []


def test_it_finds_what_the_counter_missed(cast: Cast) -> None:
    quota = make_quota(cast)
    a_call(cast.team_a)
    reserve(cast, quota, 40)
    (found,) = differences()
    assert (found.used, found.true_used, found.reserved, found.true_reserved) == (0, 150, 0, 40)
    assert "the log says 150" in str(found)


def test_it_counts_a_call_in_the_period_of_its_admission(cast: Cast) -> None:
    quota = make_quota(cast)
    yesterday = quota.opening_period - dt.timedelta(hours=1)
    a_call(cast.team_a, at=yesterday, closed_at=clock.now())
    assert differences() == []
    QuotaCounter.objects.create(quota=quota, period_start=quota.opening_period - dt.timedelta(days=1), used=1)
    (found,) = differences(closed=True)
    assert (found.used, found.true_used) == (1, 150)
    assert differences(closed=False) == []


def test_what_ends_in_the_next_period_counts_where_its_call_was_admitted(cast: Cast) -> None:
    """Attempts after which a call goes on, and copies of one, get ids of their own when they end or begin."""
    end = make_quota(cast).opening_period
    yesterday = {"at": end - dt.timedelta(milliseconds=1), "closed_at": end, "end_user": "emma"}
    late = [a_call(cast.team_a, **yesterday, id=uuid7_at(end + of)) for of in _LATER]
    assert len(late) == 2 and differences() == [], "none of today"
    QuotaCounter.objects.create(quota=Quota.objects.get(), period_start=end - dt.timedelta(days=1), used=300)
    assert differences(closed=True) == []
    first = {"at": end, "end_user": "emma"}
    a_call(cast.team_a, **first, id=uuid7_at(end - dt.timedelta(milliseconds=1)))
    QuotaCounter.objects.filter(period_start=end).update(used=150)
    assert differences(closed=True) == [], "its id is made just before its moment is read"
    assert make_quota(cast, metric="requests").opening_used == 1


def test_it_finds_a_reservation_that_leaked(cast: Cast) -> None:
    make_quota(cast)
    QuotaCounter.objects.update(reserved=70)
    (found,) = differences(closed=False)
    assert (found.reserved, found.true_reserved) == (70, 0)


def test_the_command_reports_and_repairs(cast: Cast, capsys: pytest.CaptureFixture[str]) -> None:
    make_quota(cast)
    assert "agrees" in call_command("recountquotas")
    a_call(cast.team_a)
    QuotaCounter.objects.update(reserved=70)
    with pytest.raises(CommandError, match="1 counter"):
        call_command("recountquotas")
    call_command("recountquotas", "--repair")
    counter = QuotaCounter.objects.get()
    assert (counter.used, counter.reserved) == (150, 0)
    assert differences() == []


def test_a_quota_of_a_key_counts_the_key_that_replaced_it(cast: Cast) -> None:
    quota = make_quota(cast, key=cast.kim)
    second, _ = rotate_key(actor=make.SYSTEM, key=cast.kim)
    third, _ = rotate_key(actor=make.SYSTEM, key=second)
    for key in (cast.kim, second, third):
        a_call(cast.team_a, key=key)
    a_call(cast.team_a)
    (found,) = differences(quota_id=quota.pk)
    assert found.true_used == 450
    (shape,) = quota_shapes()[cast.team_a.pk]
    assert shape.key_ids == {cast.kim.pk, second.pk, third.pk}
    assert [s.quota for s in remaining(cast.team_a.pk, third.pk)] == [quota]
    assert make_quota(cast, key=cast.kim, window="month").opening_used == 450
    assert make_quota(cast, key=third, window="month").opening_used == 150
    assert len(remaining(cast.team_a.pk, cast.kim.pk)) == 2


def test_it_counts_shadow_copies_on_their_own_quotas_only(cast: Cast) -> None:
    a_call(cast.team_a, type="shadow")
    calls, copies = make_quota(cast), make_quota(cast, purpose="shadow")
    assert (calls.opening_used, copies.opening_used) == (0, 150)
    a_call(cast.team_a, type="shadow")
    a_call(cast.team_a)
    a_call(cast.team_a)
    assert {d.quota_id: d.true_used for d in differences()} == {calls.pk: 300, copies.pk: 300}
    assert [q.purpose for q in quota_shapes()[cast.team_a.pk]] == ["", "shadow"]
    assert len(remaining(cast.team_a.pk, None)) == 1


def test_it_asks_about_quotas_there_are(cast: Cast, django_assert_num_queries: Any) -> None:
    """Planning one of the two questions takes longer than the answer, and after every test of the gateway."""
    with django_assert_num_queries(2):
        assert recount(clock.now()) == []
    quota = make_quota(cast)
    with django_assert_num_queries(3):
        assert [one.quota_id for one in recount(clock.now())] == [quota.pk]
    each = make_quota(cast, each_end_user=True)
    with django_assert_num_queries(3):
        assert recount(clock.now(), quota_id=each.pk) == []
    with django_assert_num_queries(4):
        assert [one.quota_id for one in recount(clock.now())] == [quota.pk]
