"""Roll-ups read what is committed for good, so these tests commit, and wait for older transactions of other tests."""

import datetime as dt
import threading
import time
import uuid

import pytest
from django.db import connection, transaction

from console.core.clock import now
from console.core.histogram import bucket_of, by_octave, histogram, percentile
from console.teams.models import Team
from tests import make
from tests.usage.rows import a_call
from tests.waiting import until
from usage_app.models import Quota, RollUpState, UsageDay, UsageHour, UsageTotal, UsageTouchpoint
from usage_app.queries import dashboard
from usage_app.queries.lanes import lanes
from usage_app.queries.touchpoints import uses_by_team
from usage_app.services import quotas
from usage_app.services import roll_up as service
from usage_app.sql import roll_up as sql

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def team(committed_db: None) -> Team:
    return make.make_team("Support")


def next_tx() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_tx()")
        return cursor.fetchone()[0]


def roll_up_past(tx: int) -> int:
    """Roll up until everything that was written before `tx` has been read."""
    counts = []

    def is_read() -> bool:
        counts.append(service.roll_up())
        return RollUpState.objects.get().next_tx >= tx

    # It waits for what transactions of other databases hold back, those of other tests.
    until(is_read, "the horizon moved past what was written", 180)
    return sum(counts)


def test_it_sums_calls_by_hour_day_and_cut(team: Team) -> None:
    at = dt.datetime(2026, 3, 31, 23, 40, tzinfo=dt.UTC)
    for minutes in (0, 10, 30):
        a_call(team, at=at + dt.timedelta(minutes=minutes))
    a_call(
        team,
        at=at,
        status="error",
        code="their own word",
        latency_us=3_000_000,
        first_token_us=None,
        completion_tokens=0,
        cost_micros=0,
    )
    a_call(
        team,
        at=at,
        status="refused",
        code="quota_exceeded",
        latency_us=10,
        first_token_us=None,
        prompt_tokens=0,
        completion_tokens=0,
        cost_micros=0,
    )
    a_call(team, at=at, environment="sandbox")
    a_call(team, at=at, type="admin")
    a_call(team, at=at, team_id=None)
    assert roll_up_past(next_tx()) == 6
    hour = UsageHour.objects.get(hour=at.replace(minute=0), environment="production")
    assert (hour.requests, hour.errors, hour.refusals) == (4, 1, 1)
    assert (hour.prompt_tokens, hour.completion_tokens, hour.cost_micros) == (300, 100, 2000)
    assert sum(hour.latency) == 3  # the refusal's says nothing about models
    assert hour.latency[bucket_of(200_000)] == 2 and hour.latency[bucket_of(3_000_000)] == 1
    assert hour.first_token[bucket_of(50_000)] == 2 and sum(hour.first_token) == 2
    assert UsageHour.objects.get(hour=dt.datetime(2026, 4, 1, tzinfo=dt.UTC)).requests == 1
    assert sorted(UsageDay.objects.values_list("day", "requests")) == [
        (dt.date(2026, 3, 31), 1),
        (dt.date(2026, 3, 31), 4),
        (dt.date(2026, 4, 1), 1),
    ]
    totals = {row.status: row for row in UsageTotal.objects.filter(environment="production")}
    assert {status: row.requests for status, row in totals.items()} == {"ok": 3, "error": 1, "refused": 1}
    assert (totals["ok"].prompt_tokens, totals["ok"].latency_us, totals["ok"].first_token_us) == (300, 600_000, 150_000)
    assert totals["ok"].latency == by_octave(histogram([200_000] * 3))
    assert totals["error"].code == "" and totals["error"].latency == by_octave(histogram([3_000_000]))
    assert totals["refused"].code == "quota_exceeded" and sum(totals["refused"].latency) == 0


