"""The ledger's parts by themselves: batches, their failures, leases, ends; and the snapshot's keeper."""

import asyncio
import datetime as dt
import os
import secrets
import signal
import threading
import uuid
from contextlib import asynccontextmanager
from types import SimpleNamespace

import orjson
import psycopg
import pytest
import uvloop
from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, connection, transaction

from console.audit.models import AuditEvent, EventType, Payload
from console.audit.redaction import prepare_payload
from console.core.clock import now
from console.core.errors import Unavailable
from console.core.ids import uuid7
from console.gateway import ledger as ledger_module
from console.gateway import snapshot as snapshot_module
from console.gateway.batcher import MOST_AT_ONCE, Batcher
from console.gateway.connection import Connection
from console.gateway.entries import CLOSE, Begin, Close, close_parameters
from console.gateway.errors import AnswerUnrecorded, DatabaseAway
from console.gateway.ledger import Ledger
from console.gateway.limits import limit_at
from console.gateway.record import joined
from console.gateway.snapshot import SnapshotKeeper
from console.gateway.statement import Statement
from console.gateway.sweep import sweep
from tests import make
from tests.waiting import until, until_async
from usage_app.models import Quota, QuotaCounter, Reservation
from usage_app.shapes import quota_shapes

# The batcher ----------------------------------------------------------------------------------------------------------


class Recorder:
    """Something to run batches with: keeps them, can be held up, and fails on poison."""

    def __init__(self):
        self.batches = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.away = 0

    async def run(self, items):
        await self.gate.wait()
        self.batches.append(items)
        if self.away:
            self.away -= 1
            raise psycopg.OperationalError("away")
        if "poison" in items:
            raise psycopg.DataError("poison")
        return [f"done {item}" for item in items]


async def test_a_lone_item_waits_for_nobody():
    recorder = Recorder()
    assert await Batcher(recorder.run, longest=10).put("a") == "done a"
    assert recorder.batches == [["a"]]


async def test_what_queues_meanwhile_goes_together_and_in_order():
    recorder = Recorder()
    batcher = Batcher(recorder.run, longest=1000)
    recorder.gate.clear()
    futures = [batcher.put("first")]
    await asyncio.sleep(0)
    futures += [batcher.put(str(n)) for n in range(MOST_AT_ONCE + 10)]
    recorder.gate.set()
    assert await asyncio.gather(*futures) == ["done first", *(f"done {n}" for n in range(MOST_AT_ONCE + 10))]
    assert [len(batch) for batch in recorder.batches] == [1, MOST_AT_ONCE, 10]
    assert sum(recorder.batches, []) == ["first", *(str(n) for n in range(MOST_AT_ONCE + 10))]


def of_loop():
    loop = asyncio.get_running_loop()
    return {"create_future": loop.create_future, "create_task": loop.create_task}


async def test_who_comes_while_one_batch_takes_long_goes_beside_it(monkeypatch):
    slow, quick, due = Recorder(), Recorder(), []
    batcher = Batcher(quick.run, slow.run, longest=10, beside=7)  # the last one is free first
    monkeypatch.setattr(batcher, "_loop", SimpleNamespace(call_later=lambda *timer: due.append(timer), **of_loop()))
    slow.gate.clear()
    first = [batcher.put("a"), batcher.put("b")]
    await asyncio.sleep(0)
    beside = [batcher.put("c"), batcher.put("d")]
    await asyncio.sleep(0)
    assert not quick.batches, "one batch costs less than two halves of it"
    ((seconds, begin_another),) = due
    assert seconds == 7
    begin_another()
    assert await asyncio.gather(*beside) == ["done c", "done d"] and not first[0].done()
    last = batcher.put("e")
    due[1][1]()
    assert await last == "done e"
    slow.gate.set()
    assert await asyncio.gather(*first) == ["done a", "done b"]
    await batcher.drained()
    assert (slow.batches, quick.batches) == ([["a", "b"]], [["c", "d"], ["e"]])


