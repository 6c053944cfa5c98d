"""Asking twice when the first byte is late: the first answer counts, the other attempt is closed and on record."""

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import httpx2 as httpx
import pytest

from console.audit.models import Payload
from console.core.ids import parse_request_id
from console.gateway import hedging
from console.gateway.errors import AnswerUnrecorded
from console.gateway.types import Call
from console.teams.actors import SYSTEM
from tests.gateway.invariants import wait_until_settled
from usage_app.services.quotas import set_quota

Ask = Callable[..., httpx.Response]
LIVE = {"x-facet-lane": "interactive"}


@pytest.fixture(autouse=True)
def hedge(settings) -> None:
    settings.GATEWAY_HEDGE_MS = 60


@pytest.mark.parametrize("stream", [False, True])
def test_the_second_attempt_answers_when_the_first_is_silent(ask: Ask, world, stream, settings, monkeypatch) -> None:
    settings.GATEWAY_HEDGE_MS = 300
    swap, sent = hedging._swap, []

    def swapped(call: Call, winner: Call) -> None:
        sent.extend([call.sent_at, winner.sent_at])
        swap(call, winner)
        sent.extend([call.sent_at, winner.sent_at])

    monkeypatch.setattr(hedging, "_swap", swapped)
    world.upstream.enqueue_silence(60)
    response = ask(headers=LIVE, stream=stream)
    assert response.status_code == 200 and "Hello" in response.text
    assert response.headers["x-facet-attempts"] == "2"
    wait_until_settled()
    lines = {line.pk: line for line in world.calls()}
    served = lines.pop(parse_request_id(response.headers["x-request-id"]))
    (lost,) = lines.values()
    assert (served.status, lost.status, lost.code, lost.usage_note) == ("ok", "error", "hedged", "estimated")
    # Both began when the first was sent: what lies between that and the answer counts as the provider's time.
    assert sent[2] == sent[3] == sent[0] < sent[1] and served.latency_us > 300_000, "the provider's silence is not ours"
    assert served.overhead_us <= served.latency_us - 300_000 and lost.overhead_us < lost.latency_us
    assert json.loads(lost.detail) == {"hedge_of": response.headers["x-request-id"]}
    assert set(Payload.objects.filter(event_id=served.pk).values_list("kind", flat=True)) == {"input", "output"}
    assert len(world.upstream.seen) == 2 and world.upstream.was_closed_early()


def test_the_first_attempt_answers_when_it_is_quicker_after_all(ask: Ask, world) -> None:
    world.upstream.enqueue_when(lambda: len(world.upstream.seen) == 2)
    world.upstream.enqueue_silence(60)
    response = ask(headers=LIVE)
    assert response.status_code == 200
    wait_until_settled()
    lines = {line.pk: line for line in world.calls()}
    served = lines.pop(parse_request_id(response.headers["x-request-id"]))
    assert served.status == "ok" and [line.code for line in lines.values()] == ["hedged"]


def test_it_asks_once_where_it_need_not_or_may_not_ask_twice(ask: Ask, world, settings) -> None:
    settings.GATEWAY_HEDGE_MS = 60_000
    ask(headers=LIVE)
    assert len(world.upstream.seen) == 1, "it was quick"
    settings.GATEWAY_HEDGE_MS = 60
    world.upstream.enqueue_slowly(0.2)
    ask(headers={"x-facet-lane": "standard"})
    assert len(world.upstream.seen) == 2, "only interactive calls are worth it"
    set_quota(actor=SYSTEM, team=world.team, metric="concurrency", window="", limit=1)
    world.upstream.enqueue_slowly(0.2)
    assert ask(headers=LIVE).status_code == 200
    wait_until_settled()
    assert len(world.upstream.seen) == 3, "the second was not admitted, which costs the first nothing"


def test_both_may_fail(ask: Ask, world) -> None:
    for _ in range(2):
        world.upstream.enqueue_when(lambda: len(world.upstream.seen) == 2, status=500)
    response = ask(headers=LIVE)
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_error")
    assert len(world.upstream.seen) == 2


