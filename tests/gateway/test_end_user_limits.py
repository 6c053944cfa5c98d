"""Limits for each end user: one who has used up theirs stops, and nobody else does."""

import asyncio
import datetime as dt
import itertools
import random
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import orjson
import pytest
from asgiref.sync import sync_to_async
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.audit.redaction import prepare_payload
from console.core.clock import now
from console.gateway.limits import limits_of
from console.teams.actors import SYSTEM
from tests import make
from tests.gateway.test_ledger import (
    _expire_and_sweep,
    begin_of,
    charge,
    close_of,
    counters,
    lines,
    made_ledger,
    shape_of,
    team,
)
from tests.gateway.test_quotas import limit
from tests.live import WebProcess
from usage_app.models import EndUserCounter, QuotaCounter
from usage_app.queries.recount import differences
from usage_app.services.quotas import change_quota, increase_quota, remove_quota

__all__ = ["team"]
pytestmark = pytest.mark.usefixtures("same_minute")


def used(**which):
    """What each end user has used and what is reserved for them."""
    rows = EndUserCounter.objects.filter(**which).order_by("quota_id", "end_user")
    return {row.end_user: (row.used, row.reserved) for row in rows}


def each(world, *args, **more):
    return limit(world, *args, each_end_user=True, **more)


def test_one_end_user_is_stopped_and_the_other_goes_on(ask, world):
    quota = each(world, window="day", most=2)
    assert [ask(user="ann").status_code for _ in range(3)] == [200, 200, 429]
    assert [ask(user="ben").status_code, ask(user="ann").status_code] == [200, 429]
    assert used() == {"ann": (2, 0), "ben": (1, 0)}
    assert not QuotaCounter.objects.exists(), "of the team nothing is counted together"
    refused = ask(user="ann")
    error = refused.json()["error"]
    assert (error["code"], error["param"]) == ("insufficient_quota", "user")
    assert "2 requests a day for this end user" in error["message"] and "resets at" in error["message"]
    assert "ann" not in refused.text.replace("cannot", "") and "ben" not in refused.text
    assert 1 <= int(refused.headers["retry-after"]) <= 86_400 and refused.headers["x-should-retry"] == "false"
    assert refused.headers["x-ratelimit-limit-requests"] == "2"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    line = world.calls()[-1]
    assert (line.status, line.http_status, line.code, line.end_user) == ("refused", 429, "insufficient_quota", "ann")
    assert line.reason == f"quota {quota.pk}: 2 requests a day for this end user"


def test_headers_say_what_this_end_user_has_left(ask, world):
    each(world, most=5)
    limit(world, most=7)
    assert ask(user="ann").headers["x-ratelimit-remaining-requests"] == "4"
    assert ask(user="ben").headers["x-ratelimit-remaining-requests"] == "4"
    assert ask().headers["x-ratelimit-remaining-requests"] == "4", "the team's, of which three are used"