def test_it_tells_attempts_from_what_callers_met(team: Team) -> None:
    """An attempt that a fallback followed failed and nobody heard of it; where every fallback was refused, one did."""
    a_call(team)
    a_call(team, status="error", detail='{"attempt_of":"req_1"}')
    a_call(team, model="spare/model", detail='{"route": "fallback 1", "fell_back_from": "fake/model"}')
    a_call(team, status="error", detail='{"route": "canary", "attempt_of": "req_2"}')
    a_call(team, status="refused", detail='{"attempt_of":"req_2"}')
    a_call(team, status="refused", code="upstream_error", detail='{"passed_over": {"spare/model": "Used up."}}')
    a_call(team, status="refused", code="quota_exceeded")
    assert roll_up_past(next_tx()) == 7
    for kind in (UsageHour, UsageDay):
        sums = kind.objects.get(model="fake/model")
        assert (sums.requests, sums.errors, sums.refusals, sums.attempts) == (6, 3, 2, 2)
    span = dashboard.span("24h", now())
    usage = dashboard.dashboard(span, team_ids=[team.pk], environment="production")
    assert (usage.now.requests, usage.now.error_percent) == (7, 100 / 3), "one of the three calls that were let through"
    assert usage.aliases[0].figures.error_percent == 100 / 3
    rates = {top.name: top.figures.error_percent for top in usage.models}
    assert rates == {"fake/model": 75, "spare/model": 0}, "a model is told by every attempt at it"
    used = [lane for lane in lanes(span, team_ids=[team.pk], environment="production") if lane.requests]
    assert [lane.error_percent for lane in used] == [100 / 3]


def test_each_call_is_in_one_touchpoint(team: Team) -> None:
    key, other = (make.make_key(team)[0] for _ in range(2))
    widget, at = uuid.uuid4(), now()
    person = {"actor_kind": "user", "actor_id": uuid.uuid4(), "alias": "a"}
    by_key = {"actor_kind": "key", "key": key, "alias": "a"}
    a_call(team, at=at, **by_key)
    a_call(team, at=at - dt.timedelta(seconds=1), **by_key, agent="helper@3")  # a program asks an assistant
    a_call(team, at=at, **by_key, type="agent", agent="worker@1", surface="agent")  # a run it started
    a_call(team, at=at, **(by_key | {"key": other, "alias": "b"}), type="shadow")
    a_call(team, at=at, actor_kind="widget", actor_id=widget, agent="helper@3", alias="a")
    a_call(team, at=at, **person, agent="helper@4", surface="chat")
    a_call(team, at=at, **person, type="playground")
    a_call(team, at=at, **person, type="tool", agent="worker@1")
    looked_up = {"type": "embedding", "alias": "", "model": "builtin/words", "latency_us": 1_000}
    a_call(team, at=at, **(by_key | looked_up), route="/v1/chat/completions")
    a_call(team, at=at, **looked_up, actor_kind="widget", actor_id=widget, surface="widget", route="/embed/ask")
    a_call(team, at=at, **(by_key | looked_up | {"key": other}), route="/v1/embeddings")  # what it was asked for
    assert roll_up_past(next_tx()) == 11
    found = UsageTouchpoint.objects.values_list("kind", "subject", "alias", "requests", "last_at")
    assert sorted(found) == sorted(
        [
            ("agent", "helper", "a", 1, at),
            ("agent", "worker", "a", 1, at),
            ("key", str(key.pk), "", 0, at),
            ("key", str(key.pk), "a", 2, at),
            ("key", str(other.pk), "", 1, at),
            ("widget", str(widget), "", 0, at),
            ("widget", str(widget), "a", 1, at),
        ]
    )
    used = uses_by_team([team.pk], since=at.date())[team.pk]
    use = used["key", str(key.pk)]
    assert (use.requests, use.cost_micros, use.models, sum(use.latency)) == (2, 3000, ["fake/model"], 2)
    use = used["key", str(other.pk)]
    assert (use.requests, use.cost_micros, use.models, sum(use.latency)) == (1, 1000, ["builtin/words"], 1)


def test_it_adds_later_calls_to_what_is_there(team: Team) -> None:
    at = now().replace(minute=0)
    a_call(team, at=at)
    assert roll_up_past(next_tx()) == 1
    a_call(team, at=at, latency_us=900_000)
    assert roll_up_past(next_tx()) == 1
    assert roll_up_past(next_tx()) == 0
    hour, total = UsageHour.objects.get(), UsageTotal.objects.get()
    assert hour.requests == total.requests == 2
    assert total.latency == by_octave(hour.latency) and total.latency_us == 1_100_000
    assert hour.latency[bucket_of(200_000)] == 1 and hour.latency[bucket_of(900_000)] == 1
    assert percentile(hour.latency, 99) > 800_000