async def test_who_comes_as_a_batch_ends_need_not_wait():
    recorder = Recorder()
    batcher = Batcher(recorder.run, recorder.run, longest=10, beside=60)
    for item in "abc":
        assert await batcher.put(item) == f"done {item}"


async def test_a_poisoned_row_hurts_only_itself(caplog):
    recorder = Recorder()
    batcher = Batcher(recorder.run, longest=10)
    recorder.gate.clear()
    futures = [batcher.put(item) for item in ("a", "poison", "b")]
    recorder.gate.set()
    results = await asyncio.gather(*futures, return_exceptions=True)
    assert (results[0], type(results[1]), results[2]) == ("done a", psycopg.DataError, "done b")
    assert await batcher.put("after") == "done after"
    assert "One record could not be written." in caplog.text


async def test_a_full_queue_refuses_and_empties_again():
    recorder = Recorder()
    batcher = Batcher(recorder.run, longest=2)
    recorder.gate.clear()
    futures = [batcher.put(item) for item in "ab"]
    with pytest.raises(Unavailable) as refused:
        batcher.put("c")
    assert (refused.value.status, refused.value.retry_after) == (503, 1)
    recorder.gate.set()
    await asyncio.gather(*futures)
    assert await batcher.put("d") == "done d"


async def test_an_abandoned_item_is_handled_and_told_of():
    recorder, told = Recorder(), []
    batcher = Batcher(recorder.run, longest=10, abandoned=lambda item, result: told.append((item, result)))
    recorder.gate.clear()
    waiting = asyncio.ensure_future(asyncio.wait_for(batcher.put("a"), 0.01))
    other = batcher.put("b")
    with pytest.raises(TimeoutError):
        await waiting
    recorder.gate.set()
    assert await other == "done b" and told == [("a", "done a")]


async def test_an_impatient_batch_fails_as_a_whole_and_at_once():
    recorder = Recorder()
    recorder.away = 1
    batcher = Batcher(recorder.run, longest=10)
    results = await asyncio.gather(batcher.put("a"), batcher.put("b"), return_exceptions=True)
    assert {type(r) for r in results} == {psycopg.OperationalError} and len(recorder.batches) == 1


async def test_a_patient_batch_is_tried_again_until_it_is_written():
    recorder = Recorder()
    recorder.away = 2
    assert await Batcher(recorder.run, longest=10, patience=60).put("a") == "done a"
    assert recorder.batches == [["a"]] * 3


async def test_draining_waits_for_what_nobody_waits_for():
    recorder = Recorder()
    batcher = Batcher(recorder.run, longest=10)
    batcher.put("a").cancel()
    await batcher.drained()
    assert recorder.batches == [["a"]]


# The ledger -----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def made_ledger():
    ledger = Ledger()
    try:
        yield ledger
    finally:
        await ledger.stop()


@pytest.fixture
def team(committed_db):
    return make.make_team("Support")


def shape_of(team, **fields):
    """Make a quota and return how the gateway sees it."""
    quota = Quota.objects.create(
        team=team, since_epoch=0, **{"metric": "requests", "window": "month", "limit": 1, "mode": "hard", **fields}
    )
    return next(q for q in quota_shapes()[team.pk] if q.id == quota.pk)


def charge(shape, amount=1, at=None):
    moment = at or now()
    return limit_at(shape, moment), amount


def begin_of(team, epoch, *charges, **more):
    id, at = uuid7(), now()
    record = {"id": id, "at": at, "type": "chat", "status": "ok", "team_id": team.pk, "team": team.name}
    return Begin(epoch, id, at, orjson.dumps(record), team_id=team.pk, charges=charges, **more)


def close_of(item, status="ok", tokens=3, cost=4):
    end = {"closed_at": now(), "status": status, "prompt_tokens": tokens, "cost_micros": cost}
    record = joined(item.record, orjson.dumps(end))
    return Close(item.id, record, item.charges, tokens, cost, prepare_payload('{"said": "yes"}'))