def test_calls_that_name_nobody_pass_uncounted_unless_they_are_refused(ask, world, client):
    quota = each(world, most=0)
    assert ask().status_code == 200 and ask(user="  ").status_code == 200 and not used()
    change_quota(actor=SYSTEM, quota=quota, nameless="refuse")
    refused = ask()
    assert refused.status_code == 400
    assert (refused.json()["error"]["code"], refused.json()["error"]["param"]) == ("end_user_required", "user")
    line = world.calls()[-1]
    assert (line.status, line.code) == ("refused", "end_user_required")
    assert line.reason.startswith(f"quota {quota.pk}: ")
    body = {"model": "support-chat", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    asked = client.post("/v1/messages", json=body)
    assert asked.status_code == 400 and "metadata.user_id" in asked.json()["error"]["message"]


def test_each_operation_names_its_end_user(ask, world, client):
    each(world, most=1)
    messages = [{"role": "user", "content": "hi"}]
    anthropic = {"model": "support-chat", "max_tokens": 9, "messages": messages, "metadata": {"user_id": "ann"}}
    assert client.post("/v1/messages", json=anthropic).status_code == 200
    refused = client.post("/v1/messages", json=anthropic)
    assert refused.status_code == 429 and refused.json()["error"]["type"] == "rate_limit_error"
    assert ask(safety_identifier="ann", user="ben").status_code == 429, "one end user, however it is named"
    assert ask(user="ann", stream=True).status_code == 429, "before a stream begins"
    response = {"model": "support-chat", "input": "hi", "safety_identifier": "ann"}
    assert client.post("/v1/responses", json=response).status_code == 429


def test_names_are_counted_as_the_log_keeps_them(ask, world):
    each(world, most=1)
    long, other = "x" * 300, "y" * 300
    assert [ask(user=name).status_code for name in (" ann ", "ann", long, long, other)] == [200, 429, 200, 429, 200]
    assert sorted(map(len, used())) == [3, 64, 64]
    assert set(used()) == {line.end_user for line in world.calls()}


def test_a_key_has_limits_for_its_own_end_users(ask, world):
    _, other = make.make_key(world.team, "other")
    theirs = {"Authorization": f"Bearer {other}"}
    each(world, most=1, key=world.key)
    assert [ask(user="ann").status_code, ask(user="ann").status_code] == [200, 429]
    assert [ask(user="ann", headers=theirs).status_code for _ in range(2)] == [200, 200]
    assert used() == {"ann": (1, 0)}


def test_sandbox_counts_too_and_other_teams_do_not(ask, world):
    each(world, most=1)
    _, sandbox = make.make_key(world.team, environment="sandbox")
    _, others = make.make_key(make.make_team("Others"))
    assert ask(user="ann", headers={"Authorization": f"Bearer {sandbox}"}).status_code == 200
    assert ask(user="ann").status_code == 429
    assert ask(user="ann", headers={"Authorization": f"Bearer {others}"}).status_code == 200


@pytest.mark.parametrize("metric", ["requests", "tokens", "cost"])
@pytest.mark.parametrize("window", ["minute", "hour", "day", "month"])
def test_each_metric_in_each_window(ask, world, metric, window):
    each(world, metric, window, {"requests": 2, "tokens": 80, "cost": 18}[metric])
    assert [ask(max_tokens=1, user="ann").status_code for _ in range(3)] == [200, 200, 429]
    assert ask(max_tokens=1, user="ben").status_code == 200
    unit = {"requests": 1, "tokens": 28, "cost": 7}[metric]
    assert used() == {"ann": (2 * unit, 0), "ben": (unit, 0)}


def test_a_soft_limit_only_counts(ask, world):
    each(world, mode="soft")
    assert {ask(user="ann").status_code for _ in range(3)} == {200}
    assert used() == {"ann": (3, 0)}


def test_a_call_refused_by_the_team_uses_nothing_of_its_end_user_and_the_other_way_round(ask, world):
    each(world, most=1, window="day")
    team_wide = limit(world, most=1, window="hour")
    assert [ask(user="ann").status_code, ask(user="ben").status_code] == [200, 429]
    assert used() == {"ann": (1, 0), "ben": (0, 0)}
    change_quota(actor=SYSTEM, quota=team_wide, limit=9)
    assert ask(user="ann").status_code == 429
    assert QuotaCounter.objects.get().used == 1


def test_a_temporary_increase_is_for_every_end_user(ask, world):
    quota = each(world, window="day")
    assert [ask(user="ann").status_code, ask(user="ann").status_code] == [200, 429]
    increase_quota(actor=SYSTEM, quota=quota, amount=1, reason="launch", ends_at=now() + dt.timedelta(hours=1))
    assert [ask(user=name).status_code for name in ("ann", "ann", "ben", "ben", "ben")] == [200, 429, 200, 200, 429]


def test_a_new_limit_knows_what_each_used_in_its_first_period(ask, world):
    for name in ("ann", "ann", "ben", ""):
        ask(**({"user": name} if name else {}))
    each(world, most=2, window="day")
    assert used() == {"ann": (2, 0), "ben": (1, 0)}
    assert [ask(user=name).status_code for name in ("ann", "ben", "ben")] == [429, 200, 429]
    assert differences() == []


def test_the_last_unit_of_each_is_given_once(world):
    each(world, most=3, window="month")
    limit(world, most=10, window="month")
    processes = [WebProcess(), WebProcess()]
    try:
        urls = [process.wait().url for process in processes]

        def call(number: int) -> tuple[str, int]:
            name = "abcd"[number % 4]
            body = {"model": "support-chat", "user": name, "messages": [{"role": "user", "content": "hi"}]}
            url = f"{urls[number // 4 % 2]}/v1/chat/completions"
            return name, httpx.post(url, json=body, headers=world.headers, timeout=60, verify=False).status_code

        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(call, range(64)))
    finally:
        for process in processes:
            process.stop()
    by_name = {name: [status for who, status in answers if who == name].count(200) for name in "abcd"}
    assert sum(by_name.values()) == 10 and max(by_name.values()) <= 3, by_name
    assert used() == {name: (number, 0) for name, number in by_name.items()}
    assert {status for _, status in answers} == {200, 429} and differences() == []


