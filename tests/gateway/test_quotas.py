"""Limits, as callers meet them; and that the last unit is given once, whoever asks at the same moment."""

import datetime as dt
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import pytest

from console.audit import actions
from console.audit.services import record
from console.core.clock import now
from console.teams.actors import SYSTEM
from tests import clock, make
from tests.live import WebProcess
from tests.waiting import until
from usage_app.models import QuotaCounter
from usage_app.services.quotas import change_quota, increase_quota, remove_quota, set_quota

pytestmark = pytest.mark.usefixtures("same_minute")


def limit(world, metric="requests", window="minute", most=1, **more):
    return set_quota(actor=SYSTEM, team=world.team, metric=metric, window=window, limit=most, **more)


def test_a_window_says_which_limit_bound_and_when_it_resets(ask, world):
    limit(world)
    assert ask().status_code == 200
    refused = ask()
    error = refused.json()["error"]
    assert refused.status_code == 429 and error["code"] == "rate_limit_exceeded"
    assert "1 request a minute of the team" in error["message"] and "resets at" in error["message"]
    assert 1 <= int(refused.headers["retry-after"]) <= 60 and refused.headers["x-should-retry"] == "true"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    line = world.calls()[-1]
    assert (line.status, line.http_status, line.code, line.attempts) == ("refused", 429, "rate_limit_exceeded", 0)
    assert len(world.upstream.seen) == 1


def test_a_budget_is_not_worth_retrying(ask, world):
    limit(world, "cost", "month", 1)
    refused = ask()
    assert refused.status_code == 429 and refused.json()["error"]["code"] == "insufficient_quota"
    assert refused.headers["x-should-retry"] == "false"
    assert not world.upstream.seen


def test_tokens_are_reserved_before_and_settled_after(ask, world):
    limit(world, "tokens", "day", 5000)
    assert ask(max_tokens=4000).status_code == 200
    assert ask(max_tokens=4000).status_code == 200, "28 tokens were used of the 4,000 reserved"
    assert ask(max_tokens=4096).headers["x-ratelimit-limit-tokens"] == "5000"


def test_keys_and_aliases_have_limits_of_their_own(ask, world):
    _, other = make.make_key(world.team, "other")
    limit(world, key=world.key)
    assert [ask().status_code, ask().status_code] == [200, 429]
    assert ask(headers={"Authorization": f"Bearer {other}"}).status_code == 200
    limit(world, window="hour", alias="support-chat", most=0)
    assert ask(headers={"Authorization": f"Bearer {other}"}).status_code == 429


def test_all_the_limits_of_a_call_count_together(ask, world):
    for metric, window in (("requests", "minute"), ("requests", "month"), ("tokens", "day"), ("cost", "month")):
        limit(world, metric, window, 1_000_000_000)
    limit(world, "concurrency", "", 5)
    limit(world, window="hour", most=3, key=world.key)
    assert [ask().status_code for _ in range(4)] == [200, 200, 200, 429]


def test_a_soft_limit_only_counts(ask, world):
    limit(world, mode="soft")
    assert {ask().status_code for _ in range(3)} == {200}


def test_concurrency_frees_itself(ask, world):
    limit(world, "concurrency", "", 1)
    release = threading.Event()
    world.upstream.enqueue_when(release.is_set, stream=True)
    running = threading.Thread(target=lambda: ask(stream=True))
    running.start()
    until(lambda: world.upstream.seen, "the first is under way")
    assert ask().status_code == 429
    release.set()
    running.join()
    assert ask().status_code == 200


def test_the_last_unit_is_given_once(world):
    limit(world, most=20, window="month")
    processes = [WebProcess(), WebProcess()]
    try:
        urls = [process.wait().url for process in processes]
        body = {"model": "support-chat", "messages": [{"role": "user", "content": "hi"}]}

        def call(number: int) -> int:
            url = f"{urls[number % 2]}/v1/chat/completions"
            return httpx.post(url, json=body, headers=world.headers, timeout=60, verify=False).status_code

        with ThreadPoolExecutor(32) as pool:
            statuses = list(pool.map(call, range(64)))
    finally:
        for process in processes:
            process.stop()
    assert (statuses.count(200), statuses.count(429)) == (20, 44)
    assert len(world.upstream.seen) == 20
    assert [c.status for c in world.calls()].count("ok") == 20