@sync_to_async
def lines():
    return list(AuditEvent.objects.filter(type=EventType.CHAT).order_by("id").values_list("status", "code"))


@sync_to_async
def counters():
    return list(QuotaCounter.objects.order_by("quota_id", "period_start").values_list("used", "reserved"))


@sync_to_async
def open_calls():
    return Reservation.objects.count()


async def test_it_begins_and_ends_a_call(team):
    shape = await sync_to_async(shape_of)(team)
    async with made_ledger() as ledger:
        item = begin_of(team, await ledger.epoch(), charge(shape), input=prepare_payload("{}"))
        verdict = await ledger.begin(item)
        assert (verdict.is_stale, verdict.refused_by, list(verdict.counted.values())) == (False, None, [1])
        assert await counters() == [(0, 1)] and await lines() == []
        assert await ledger.close(close_of(item))
        assert await counters() == [(1, 0)] and await lines() == [("ok", "")]
        assert await sync_to_async(Payload.objects.count)() == 2


async def test_a_plan_of_another_epoch_is_stale_and_leaves_nothing(team):
    shape = await sync_to_async(shape_of)(team)
    async with made_ledger() as ledger:
        epoch = await ledger.epoch()
        for wrong in (epoch - 1, epoch + 1):
            assert (await ledger.begin(begin_of(team, wrong, charge(shape)))).is_stale
            assert (await ledger.begin(begin_of(team, wrong, is_refusal=True))).is_stale
        assert await lines() == [] and await open_calls() == 0
        assert all(row == (0, 0) for row in await counters())


async def test_a_quota_that_was_removed_meanwhile_makes_a_plan_stale(team):
    shape = await sync_to_async(shape_of)(team)
    async with made_ledger() as ledger:
        epoch = await ledger.epoch()
        await sync_to_async(Quota.objects.all().delete)()
        assert (await ledger.begin(begin_of(team, epoch, charge(shape)))).is_stale
        alone, together = begin_of(team, epoch), begin_of(team, epoch, charge(shape))
        verdicts = await asyncio.gather(ledger.begin(alone), ledger.begin(together))
        assert [v.is_stale for v in verdicts] == [False, True]
        await ledger.close(close_of(alone))


async def test_a_call_is_ended_once_however_often_it_is_tried(team):
    shape = await sync_to_async(shape_of)(team, limit=5)
    async with made_ledger() as ledger, made_ledger() as other:
        item = begin_of(team, await ledger.epoch(), charge(shape))
        await ledger.begin(item)
        wrote = await asyncio.gather(
            ledger.close(close_of(item)),
            other.close(close_of(item, "error")),
            ledger.close(close_of(item, "error")),
            asyncio.to_thread(_expire_and_sweep),
        )
        assert sum(map(int, wrote)) == 1
        assert len(await lines()) == 1 and await counters() == [(1, 0)]
        assert await ledger.close(close_of(item)) is False


async def test_a_start_that_postgresql_lost_is_booked_with_its_end(team):
    """As after a crash of PostgreSQL itself, which may take the last starts with it: nothing is reserved any more."""
    shape = await sync_to_async(shape_of)(team, limit=5)
    async with made_ledger() as ledger:
        item, other = [begin_of(team, await ledger.epoch(), charge(shape)) for _ in range(2)]
        await asyncio.gather(ledger.begin(item), ledger.begin(other))
        await sync_to_async(Reservation.objects.filter(pk=item.id).delete)()
        await sync_to_async(QuotaCounter.objects.update)(reserved=1)
        assert await asyncio.gather(ledger.close(close_of(item)), ledger.close(close_of(other))) == [True, True]
        assert await ledger.close(close_of(item)) is False
        assert await lines() == [("ok", "")] * 2 and await counters() == [(2, 0)]


