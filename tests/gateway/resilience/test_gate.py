"""Breakers and permits over several processes, with Valkey and without."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace

import pytest
import redis.asyncio as redis

from console.core.errors import ProviderError
from console.gateway.resilience import breaker as breaker_module
from console.gateway.resilience import gate as gate_module
from console.gateway.resilience import permits, shared
from console.gateway.resilience.gate import ProviderGate
from console.gateway.resilience.shared import Shared
from tests.gateway.resilience.conftest import Valkey, provider
from tests.waiting import let_it_end, until_async

Open = Callable[[str], ProviderGate]


@pytest.fixture
async def process(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Open]:
    """Make a gate as another process would have it, on the given Valkey."""
    monkeypatch.setattr(shared, "_PATIENCE_SECONDS", 30)  # on a slow machine Valkey must not count as away
    monkeypatch.setattr(permits, "_PATIENCE", {"interactive": 0.1, "standard": 0.1, "batch": 0.1})
    monkeypatch.setattr(gate_module, "_PULSE_SECONDS", 0.05)
    made: list[ProviderGate] = []

    def open_one(url: str) -> ProviderGate:
        made.append(ProviderGate(Shared(url)))
        return made[-1]

    yield open_one
    for one in made:
        await one.stop()


async def held(gate: ProviderGate, upstream: object, lane: str, times: int) -> int:
    """Return how many of so many permits could be taken."""
    taken = 0
    for _ in range(times):
        try:
            await gate.enter(upstream, lane, tokens=10)
            taken += 1
        except ProviderError as error:
            assert (error.code, error.status, error.retry_after) == ("upstream_full", 503, 5)
    return taken


async def test_each_lane_has_its_share_over_all_processes(valkey_server: Valkey, process: Open) -> None:
    one, other, upstream = process(valkey_server.url), process(valkey_server.url), provider(max_concurrency=8)
    assert await held(one, upstream, "batch", 3) + await held(other, upstream, "batch", 3) == 4
    assert await held(other, upstream, "standard", 5) == 4, "all eight are taken"
    assert await held(one, upstream, "interactive", 1) == 0
    for permit in list(one.permits.held.values()):
        one.leave(upstream, permit, code="")
    await until_async(lambda: not one.shared._sending, "Valkey was told what one gave back")
    assert await held(other, upstream, "interactive", 4) == 3, "what one gave back the other may have"


async def test_nothing_is_asked_for_a_provider_without_limits(process: Open) -> None:
    gate = process("unix:///nowhere/valkey.sock")
    assert await gate.enter(provider(), "interactive", tokens=10) is None
    assert not gate.shared._is_away, "Valkey was not even asked"


async def test_a_provider_s_minute_counts_requests_and_tokens(valkey_server: Valkey, process: Open) -> None:
    let_it_end(60, last=15)  # Valkey counts by a clock of its own
    for url in (valkey_server.url, ""):
        one = process(url)
        assert await held(one, provider(requests_per_minute=3), "interactive", 5) == 3
        assert await held(one, provider(tokens_per_minute=25), "interactive", 5) == 2


async def test_without_valkey_each_process_keeps_its_part(process: Open, settings) -> None:
    settings.WEB_PROCESSES = 2
    gate, upstream = process("unix:///nowhere/valkey.sock"), provider(max_concurrency=8)
    assert await held(gate, upstream, "interactive", 6) == 4
    for permit in list(gate.permits.held.values())[:1]:
        gate.leave(upstream, permit, code="")
    assert await held(gate, upstream, "interactive", 2) == 1


async def test_a_lost_process_s_permits_run_out(valkey_server: Valkey, process: Open, monkeypatch) -> None:
    monkeypatch.setattr(permits, "LEASE_SECONDS", 0.2)
    lost, upstream = process(valkey_server.url), provider(max_concurrency=2)
    assert await held(lost, upstream, "interactive", 2) == 2
    lost.permits.held.clear()  # nobody gives them back, nobody renews them
    await asyncio.sleep(0.3)
    assert await held(process(valkey_server.url), upstream, "interactive", 2) == 2


async def test_what_is_given_back_while_leases_are_renewed_is_free(
    valkey_server: Valkey, process: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_module, "_PULSE_SECONDS", 60)
    one, other, upstream = process(valkey_server.url), process(valkey_server.url), provider(max_concurrency=2)
    assert await held(one, upstream, "interactive", 2) == 2
    ask_time = redis.Redis.time

    async def given_back_meanwhile(client: redis.Redis) -> object:
        one.leave(upstream, next(iter(one.permits.held.values())), code="")
        await until_async(lambda: not one.shared._sending, "Valkey was told what one gave back")
        return await ask_time(client)

    monkeypatch.setattr(redis.Redis, "time", given_back_meanwhile)
    await one.permits.renew()
    await until_async(lambda: not one.shared._sending, "Valkey was told again")
    assert await held(other, upstream, "interactive", 2) == 1, "one is free, and the other is held"


async def test_a_breaker_opens_and_closes_for_every_process(
    valkey_server: Valkey, process: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker_module, "_FIRST_PAUSE", 30)  # a slow machine has time to hear of it
    one, other, upstream = process(valkey_server.url), process(valkey_server.url), provider()
    for each in (one, other):
        await each.enter(upstream, "interactive", tokens=1)
    for _ in range(5):
        one.leave(upstream, None, code="upstream_broken")
    with pytest.raises(ProviderError) as refused:
        await one.enter(upstream, "interactive", tokens=1)
    assert refused.value.code == "upstream_open" and refused.value.retry_after
    await until_async(lambda: not other.breakers[upstream.id.int].is_closed, "the other hears that it is open")
    later = gate_module.time.time() + 60  # the pause is over; Valkey has yet to forget it
    monkeypatch.setattr(gate_module, "time", SimpleNamespace(time=lambda: later, monotonic=gate_module.time.monotonic))
    await one.enter(upstream, "interactive", tokens=1)
    one.leave(upstream, None, code="")
    await other.enter(upstream, "interactive", tokens=1)
    other.leave(upstream, None, code="")
    both = [each.breakers[upstream.id.int] for each in (one, other)]
    await until_async(lambda: all(breaker.is_closed for breaker in both), "both know that it is closed")


async def test_nobody_is_told_to_wait_for_longer_than_a_probe_takes(process: Open) -> None:
    gate, upstream = process(""), provider()
    await gate.enter(upstream, "interactive", tokens=1)
    gate.breakers[upstream.id.int].open_until = gate_module.time.time() + 3600  # written before the clock was set back
    await gate.enter(upstream, "interactive", tokens=1)
    with pytest.raises(ProviderError) as refused:
        await gate.enter(upstream, "interactive", tokens=1)
    assert (refused.value.code, refused.value.retry_after) == ("upstream_open", 60)


async def test_a_built_in_model_that_is_starting_alarms_nobody(process: Open) -> None:
    """As when the console is started again while a batch is under way."""
    gate = process("")
    for is_builtin in (True, False):
        upstream = provider(is_builtin=is_builtin)
        for _ in range(5):
            await gate.enter(upstream, "batch", tokens=1)
            gate.leave(upstream, None, code="upstream_unreachable", sentence="It is starting.")
        assert gate.breakers[upstream.id.int].is_closed is is_builtin
        assert bool(gate._troubles) is not is_builtin


async def test_a_slow_interactive_lane_slows_the_batch_lane_of_other_processes(
    valkey_server: Valkey, process: Open, settings
) -> None:
    settings.GATEWAY_INTERACTIVE_TARGET_MS = 100
    web, worker, upstream = process(valkey_server.url), process(valkey_server.url), provider()
    for each in (web, worker):
        each.leave(upstream, await each.enter(upstream, "batch", tokens=1), code="")
    for _ in range(20):
        web.pace.observe(gate_module.time.monotonic(), 0.5)
    await until_async(lambda: worker.pace.factor < 0.5, "the batch lane is slowed down")


async def test_what_a_process_that_is_gone_said_of_its_pace_is_taken_away(valkey_server: Valkey, process: Open) -> None:
    """Those that go on renew the key they all write to, which grew by a field with each restart."""
    gate, upstream = process(valkey_server.url), provider()
    said_at = gate_module.time.time()
    mine = {b"gone": f"{said_at - 61}:0.5", b"silent for a moment": f"{said_at - 30}:0.5"}
    mine[b"before the clock was set back"] = f"{said_at + 3600}:0.5"
    await gate.shared.query(lambda client: client.hset(gate_module._PACE_KEY, mapping=mine))
    gate.leave(upstream, await gate.enter(upstream, "batch", tokens=1), code="")

    said: set[bytes] = {b"gone"}
    while b"gone" in said:
        await asyncio.sleep(0.02)
        said = set(await gate.shared.query(lambda client: client.hkeys(gate_module._PACE_KEY)) or ())
    assert b"silent for a moment" in said and b"before the clock was set back" not in said


async def test_many_queries_at_once_do_not_make_valkey_away(
    valkey_server: Valkey, process: Open, caplog, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = process(valkey_server.url)
    answers = await asyncio.gather(*(gate.shared.query(lambda client: client.ping()) for _ in range(200)))
    assert all(answers) and not caplog.records

    # A slow one keeps nobody for longer than a frozen one does.
    monkeypatch.setattr(shared, "_PATIENCE_SECONDS", 0.01)
    goes_on = asyncio.Event()
    slow = [asyncio.create_task(gate.shared.query(lambda _: goes_on.wait())) for _ in range(64)]
    await asyncio.sleep(0)
    assert await asyncio.wait_for(gate.shared.query(lambda client: client.ping()), 30) is None
    goes_on.set()
    assert all(await asyncio.gather(*slow)) and await gate.shared.query(lambda client: client.ping())