def other_key(world, **fields):
    return {"Authorization": f"Bearer {make.make_key(world.team, **fields)[1]}"}


@pytest.mark.parametrize("metric", ["requests", "tokens", "cost"])
@pytest.mark.parametrize("window", ["minute", "hour", "day", "month"])
def test_each_metric_in_each_window(ask, world, metric, window):
    """An answer uses 1 request, 28 tokens or 7 micro-units, and a call here reserves a little less."""
    limit(world, metric, window, {"requests": 2, "tokens": 80, "cost": 18}[metric])
    answers = [ask(max_tokens=1) for _ in range(4)]
    statuses = [a.status_code for a in answers]
    assert statuses == [200, 200, 429, 429]
    error = answers[-1].json()["error"]
    is_rate = metric != "cost" and window in {"minute", "hour"}
    assert error["code"] == ("rate_limit_exceeded" if is_rate else "insufficient_quota")
    assert f"{'an' if window == 'hour' else 'a'} {window} of the team" in error["message"]
    assert metric != "cost" or "The limit of 0.000018 USD" in error["message"], "cents would say it is nothing"
    longest = {"minute": 60, "hour": 3600, "day": 86_400, "month": 31 * 86_400}[window]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= longest
    assert answers[-1].headers["x-should-retry"] == ("true" if is_rate else "false")
    counter = QuotaCounter.objects.get()
    assert counter.used == statuses.count(200) * {"requests": 1, "tokens": 28, "cost": 7}[metric]


def test_a_refused_call_uses_nothing_of_its_other_limits(ask, world):
    limit(world, "tokens", "day", 10**6)
    limit(world, "requests", "hour", 10)
    limit(world, "requests", "minute", 0)
    assert ask().status_code == 429
    assert not QuotaCounter.objects.exclude(used=0, reserved=0).exists()


def test_other_teams_are_not_concerned(ask, world):
    limit(world, most=0)
    team = make.make_team("Others")
    _, theirs = make.make_key(team)
    assert ask().status_code == 429
    assert ask(headers={"Authorization": f"Bearer {theirs}"}).status_code == 200


def test_sandbox_and_production_count_together(ask, world):
    limit(world, most=2)
    sandbox = other_key(world, environment="sandbox")
    assert [ask().status_code, ask(headers=sandbox).status_code, ask().status_code] == [200, 200, 429]


def test_a_temporary_increase_counts_until_it_ends(ask, world, monkeypatch):
    moment = time.time_ns()
    clock.reads(monkeypatch, lambda: moment)
    quota = limit(world, window="day")
    assert [ask().status_code, ask().status_code] == [200, 429]
    ends_at = now() + dt.timedelta(seconds=3)
    increase_quota(actor=SYSTEM, quota=quota, amount=100, reason="launch", ends_at=ends_at)
    moment += 2_999_000_000
    assert ask().status_code == 200
    moment += 1_000_000
    assert ask().status_code == 429, "nothing had to happen at the end of it"


def test_a_changed_limit_holds_from_the_next_call_on(ask, world):
    quota = limit(world, most=5)
    assert ask().status_code == 200
    change_quota(actor=SYSTEM, quota=quota, limit=1, mode="hard")
    assert ask().status_code == 429
    change_quota(actor=SYSTEM, quota=quota, limit=1, mode="soft")
    assert ask().status_code == 200
    change_quota(actor=SYSTEM, quota=quota, limit=2, mode="hard")
    assert ask().status_code == 429, "what passed the soft limit was counted"
    remove_quota(actor=SYSTEM, quota=quota)
    assert ask().status_code == 200