async def test_a_record_the_sweeper_wrote_under_anothers_reservation_stays_the_only_one(team):
    """As when the first of two attempts ran out while the second, which won, was still open."""
    shape = await sync_to_async(shape_of)(team, limit=5)
    async with made_ledger() as ledger:
        epoch = await ledger.epoch()
        items = [begin_of(team, epoch, charge(shape)) for _ in range(3)]
        first, second, beside = items
        await asyncio.gather(*map(ledger.begin, items))
        assert await asyncio.to_thread(_expire_and_sweep, pk=first.id) == 1
        winner = close_of(first)._replace(reservation=second.id, id=first.id)
        assert await asyncio.gather(ledger.close(winner), ledger.close(close_of(beside))) == [False, True]
        assert await counters() == [(3, 0)] and await open_calls() == 0
        assert await lines() == [("interrupted", "interrupted"), ("ok", "")]


async def test_a_refusal_that_is_told_twice_is_one_line(team):
    """As when its batch was committed and the session ended before saying so."""
    async with made_ledger() as ledger:
        item = begin_of(team, await ledger.epoch(), is_refusal=True)
        for _ in range(2):
            assert (await ledger.begin(item)).refused_by is None
        assert await lines() == [("ok", "")]


async def test_a_batch_larger_than_the_socket_takes_at_once_is_written(team):
    text = "x" * 200_000
    async with made_ledger() as ledger:
        epoch = await ledger.epoch()
        items = [begin_of(team, epoch, input=prepare_payload(text)) for _ in range(40)]
        await asyncio.gather(*(ledger.begin(item) for item in items))
        await asyncio.gather(*(ledger.close(close_of(item)) for item in items))
    assert await sync_to_async(Payload.objects.filter(kind="input", bytes=len(text)).count)() == 40


async def test_starts_can_be_made_to_wait_for_the_disk(team, settings):
    """With the setting, the server's own `synchronous_commit` holds for starts as well."""
    for is_durable in (False, True):
        settings.GATEWAY_DURABLE_STARTS = is_durable
        async with made_ledger() as ledger:
            await ledger.begin(begin_of(team, await ledger.epoch()))
            held = await ledger._begin_statement._connection.get()
            said = held.pgconn.exec_(b"SELECT source FROM pg_settings WHERE name = 'synchronous_commit'")
            assert (said.get_value(0, 0) != b"client") == is_durable


async def test_an_end_is_on_disk_when_it_is_written(team):
    """The server of the tests waits for no disk by itself; this session does, as one that is not set up so does."""
    statement, other = Statement(Connection("test", "-c synchronous_commit=on"), CLOSE), Connection("other")
    output = prepare_payload(secrets.token_hex(20_000))

    async def moment(function):
        held = await other.get()
        row = await (await held.execute(f"SELECT {function}() - '0/0'::pg_lsn")).fetchone()
        return int(row[0])

    async with made_ledger() as ledger:
        try:
            for _ in range(5):
                item = begin_of(team, await ledger.epoch())
                await ledger.begin(item)
                before = await moment("pg_current_wal_insert_lsn")
                assert await statement.run(close_parameters([close_of(item)._replace(output=output)])) == [b"\1"]
                assert await moment("pg_current_wal_flush_lsn") - before > 10_000, "the output is a part of it"
        finally:
            await statement.close()
            await other.close()


def _expire_and_sweep(**which):
    """Let leases run out and sweep, in one transaction: the live server of other tests sweeps as well, now and then."""
    from django.db import connections

    try:
        with transaction.atomic():
            Reservation.objects.filter(**which).update(expires_at=now())
            return sweep()
    finally:
        connections.close_all()


async def test_a_batch_gives_the_last_units_in_order_and_lets_small_ones_pass(team):
    shape = await sync_to_async(shape_of)(team, metric="tokens", limit=100)
    async with made_ledger() as ledger:
        epoch = await ledger.epoch()
        amounts = [60, 50, 30, 20, 10, 1]
        items = [begin_of(team, epoch, charge(shape, amount)) for amount in amounts]
        verdicts = await asyncio.gather(*(ledger.begin(item) for item in items))
        assert [v.refused_by for v in verdicts] == [None, 0, None, 0, None, 0]
        assert await counters() == [(0, 100)]
        for item, verdict in zip(items, verdicts, strict=True):
            if verdict.refused_by is None:
                await ledger.close(close_of(item, tokens=1))
        assert (
            await counters() == [(3, 0)]
            and sorted(await lines()) == [("ok", "")] * 3 + [("refused", "insufficient_quota")] * 3
        )


