import datetime as dt
import json
import uuid

import pytest

from console.audit import sql as audit_sql
from console.audit.models import AuditEvent
from console.core import clock
from console.core.errors import BadInput, Conflict
from tests import make
from tests.conftest import Cast
from tests.usage.rows import a_call
from usage_app.models import Quota, QuotaCounter
from usage_app.queries.recount import differences
from usage_app.scopes import Subject
from usage_app.services import quotas

pytestmark = pytest.mark.django_db


def set_quota(cast: Cast, **fields) -> Quota:
    fields = {"metric": "cost", "window": "month", "limit": 5_000_000} | fields
    return quotas.set_quota(actor=make.SYSTEM, team=cast.team_a, **fields)


def test_it_starts_with_the_epoch_of_its_own_change(cast: Cast) -> None:
    before = audit_sql.epoch()
    quota = set_quota(cast)
    assert quota.since_epoch == before + 1 == audit_sql.epoch()


@pytest.mark.parametrize(("metric", "used"), [("requests", 2), ("tokens", 300), ("cost", 2000)])
@pytest.mark.parametrize("window", ["minute", "hour", "day", "month"])
def test_it_counts_what_the_present_period_has_used(cast: Cast, metric: str, used: int, window: str) -> None:
    start = clock.period_start(window, clock.now())
    a_call(cast.team_a, at=start)
    a_call(cast.team_a, at=clock.now(), status="error")
    a_call(cast.team_a, at=start - dt.timedelta(milliseconds=1))
    a_call(cast.team_a, status="refused")
    a_call(cast.team_a, type="models")
    a_call(cast.team_b)
    quota = set_quota(cast, metric=metric, window=window)
    counter = QuotaCounter.objects.get(quota=quota)
    assert (counter.used, counter.reserved, counter.period_start) == (used, 0, start)
    assert (quota.opening_used, quota.opening_period) == (used, start)
    assert differences() == []


def test_it_counts_only_its_key(cast: Cast) -> None:
    a_call(cast.team_a, key=cast.kim)
    a_call(cast.team_a)
    assert set_quota(cast, key=cast.kim).opening_used == 1000


def test_it_counts_only_its_alias(cast: Cast) -> None:
    a_call(cast.team_a, alias="summaries")
    a_call(cast.team_a)
    assert set_quota(cast, alias="summaries", metric="tokens").opening_used == 150


def test_it_counts_only_its_agent_or_its_widget(cast: Cast) -> None:
    widget = Subject("widget", str(uuid.uuid4()), "Shop", cast.team_a.pk)
    a_call(cast.team_a, agent="helper@3")
    a_call(cast.team_a, agent="helper-2@1")
    a_call(cast.team_a, agent="helper@2", actor_kind="widget", actor_id=widget.value)
    a_call(cast.team_a, actor_kind="user", actor_id=widget.value)
    for window in ("minute", "month"):
        assert set_quota(cast, window=window, agent="helper").opening_used == 2000
        assert set_quota(cast, window=window, widget=widget).opening_used == 1000
    assert differences() == []
    with pytest.raises(BadInput, match="not of key and agent"):
        set_quota(cast, key=cast.kim, agent="helper")
    with pytest.raises(Conflict, match="Cost per month of widget Shop"):
        set_quota(cast, widget=widget)


def test_it_writes_one_audit_line(cast: Cast) -> None:
    quota = set_quota(cast, alias="summaries")
    line = AuditEvent.objects.get(action="quota.created")
    assert line.target_id == str(quota.pk)
    assert line.target == "Cost per month of summaries"
    assert line.team_id == cast.team_a.pk
    assert json.loads(line.detail)["after"] == {"limit": 5_000_000, "mode": "hard"}