def test_a_quota_may_go_while_calls_are_open(ask, world):
    quota = limit(world, "tokens", "day", 100_000)
    limit(world, "requests", "day", 10)
    release = threading.Event()
    world.upstream.enqueue_when(release.is_set, stream=True)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(ask, stream=True)
        until(lambda: world.upstream.seen, "the call is under way")
        remove_quota(actor=SYSTEM, quota=quota)
        release.set()
        assert running.result().status_code == 200
    assert [c.status for c in world.calls()] == ["ok"]
    assert [(c.used, c.reserved) for c in QuotaCounter.objects.all()] == [(1, 0)]


def test_what_has_no_price_cannot_be_used_under_a_cost_limit(ask, world):
    free = make.make_model("unpriced", provider=world.provider, price=None)
    make.make_alias("unpriced", production=free)
    record(actions.MODEL_CREATED, actor=SYSTEM, target=free)
    free_of_charge = ask(model="unpriced")
    assert free_of_charge.status_code == 200 and "x-facet-cost" not in free_of_charge.headers
    assert ask(web_search_options={}).status_code == 200
    limit(world, "cost", "month", 10**9)
    refused = ask(model="unpriced")
    assert refused.status_code == 403 and refused.json()["error"]["param"] == "model"
    assert "no price" in refused.json()["error"]["message"]
    searching = ask(web_search_options={})
    assert searching.status_code == 403 and searching.json()["error"]["param"] == "web_search_options"
    assert ask().status_code == 200


def test_changes_while_calls_come_in_fail_none_of_them(ask, world):
    """The epoch moves all the time, so plans go stale all the time; no caller may notice."""
    quota = limit(world, most=10**6)
    ask()
    stop, changes, answered = threading.Event(), 0, []

    def call(number: int) -> tuple[int, str]:
        response = ask(f"call {number}", stream=number % 3 == 0)
        answered.append(number)
        return response.status_code, "" if response.is_success else response.text

    with ThreadPoolExecutor(8) as pool:
        statuses = pool.map(call, range(120))
        results: list[tuple[int, str]] = []
        watcher = threading.Thread(target=lambda: (results.extend(statuses), stop.set()))
        watcher.start()
        while not stop.is_set():
            changes += 1
            change_quota(actor=SYSTEM, quota=quota, limit=10**6 + changes, mode="hard")
            # As quick as calls are, whatever the machine: many plans in a row may be stale, and no call waits for ever.
            before = len(answered)
            until(lambda before=before: stop.is_set() or len(answered) >= before + 4, "calls are answered")
        watcher.join()
    assert set(results) == {(200, "")} and changes > 1
    assert QuotaCounter.objects.get().used == 121


def test_concurrency_is_never_exceeded(world, client, ask):
    """Fifty callers at once, at most three inside; every one that was let in is counted by the provider too."""
    limit(world, "concurrency", "", 3)
    inside, most, lock, is_full = 0, 0, threading.Lock(), threading.Event()

    async def slow(writer):
        import asyncio
        import json

        from tests.upstream import completion, head

        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        while not is_full.is_set():  # however late the fourth comes
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        raw = json.dumps(completion()).encode()
        with lock:
            inside -= 1
        writer.write(head(200, "application/json", len(raw)) + raw)

    def call(_):
        status = ask().status_code
        if status == 429:
            is_full.set()
        return status

    world.upstream.script.extend([slow] * 50)
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(call, range(50)))
    assert set(statuses) == {200, 429} and most == 3
    assert statuses.count(200) == len(world.upstream.seen)


def test_one_is_one(ask, world):
    """People read it: `1 request a day`, not `1 requests`."""
    set_quota(actor=SYSTEM, team=world.team, metric="requests", window="day", limit=1)
    ask()
    said = ask().json()["error"]["message"]
    assert (
        "The limit of 1 request a day of the team does not allow this request: 1 request is used or reserved." in said
    )