async def test_it_says_which_of_several_limits_refused(team):
    wide = await sync_to_async(shape_of)(team, limit=10)
    narrow = await sync_to_async(shape_of)(team, limit=0, window="day")
    soft = await sync_to_async(shape_of)(team, limit=0, window="hour", mode="soft")
    async with made_ledger() as ledger:
        epoch = await ledger.epoch()
        refused, free = begin_of(team, epoch, charge(wide), charge(soft), charge(narrow)), begin_of(team, epoch)
        verdicts = await asyncio.gather(ledger.begin(refused), ledger.begin(free))
        assert [v.refused_by for v in verdicts] == [2, None]
        assert all(row == (0, 0) for row in await counters()), "a refused call holds nothing anywhere"
        await ledger.close(close_of(free))


async def test_a_call_that_does_not_fit_lets_go_before_it_waits(team):
    """An end that holds an earlier counter comes to want a later one: neither may wait for the other."""
    full = await sync_to_async(shape_of)(team, limit=1)
    roomy = await sync_to_async(shape_of)(team, limit=10, window="day")
    is_held = threading.Event()

    @transaction.atomic
    def take_in_order():
        rows = QuotaCounter.objects.select_for_update(nowait=True)
        rows.get(quota_id=full.id)
        is_held.set()
        with connection.cursor() as cursor:
            waits = "SELECT 1 FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
            until(lambda: cursor.execute(waits).fetchone(), "the call waits for the counter that is full")
        rows.get(quota_id=roomy.id)

    async with made_ledger() as ledger:
        epoch = await ledger.epoch()
        first, second = (begin_of(team, epoch, charge(full), charge(roomy)) for _ in range(2))
        assert (await ledger.begin(first)).refused_by is None
        ending = asyncio.ensure_future(sync_to_async(take_in_order)())
        await until_async(is_held.is_set, "the counter is held")
        verdict, _ = await asyncio.gather(ledger.begin(second), ending)
        assert verdict.refused_by == 0 and await counters() == [(0, 1), (0, 1)]
        await ledger.close(close_of(first))


async def test_a_batch_across_the_end_of_a_period_counts_in_both(team):
    import datetime as dt

    shape = await sync_to_async(shape_of)(team, window="minute", limit=1)
    before, after = dt.datetime(2026, 1, 1, 0, 0, 59, 999000, dt.UTC), dt.datetime(2026, 1, 1, 0, 1, 0, 0, dt.UTC)
    async with made_ledger() as ledger:
        epoch = await ledger.epoch()
        items = [begin_of(team, epoch, charge(shape, at=at)) for at in (before, after, before)]
        verdicts = await asyncio.gather(*(ledger.begin(item) for item in items))
        assert [v.refused_by for v in verdicts] == [None, None, 0]
        for item in items[:2]:
            await ledger.close(close_of(item))
        assert await counters() == [(1, 0), (1, 0)]


async def test_new_periods_begun_by_many_at_once_do_not_deadlock(team):
    """Every round is a period nobody has counted in, so that all the ledgers make the same counters at once."""
    import datetime as dt

    shapes = [await sync_to_async(shape_of)(team, window=w, limit=10**6) for w in ("minute", "hour", "day", "month")]
    ledgers = [Ledger() for _ in range(4)]
    try:
        epoch = await ledgers[0].epoch()
        for year in range(2001, 2016):
            at, items = dt.datetime(year, 1, 1, tzinfo=dt.UTC), []
            for number, ledger in enumerate(ledgers):
                mine = shapes[number % 2 :] if number < 3 else shapes[::-2]
                items += [(ledger, begin_of(team, epoch, *(charge(s, at=at) for s in mine))) for _ in range(3)]
            verdicts = await asyncio.gather(*(ledger.begin(item) for ledger, item in items))
            assert all(v.refused_by is None and not v.is_stale for v in verdicts)
            await asyncio.gather(*(ledger.close(close_of(item)) for ledger, item in items))
    finally:
        for ledger in ledgers:
            await ledger.stop()
    assert await open_calls() == 0 and len(await lines()) == 15 * 12