def test_it_refuses_a_second_of_the_same_kind(cast: Cast) -> None:
    set_quota(cast)
    with pytest.raises(Conflict, match="Cost per month"):
        set_quota(cast, limit=1)
    set_quota(cast, window="day")
    set_quota(cast, key=cast.kim)
    assert Quota.objects.count() == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"metric": "smiles"},
        {"window": "year"},
        {"window": ""},
        {"metric": "concurrency"},
        {"metric": "concurrency", "window": "", "mode": "soft"},
        {"mode": "gentle"},
        {"limit": -1},
        {"limit": 10**18},
    ],
)
def test_it_refuses_nonsense(cast: Cast, fields: dict) -> None:
    with pytest.raises(BadInput):
        set_quota(cast, **fields)
    assert not Quota.objects.exists()


def test_it_refuses_a_key_of_another_team(cast: Cast) -> None:
    other, _ = make.make_key(cast.team_b)
    with pytest.raises(BadInput, match="another team"):
        set_quota(cast, key=other)


def test_concurrency_has_no_counter(cast: Cast) -> None:
    quota = set_quota(cast, metric="concurrency", window="", limit=4)
    assert not QuotaCounter.objects.filter(quota=quota).exists()
    assert differences() == []


def test_it_changes_limit_and_mode_with_before_and_after(cast: Cast) -> None:
    quota = set_quota(cast)
    epoch = audit_sql.epoch()
    changed = quotas.change_quota(actor=make.SYSTEM, quota=quota, limit=7, mode="soft")
    assert (changed.limit, changed.mode) == (7, "soft")
    assert audit_sql.epoch() == epoch + 1
    detail = json.loads(AuditEvent.objects.get(action="quota.changed").detail)
    assert detail.pop("metric") == "cost"
    assert detail == {"before": {"limit": 5_000_000, "mode": "hard"}, "after": {"limit": 7, "mode": "soft"}}


def test_a_change_to_the_same_writes_nothing(cast: Cast) -> None:
    quota = set_quota(cast)
    quotas.change_quota(actor=make.SYSTEM, quota=quota, limit=quota.limit, mode=quota.mode)
    assert not AuditEvent.objects.filter(action="quota.changed").exists()


def test_it_removes_the_quota_with_its_counters(cast: Cast) -> None:
    quota = set_quota(cast)
    epoch = audit_sql.epoch()
    quotas.remove_quota(actor=make.SYSTEM, quota=quota)
    assert not Quota.objects.exists() and not QuotaCounter.objects.exists()
    assert audit_sql.epoch() == epoch + 1
    assert AuditEvent.objects.filter(action="quota.deleted").count() == 1


def test_it_raises_a_limit_for_a_while_and_takes_it_back(cast: Cast) -> None:
    quota = set_quota(cast)
    tomorrow = clock.now() + dt.timedelta(days=1)
    increase = quotas.increase_quota(
        actor=make.SYSTEM,
        quota=quota,
        amount=1_000_000,
        reason=" launch week ",
        ends_at=tomorrow,
    )
    assert (increase.reason, increase.ended_at) == ("launch week", None)
    quotas.end_increase(actor=make.SYSTEM, increase=increase)
    increase.refresh_from_db()
    assert increase.ended_at is not None
    with pytest.raises(Conflict):
        quotas.end_increase(actor=make.SYSTEM, increase=increase)
    assert AuditEvent.objects.filter(action__startswith="quota.increase").count() == 2


@pytest.mark.parametrize(
    ("amount", "reason", "hours"), [(0, "why", 1), (-5, "why", 1), (5, "  ", 1), (5, "why", -1), (10**18, "why", 1)]
)
def test_it_refuses_an_increase_that_means_nothing(cast: Cast, amount: int, reason: str, hours: int) -> None:
    quota = set_quota(cast)
    with pytest.raises(BadInput):
        quotas.increase_quota(
            actor=make.SYSTEM,
            quota=quota,
            amount=amount,
            reason=reason,
            ends_at=clock.now() + dt.timedelta(hours=hours),
        )