# The ledger -----------------------------------------------------------------------------------------------------------


def of(shape, name, amount=1):
    """What a call of this end user is charged by a limit for each."""
    asked = type("Asked", (), {"end_user": name, "operation": "chat"})
    (one,) = limits_of((charge(shape)[0],), None, asked)
    return one, amount


def a_begin(team, epoch, name, *charges):
    """Begin a call of an end user; its record says whose it is, as every call's does."""
    item = begin_of(team, epoch, *charges, input=prepare_payload("{}"))
    return item._replace(record=item.record[:-1] + b',"end_user":' + orjson.dumps(name) + b"}")


async def test_a_batch_decides_calls_of_many_end_users_one_by_one(team):
    shape = await sync_to_async(shape_of)(team, each_end_user=True, metric="tokens", limit=100)
    whole = await sync_to_async(shape_of)(team, metric="tokens", limit=150)
    async with made_ledger() as ledger:
        epoch = await ledger.epoch()
        wanted = [("ann", 60), ("ann", 50), ("ben", 60), ("ann", 30), ("cid", 1), ("ben", 20)]
        items = [a_begin(team, epoch, name, of(shape, name, n), charge(whole, n)) for name, n in wanted]
        verdicts = await asyncio.gather(*map(ledger.begin, items))
        assert [v.refused_by for v in verdicts] == [None, 0, None, None, 1, 1]
        assert await sync_to_async(used)() == {"ann": (0, 90), "ben": (0, 60), "cid": (0, 0)}
        assert await counters() == [(0, 150)]
        left = {key[2]: value for key, value in verdicts[0].counted.items() if len(key) == 3}
        assert left == {"ann": 90, "ben": 60, "cid": 0}
        for item in (items[0], items[2], items[3]):
            await ledger.close(close_of(item, tokens=5))
        assert await sync_to_async(used)() == {"ann": (10, 0), "ben": (5, 0), "cid": (0, 0)}
        assert await counters() == [(15, 0)] and await sync_to_async(differences)() == []


async def test_a_stale_call_holds_nothing_of_its_end_user(team):
    shape = await sync_to_async(shape_of)(team, each_end_user=True)
    async with made_ledger() as ledger:
        epoch = await ledger.epoch()
        stale, good = a_begin(team, epoch - 1, "ann", of(shape, "ann")), a_begin(team, epoch, "ann", of(shape, "ann"))
        verdicts = await asyncio.gather(ledger.begin(stale), ledger.begin(good))
        assert [(v.is_stale, v.refused_by) for v in verdicts] == [(True, None), (False, None)]
        await ledger.close(close_of(good))
        assert await sync_to_async(used)() == {"ann": (1, 0)}


async def test_the_sweeper_settles_what_a_dead_process_left(team):
    shape = await sync_to_async(shape_of)(team, each_end_user=True, limit=5)
    whole = await sync_to_async(shape_of)(team, limit=9)
    async with made_ledger() as ledger:
        epoch = await ledger.epoch()
        items = [a_begin(team, epoch, name, of(shape, name), charge(whole)) for name in ("ann", "ann", "Ärmel")]
        await asyncio.gather(*map(ledger.begin, items))
        assert await sync_to_async(used)() == {"ann": (0, 2), "Ärmel": (0, 1)}
        assert await sync_to_async(differences)() == []
        assert await asyncio.to_thread(_expire_and_sweep) == 3
        assert await sync_to_async(used)() == {"ann": (2, 0), "Ärmel": (1, 0)} and await counters() == [(3, 0)]
        assert await lines() == [("interrupted", "interrupted")] * 3
        assert await sync_to_async(differences)() == []