async def test_a_caller_who_leaves_while_being_admitted_leaves_an_end(team):
    shape = await sync_to_async(shape_of)(team)
    async with made_ledger() as ledger:
        item = begin_of(team, await ledger.epoch(), charge(shape))
        waiting = asyncio.ensure_future(ledger.begin(item))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await ledger.stop()
        assert await open_calls() == 0 and await counters() == [(1, 0)]
        assert await lines() == [("client_disconnected", "")]


async def test_leases_of_open_calls_are_renewed_and_of_lost_ones_not(team, settings, monkeypatch):
    settings.GATEWAY_LEASE_SECONDS = 60
    impatient = {**vars(asyncio), "sleep": lambda seconds: asyncio.sleep(min(seconds, 0.2))}
    monkeypatch.setattr(ledger_module, "asyncio", SimpleNamespace(**impatient))
    async with made_ledger() as ledger:
        epoch = await ledger.epoch()
        held, lost = begin_of(team, epoch), begin_of(team, epoch)
        await ledger.begin(held)
        await ledger.begin(lost)
        ledger._open.discard(lost.id.int)  # as when its end could not be written
        rows = Reservation.objects.filter
        soon = now() + dt.timedelta(seconds=40)  # less than three quarters of it
        await sync_to_async(rows(pk=held.id).update)(expires_at=soon)
        await sync_to_async(rows(pk=lost.id).update)(expires_at=now())
        while await open_calls() == 2 or await sync_to_async(rows(pk=held.id, expires_at=soon).exists)():
            await asyncio.sleep(0.1)
        assert await lines() == [("interrupted", "interrupted")]
        assert await ledger.close(close_of(held)), "the call that was really open is still ours to end"


async def test_when_a_key_was_used_is_written_once_the_database_is_back(monkeypatch):
    written, faults = [], [OperationalError("away"), InterfaceError("the connection is closed")]

    def touch(used):
        if faults:
            raise faults.pop()
        written.append(used)

    monkeypatch.setattr(ledger_module, "touch", touch)
    early, late, key = now(), now() + dt.timedelta(seconds=1), uuid7()
    other = uuid7()
    ledger = Ledger()
    ledger._used_keys = {key.int: early, other.int: early}
    await ledger._note_aside()
    ledger._used_keys[key.int] = late
    await ledger._note_aside()
    await ledger._note_aside()
    assert written == [{key: late, other: early}] and not ledger._used_keys


def _is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_session_that_ends_before_it_reads_a_statement_is_made_again(committed_db):
    async def ask() -> None:
        statement = Statement(Connection("test"), "SELECT pg_backend_pid(), $1::text")
        long = [b"x" * 50_000]  # more than PostgreSQL reads at once
        first, _ = await statement.run(long)
        pid = statement._prepared_on.info.backend_pid
        # That PostgreSQL ends the session, and that it has not read all that was sent, is told at once.
        os.kill(pid, signal.SIGSTOP)
        try:
            asked = asyncio.ensure_future(statement.run(long))
            while statement._waiting is None or statement._waiting.done():
                await asyncio.sleep(0)
            os.kill(pid, signal.SIGTERM)
        finally:
            os.kill(pid, signal.SIGCONT)
        until(lambda: not _is_there(pid), "PostgreSQL did not end the session")  # with the loop standing still
        async with asyncio.timeout(60):
            assert (await asked)[0] != first
        await statement.close()

    uvloop.run(ask())  # what web processes run on


