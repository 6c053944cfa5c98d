import pytest

from console.core import clock
from tests import make
from tests.conftest import Cast
from usage_app.models import QuotaCounter
from usage_app.queries.quotas import remaining
from usage_app.services import quotas
from usage_app.shapes import ENDLESS

pytestmark = pytest.mark.django_db


def set_quota(cast: Cast, **fields):
    fields = {"team": cast.team_a, "metric": "requests", "window": "day", "limit": 100} | fields
    return quotas.set_quota(actor=make.SYSTEM, **fields)


def test_it_names_every_quota_that_counts_a_call_of_the_key(cast: Cast) -> None:
    other, _ = make.make_key(cast.team_a, "other")
    team_wide = set_quota(cast)
    of_kim = set_quota(cast, key=cast.kim)
    of_alias = set_quota(cast, alias="support-chat")
    set_quota(cast, key=other)
    set_quota(cast, alias="summaries")
    set_quota(cast, team=cast.team_b)
    found = remaining(cast.team_a.pk, cast.kim.pk, "support-chat")
    assert {s.quota.pk for s in found} == {team_wide.pk, of_kim.pk, of_alias.pk}
    assert len(remaining(cast.team_a.pk, cast.kim.pk)) == 4


def test_what_is_left_leaves_out_what_is_reserved(cast: Cast) -> None:
    quota = set_quota(cast)
    QuotaCounter.objects.filter(quota=quota).update(used=60, reserved=15)
    (state,) = remaining(cast.team_a.pk, cast.kim.pk)
    assert (state.limit, state.used, state.reserved, state.left) == (100, 60, 15, 25)
    assert state.period_end == clock.period_end("day", clock.period_start("day", clock.now()))
    QuotaCounter.objects.filter(quota=quota).update(used=99)
    (state,) = remaining(cast.team_a.pk, cast.kim.pk)
    assert state.left == 0 and state.is_exhausted


def test_calls_at_once_count_those_that_are_open(cast: Cast) -> None:
    quota = set_quota(cast, metric="concurrency", window="", limit=4)
    QuotaCounter.objects.create(quota=quota, period_start=ENDLESS, reserved=3)
    (state,) = remaining(cast.team_a.pk, None)
    assert (state.used, state.left, state.period_end) == (3, 1, None)


def test_many_quotas_need_four_queries(cast: Cast, django_assert_num_queries) -> None:
    for window in ("minute", "hour", "day", "month"):
        set_quota(cast, window=window)
        set_quota(cast, window=window, alias="support-chat")
    with django_assert_num_queries(4):
        assert len(remaining(cast.team_a.pk, cast.kim.pk, "support-chat")) == 8
