"""Limits, as callers meet them; and that the last unit is given once, whoever asks at the same moment."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx

from console.teams.actors import SYSTEM
from tests import make
from tests.live import WebProcess
from tests.upstream import sse, text_chunks
from usage_app.services.quotas import set_quota


def limit(world, metric="requests", window="minute", most=1, **more):
    return set_quota(actor=SYSTEM, team=world.team, metric=metric, window=window, limit=most, **more)


def test_a_window_says_which_limit_bound_and_when_it_resets(ask, world):
    limit(world)
    assert ask().status_code == 200
    refused = ask()
    error = refused.json()["error"]
    assert refused.status_code == 429 and error["code"] == "rate_limit_exceeded"
    assert "1 requests a minute of the team" in error["message"] and "resets at" in error["message"]
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
    world.upstream.enqueue_stream(sse(*text_chunks("slow")), pause=0.5)
    running = threading.Thread(target=lambda: ask(stream=True))
    running.start()
    while not world.upstream.seen:
        pass
    assert ask().status_code == 429
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
            return httpx.post(url, json=body, headers=world.headers, timeout=20).status_code

        with ThreadPoolExecutor(32) as pool:
            statuses = list(pool.map(call, range(64)))
    finally:
        for process in processes:
            process.stop()
    assert (statuses.count(200), statuses.count(429)) == (20, 44)
    assert len(world.upstream.seen) == 20
    assert [c.status for c in world.calls()].count("ok") == 20