async def test_a_connection_is_made_once_however_many_ask(committed_db):
    connection = Connection("test")
    try:
        assert len({id(c) for c in await asyncio.gather(*(connection.get() for _ in range(10)))}) == 1
        (await connection.get()).pgconn.finish()
        assert len({id(c) for c in await asyncio.gather(*(connection.get() for _ in range(10)))}) == 1
        assert not (await connection.get()).closed
        # As pages' and tasks' connections do: a server that is gone without a word is noticed.
        assert (await connection.get()).info.get_parameters()["tcp_user_timeout"] == "25000"
    finally:
        await connection.close()


async def test_a_connection_takes_what_the_address_of_the_database_says_besides(committed_db, monkeypatch):
    from django.db import connections

    more = {"connect_timeout": "7", "options": "-c geqo=off -c statement_timeout=1"}
    monkeypatch.setitem(connections.settings["default"], "OPTIONS", connections.settings["default"]["OPTIONS"] | more)
    connection = Connection("test")
    try:
        shown = [
            await (await (await connection.get()).execute(f"SHOW {n}")).fetchone()
            for n in ("geqo", "statement_timeout")
        ]
        assert shown == [("off",), ("20s",)]
    finally:
        await connection.close()


async def _break_connections(ledger):
    """End this ledger's own sessions, and not those of the live server that later tests use."""
    from django.db import connection

    statements = (ledger._begin_statement, *ledger._close_statements)
    held = (*(one._connection for one in statements), ledger._keep_connection)
    pids = [(await one.get()).info.backend_pid for one in held]

    def end():
        with connection.cursor() as cursor:
            # And wait until they have ended: one that has yet to could still take a statement.
            cursor.execute("SELECT pg_terminate_backend(pid, 60000) FROM unnest(%s::int[]) pid", [pids])

    await sync_to_async(end)()


async def test_a_session_that_postgresql_ended_is_made_again(team):
    async with made_ledger() as ledger:
        epoch = await ledger.epoch()
        first, second = begin_of(team, epoch), begin_of(team, epoch)
        await ledger.begin(first)
        await _break_connections(ledger)
        await ledger.begin(second)
        await _break_connections(ledger)
        assert await ledger.close(close_of(first)) and await ledger.close(close_of(second))
        assert len(await lines()) == 2


async def test_that_postgresql_is_away_is_logged_once_and_not_for_each_call(team, caplog, monkeypatch):
    async with made_ledger() as ledger:
        epoch = await ledger.epoch()
        with monkeypatch.context() as patch, caplog.at_level("INFO", "console.gateway.ledger"):

            async def refused(_):
                raise psycopg.OperationalError("connection refused\nIs the server running?")

            patch.setattr(ledger._begins, "put", refused)
            for _ in range(3):
                with pytest.raises(DatabaseAway):
                    await ledger.begin(begin_of(team, epoch))
        assert ledger_module.are_calls_refused()
        with caplog.at_level("INFO", "console.gateway.ledger"):
            for _ in range(2):
                item = begin_of(team, epoch)
                await ledger.begin(item)
                await ledger.close(close_of(item))
    assert not ledger_module.are_calls_refused()
    assert [record.getMessage() for record in caplog.records if "PostgreSQL" in record.getMessage()] == [
        "PostgreSQL is away; calls are refused until it is back: connection refused",
        "PostgreSQL is back; calls are taken again.",
    ]


async def test_a_call_never_begins_twice(team):
    """As when the first attempt was committed and the session ended before saying so."""
    async with made_ledger() as ledger:
        item = begin_of(team, await ledger.epoch())
        await ledger.begin(item)
        with pytest.raises(DatabaseAway) as refused:
            await ledger.begin(item)
        assert refused.value.status == 503 and await open_calls() == 1
        assert await ledger.close(close_of(item))


async def test_an_end_that_cannot_be_written_is_the_sweepers(team, settings, monkeypatch):
    async with made_ledger() as ledger:
        item = begin_of(team, await ledger.epoch())
        await ledger.begin(item)
        spoilt = close_of(item)
        with pytest.raises(AnswerUnrecorded):
            await ledger.close(spoilt._replace(record=joined(spoilt.record, orjson.dumps({"prompt_tokens": 2**40}))))
    assert await asyncio.to_thread(_expire_and_sweep) == 1
    assert await lines() == [("interrupted", "interrupted")]