def test_a_call_that_commits_late_is_read_later_and_once(team: Team) -> None:
    """The late one takes its transaction number first and commits after others were rolled up."""
    is_written, may_commit = threading.Event(), threading.Event()

    def late() -> None:
        try:
            with transaction.atomic():
                a_call(team, alias="late")
                is_written.set()
                assert may_commit.wait(180)
        finally:
            connection.close()

    thread = threading.Thread(target=late)
    thread.start()
    assert is_written.wait(180)
    a_call(team, alias="early")
    service.roll_up()
    assert not UsageHour.objects.filter(alias="late").exists()
    may_commit.set()
    thread.join()
    roll_up_past(next_tx())
    service.roll_up()
    assert sorted(UsageHour.objects.values_list("alias", "requests")) == [("early", 1), ("late", 1)]


def test_nothing_is_lost_or_doubled_while_many_write_and_two_roll_up(team: Team) -> None:
    writers, each = 6, 25
    is_over = threading.Event()

    def write(n: int) -> None:
        try:
            for i in range(each):
                with transaction.atomic():
                    a_call(team, alias=f"alias-{n}")
                    if i % 5 == 0:
                        time.sleep(0.005)
        finally:
            connection.close()

    def roll() -> None:
        try:
            while not is_over.is_set():
                service.roll_up()
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(writers)]
    rollers = [threading.Thread(target=roll) for _ in range(2)]
    for thread in threads + rollers:
        thread.start()
    for thread in threads:
        thread.join()
    is_over.set()
    for thread in rollers:
        thread.join()
    roll_up_past(next_tx())
    found = dict(UsageDay.objects.values_list("alias", "requests"))
    assert found == {f"alias-{n}": each for n in range(writers)}
    assert sum(UsageHour.objects.values_list("requests", flat=True)) == writers * each


def test_a_new_quota_counts_hours_and_the_rest_of_the_log_once(team: Team) -> None:
    a_call(team)
    roll_up_past(next_tx())
    a_call(team)
    a_call(team, status="refused")
    quota: Quota = quotas.set_quota(actor=make.SYSTEM, team=team, metric="requests", window="month", limit=10)
    assert quota.opening_used == 2
    roll_up_past(next_tx())
    quotas.remove_quota(actor=make.SYSTEM, quota=quota)
    quota = quotas.set_quota(actor=make.SYSTEM, team=team, metric="requests", window="month", limit=10)
    assert quota.opening_used == 2


def test_it_goes_on_where_a_batch_failed(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    a_call(team)
    real = sql.roll_up
    tx = next_tx()

    def fail(*args: int) -> int:
        real(*args)
        raise RuntimeError("the process died")

    monkeypatch.setattr(sql, "roll_up", fail)

    def has_failed() -> bool:
        try:
            service.roll_up()
        except RuntimeError:
            return True
        return False

    until(has_failed, "there was something to roll up", 180)
    assert not UsageHour.objects.exists()
    monkeypatch.setattr(sql, "roll_up", real)
    assert roll_up_past(tx) == 1


def test_it_reads_a_backlog_in_bounded_batches(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BATCH", 5)
    sizes: list[int] = []
    real = sql.roll_up

    def measured(*args: int) -> int:
        sizes.append(real(*args))
        return sizes[-1]

    monkeypatch.setattr(sql, "roll_up", measured)
    for _ in range(17):
        a_call(team)
    with transaction.atomic():
        for _ in range(9):
            a_call(team)
    assert roll_up_past(next_tx()) == 26
    assert UsageDay.objects.get().requests == 26
    assert max(sizes) == 9  # one transaction is never split
    assert sorted(sizes)[-2] <= 5


def test_what_a_refused_caller_typed_is_no_cut(team: Team) -> None:
    """Nobody can fill the dashboards with names, or stop the roll-up with one that is too long."""
    for n in range(3):
        a_call(team, status="refused", alias=f"{n}" + "x" * 190, model="")
    a_call(team, model="fake/" + "y" * 400)
    assert roll_up_past(next_tx()) == 4
    refused = UsageHour.objects.get(refusals=3)
    assert (refused.alias, refused.model) == ("", "")
    assert len(UsageHour.objects.get(refusals=0).model) == 270