async def test_a_counter_that_was_pruned_is_made_again(team):
    shape = await sync_to_async(shape_of)(team, each_end_user=True, limit=5)
    async with made_ledger() as ledger:
        epoch = await ledger.epoch()
        for _ in range(2):
            item = a_begin(team, epoch, "ann", of(shape, "ann"))
            await ledger.begin(item)
            await ledger.close(close_of(item))
            await sync_to_async(EndUserCounter.objects.all().delete)()


async def test_a_limit_that_was_removed_makes_a_plan_stale(team):
    shape = await sync_to_async(shape_of)(team, each_end_user=True)
    async with made_ledger() as ledger:
        epoch = await ledger.epoch()
        from usage_app.models import Quota

        await sync_to_async(Quota.objects.all().delete)()
        assert (await ledger.begin(a_begin(team, epoch, "ann", of(shape, "ann")))).is_stale


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=4)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.one_of(st.sampled_from("ab"), NAMES), st.integers(0, 40)), max_size=24), st.integers(0, 90)
)
def test_a_batch_admits_what_one_by_one_would(each_case, calls, most):
    """Whatever the names and amounts: each end user gets what a plain count in the order of arrival allows."""
    each_case(calls, most)


@pytest.fixture
def each_case(committed_db):
    def run(calls, most):
        the_team = make.make_team(f"T {uuid.uuid4()}")
        shape = shape_of(the_team, each_end_user=True, metric="tokens", limit=most)

        async def begin():
            async with made_ledger() as ledger, made_ledger() as other:
                epoch = await ledger.epoch()
                items = [a_begin(the_team, epoch, name, of(shape, name, amount)) for name, amount in calls]
                verdicts = await asyncio.gather(*map(ledger.begin, items))
                admitted = [i for i, v in zip(items, verdicts, strict=True) if v.refused_by is None]
                held = await sync_to_async(used)(quota_id=shape.id)
                await asyncio.gather(*((ledger, other)[n % 2].close(close_of(i)) for n, i in enumerate(admitted)))
                return [v.refused_by is None for v in verdicts], held

        verdicts, held = asyncio.run(begin())
        taken: dict[str, int] = {}
        wanted = []
        for name, amount in calls:
            fits = taken.setdefault(name, 0) + amount <= most
            wanted.append(fits)
            taken[name] += amount * fits
        assert verdicts == wanted
        assert held == {name: (0, amount) for name, amount in taken.items()}
        let_in = [name for (name, _), fits in zip(calls, wanted, strict=True) if fits]
        assert used(quota_id=shape.id) == {name: (3 * let_in.count(name), 0) for name in taken}

    return run


async def test_processes_that_meet_the_same_people_in_another_order_do_not_wait_for_each_other_for_ever(team):
    """Two ledgers, names in every order, two limits for each and one for all: no batch may be a deadlock's victim."""
    by_day = await sync_to_async(shape_of)(team, each_end_user=True, limit=40)
    by_hour = await sync_to_async(shape_of)(team, each_end_user=True, window="hour", limit=10**6)
    whole = await sync_to_async(shape_of)(team, limit=10**6)
    names, chance = "abcdefgh", random.Random(7)
    async with made_ledger() as one, made_ledger() as two:
        epoch = await one.epoch()

        async def call(ledger):
            name = chance.choice(names)
            charges = (of(by_day, name), of(by_hour, name), charge(whole))
            item = a_begin(team, epoch, name, *charges)
            verdict = await ledger.begin(item)
            if verdict.refused_by is None:
                await ledger.close(close_of(item))
            return name, verdict.refused_by

        done = await asyncio.gather(*(call(ledger) for ledger, _ in itertools.product((one, two), range(400))))
    let_in = {name: sum(who == name and refused is None for who, refused in done) for name in names}
    assert set(let_in.values()) == {40}
    assert await sync_to_async(used)(quota_id=by_day.id) == dict.fromkeys(names, (40, 0))
    assert await sync_to_async(differences)() == []


def test_a_removed_limit_takes_its_counters_along(ask, world):
    quota = each(world, most=1)
    assert [ask(user="ann").status_code, ask(user="ann").status_code] == [200, 429]
    remove_quota(actor=SYSTEM, quota=quota)
    assert not used() and ask(user="ann").status_code == 200