def test_the_sweeper_takes_only_what_ran_out(team):
    def reserve(seconds):
        record = f'{{"id": "{uuid7()}", "at": "{now().isoformat()}", "type": "chat", "prompt_tokens": 9}}'
        Reservation.objects.create(
            id=uuid.UUID(record[8:44]),
            team_id=team.pk,
            process="gone",
            expires_at=now() + dt.timedelta(seconds=seconds),
            quota_ids=[],
            period_starts=[],
            metrics=[],
            amounts=[],
            record=record,
        )

    with transaction.atomic():  # or the live server of other tests could sweep them
        for seconds in (-60, -1, 60):
            reserve(seconds)
        assert (sweep(), sweep()) == (2, 0)
    ended = AuditEvent.objects.filter(status="interrupted").values_list("prompt_tokens", "usage_note")
    assert list(ended) == [(9, "estimated")] * 2 and Reservation.objects.count() == 1


# The snapshot's keeper ------------------------------------------------------------------------------------------------


class Readings:
    """Stands for the database: each reading takes until it is let go, and returns the epoch of its beginning."""

    def __init__(self, monkeypatch):
        import threading

        self.epoch, self.count, self.gate, self.broken = 1, 0, threading.Event(), None
        self.gate.set()
        monkeypatch.setattr(snapshot_module, "_load_in_thread", self.read)

    def read(self, before):
        self.count += 1
        epoch = self.epoch
        self.gate.wait(60)
        if self.broken:
            raise self.broken
        return snapshot_module.Snapshot(epoch, {}, {}, {}, {}, {}, {}, {})


async def test_a_crowd_shares_one_reading(monkeypatch):
    readings, keeper = Readings(monkeypatch), SnapshotKeeper()
    first = await asyncio.gather(*(keeper.get() for _ in range(50)))
    assert readings.count == 1 and len(set(map(id, first))) == 1
    readings.epoch = 2
    newer = await asyncio.gather(*(keeper.newer_than(first[0]) for _ in range(50)))
    assert readings.count == 2 and {s.epoch for s in newer} == {2}
    assert (await keeper.newer_than(first[0])).epoch == 2 and readings.count == 2, "it was read already"


async def test_a_reading_that_began_before_the_change_does_not_count(monkeypatch):
    readings, keeper = Readings(monkeypatch), SnapshotKeeper()
    old = await keeper.get()
    readings.gate.clear()
    early = asyncio.ensure_future(keeper.newer_than(old))
    await until_async(lambda: readings.count == 2, "the second reading began")
    readings.epoch = 2  # the change, which the reading under way cannot see
    late = asyncio.ensure_future(keeper.newer_than(old))
    await asyncio.sleep(0.01)
    readings.gate.set()
    assert (await early).epoch == 1 and (await late).epoch == 2
    assert readings.count == 3


async def test_a_reading_outlives_who_asked_first(monkeypatch):
    readings, keeper = Readings(monkeypatch), SnapshotKeeper()
    readings.gate.clear()
    first, second = asyncio.ensure_future(keeper.get()), asyncio.ensure_future(keeper.get())
    await until_async(lambda: readings.count == 1, "the first reading began")
    first.cancel()
    readings.gate.set()
    assert (await second).epoch == 1 and readings.count == 1


async def test_a_reading_that_fails_is_a_503_and_forgotten(monkeypatch):
    import django.db

    readings, keeper = Readings(monkeypatch), SnapshotKeeper()
    readings.broken = django.db.OperationalError("away")
    for refused in await asyncio.gather(keeper.get(), keeper.get(), return_exceptions=True):
        assert isinstance(refused, DatabaseAway) and refused.status == 503
    readings.broken = None
    assert (await keeper.get()).epoch == 1