@pytest.mark.parametrize("winner", [0, 1])
@pytest.mark.parametrize("moment", ["the loser's connection closes", "the loser is ended"])
def test_a_caller_who_leaves_as_the_race_is_decided_leaves_nothing_open(monkeypatch, winner: int, moment: str) -> None:
    """A connection would be lost to its pool, and a call without an end would keep its reservation for ever."""
    closed, ended = [], []

    async def leave_in_the_middle() -> None:
        leave, have_both_begun = asyncio.Event(), asyncio.Event()
        calls = [cast(Call, SimpleNamespace(name=name)) for name in ("first", "second")]

        async def send(call: Call) -> Any:
            if call is calls[winner]:
                await have_both_begun.wait()
                return SimpleNamespace(close=lambda: closed.append(call))
            have_both_begun.set()
            try:
                return await asyncio.sleep(60)
            finally:
                if moment == "the loser's connection closes":
                    leave.set()
                    await asyncio.sleep(0.02)

        async def admit_second(call: Call) -> Call:
            return calls[1]

        async def end_loser(call: Call, error: object) -> None:
            leave.set()
            await asyncio.sleep(0.02)
            ended.append(call)

        monkeypatch.setattr(hedging, "send", send)
        monkeypatch.setattr(hedging, "_admit_second", admit_second)
        monkeypatch.setattr(hedging, "_swap", lambda call, winner: None)
        asking = asyncio.create_task(hedging._send_twice(calls[0], 0, end_loser))
        await leave.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert closed == [calls[winner]] and ended == [calls[1]]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(leave_in_the_middle())


def test_an_answer_arrives_though_the_end_of_the_other_attempt_cannot_be_written(monkeypatch) -> None:
    """The sweeper ends that one. The answer, thrown away, would leave its connection open."""

    async def ask_twice() -> None:
        calls = [cast(Call, SimpleNamespace()) for _ in range(2)]
        reply = SimpleNamespace(close=lambda: None)

        async def send(call: Call) -> Any:
            return await asyncio.sleep(60) if call is calls[0] else reply

        async def admit_second(call: Call) -> Call:
            return calls[1]

        async def end_loser(call: Call, error: object) -> None:
            raise AnswerUnrecorded

        monkeypatch.setattr(hedging, "send", send)
        monkeypatch.setattr(hedging, "_admit_second", admit_second)
        monkeypatch.setattr(hedging, "_swap", lambda call, winner: None)
        assert await hedging._send_twice(calls[0], 0, end_loser) is reply

    asyncio.run(ask_twice())


def test_who_leaves_while_the_end_of_the_other_attempt_cannot_be_written_leaves_nothing_open(monkeypatch) -> None:
    async def ask_twice() -> None:
        calls, closed = [cast(Call, SimpleNamespace()) for _ in range(2)], []
        sent, ends, left = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def send(call: Call) -> Any:
            if call is calls[1]:
                sent.set()
                await asyncio.sleep(60)
            await sent.wait()
            return SimpleNamespace(close=lambda: closed.append("first"))

        async def admit_second(call: Call) -> Call:
            return calls[1]

        async def end_loser(call: Call, error: object) -> None:
            ends.set()
            await left.wait()
            raise AnswerUnrecorded

        monkeypatch.setattr(hedging, "send", send)
        monkeypatch.setattr(hedging, "_admit_second", admit_second)
        asking = asyncio.ensure_future(hedging._send_twice(calls[0], 0, end_loser))
        await ends.wait()
        asking.cancel()
        asyncio.get_running_loop().call_soon(left.set)
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert closed == ["first"]

    asyncio.run(ask_twice())


def test_a_second_call_whose_lane_was_lowered_meanwhile_is_ended_as_any_other(ask: Ask, world, monkeypatch) -> None:
    """It is admitted, with a reservation of its own, before anybody looks at its lane."""
    admit, is_admitted = hedging.admit, threading.Event()

    async def lowered(*given: Any, **more: Any) -> Any:
        plan, remaining = await admit(*given, **more)
        is_admitted.set()
        return replace(plan, lane="standard"), remaining

    monkeypatch.setattr(hedging, "admit", lowered)
    world.upstream.enqueue_when(is_admitted.is_set)
    assert ask(headers=LIVE).status_code == 200
    wait_until_settled()
    assert len(world.calls()) == 2
