"""Processes that die, processes that are asked to stop, a database that goes away: nothing is lost or hangs."""

import io
import json
import threading
from contextlib import ExitStack

import httpx2 as httpx
import pytest
from django.core.management import call_command
from django.db import connection

from console.audit.models import Payload
from console.gateway.sweep import sweep
from console.teams.actors import SYSTEM
from tests.gateway.invariants import let_leases_run_out, wait_until_settled
from tests.gateway.test_stream import events, said
from tests.live import WebProcess, listens
from tests.upstream import chunk, sse, text_chunks
from tests.waiting import until
from usage_app.models import QuotaCounter, Reservation
from usage_app.services.quotas import set_quota

PATH = "/v1/chat/completions"
BODY = {"model": "support-chat", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 100}
STREAM = {**BODY, "stream": True}


def one_word_and_silence(world):
    world.upstream.enqueue_stream(sse(chunk({"content": "One"})), done=False, hang=120)


def end_gateway_sessions():
    """Have PostgreSQL end them, as a restart does, and wait until they have ended."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name LIKE 'facet gateway%%'"
            )
            assert cursor.fetchone()[0] > 0
    finally:
        connection.close()


@pytest.fixture
def processes():
    """Two web processes on the test's database; the second looks often for what the first may have left."""
    made = [WebProcess(), WebProcess(grace=4, GATEWAY_LEASE_SECONDS="24")]
    try:
        yield [process.wait() for process in made]
    finally:
        for process in made:
            process.stop()


def test_one_process_dies_and_the_other_one_is_asked_to_stop(world, processes):
    """What a power cut leaves is ended by whoever lives; what SIGTERM interrupts is told, and recorded as such."""
    set_quota(actor=SYSTEM, team=world.team, metric="tokens", window="day", limit=100_000)
    set_quota(actor=SYSTEM, team=world.team, metric="concurrency", window="", limit=3)
    doomed, living = processes
    for _ in range(2):
        one_word_and_silence(world)
    world.upstream.enqueue_silence(120)
    with ExitStack() as stack, httpx.Client(headers=world.headers, timeout=60, verify=False) as client:
        begun = [stack.enter_context(client.stream("POST", doomed.url + PATH, json=STREAM)) for _ in range(2)]
        read = [response.iter_text() for response in begun]  # kept, for the connection ends with its reader
        assert all("One" in next(pieces) for pieces in read)
        plain = threading.Thread(
            target=lambda: pytest.raises(httpx.HTTPError, client.post, doomed.url + PATH, json=BODY)
        )
        plain.start()
        until(lambda: len(world.upstream.seen) == 3, "the provider works on three calls")
        assert client.post(living.url + PATH, json=BODY).status_code == 429, "three are open"
        doomed.kill()
        plain.join()
    assert Reservation.objects.count() == 3 and QuotaCounter.objects.filter(reserved__gt=0).count() == 2
    let_leases_run_out()
    wait_until_settled()
    interrupted = [line for line in world.calls() if line.status == "interrupted"]
    assert [(c.code, c.usage_note) for c in interrupted] == [("interrupted", "estimated")] * 3
    assert all(c.prompt_tokens > 0 and c.cost_micros > 0 for c in interrupted)
    assert not QuotaCounter.objects.exclude(reserved=0).exists()

    one_word_and_silence(world)
    with ExitStack() as stack, httpx.Client(headers=world.headers, timeout=60, verify=False) as client:
        endless = stack.enter_context(client.stream("POST", living.url + PATH, json=STREAM))
        is_told = threading.Event()
        first, word, *rest = (sse(e) for e in text_chunks("On", "ly", " short"))
        world.upstream.enqueue_stream(first, word, is_told.is_set, *rest)
        short = stack.enter_context(client.stream("POST", living.url + PATH, json=STREAM))
        heard, pieces = short.iter_text(), endless.iter_text()
        assert "One" in next(pieces)
        world.upstream.enqueue_silence(120)
        answers: list[httpx.Response] = []
        waiting = threading.Thread(target=lambda: answers.append(client.post(living.url + PATH, json=BODY)))
        waiting.start()
        until(lambda: len(world.upstream.seen) == 6, "the provider works on three more")
        living.process.terminate()
        until(lambda: not listens(living.port), "it was told to stop")
        is_told.set()
        found = events("".join(heard))
        rest = ""
        try:
            for piece in pieces:
                rest += piece
        except httpx.RemoteProtocolError:
            pass  # the connection ends without the last chunk, since the answer has no end
        waiting.join()
    assert living.process.wait(60) is not None
    assert (answers[0].status_code, answers[0].json()["error"]["code"]) == (503, "shutting_down")
    assert said(found) == "Only short" and found[-1] == "[DONE]", "what can finish in time does"
    assert events(rest)[-1]["error"]["code"] == "shutting_down" and "[DONE]" not in rest
    endless_line, short_line, waiting_line = world.calls()[-3:]
    assert (endless_line.status, endless_line.code, short_line.status) == ("interrupted", "shutting_down", "ok")
    assert (waiting_line.status, waiting_line.code) == ("interrupted", "shutting_down")
    kept = json.loads(Payload.objects.get(event_id=endless_line.pk, kind="output").body)
    assert kept["choices"][0]["message"]["content"] == "One"
    assert not Reservation.objects.exists()


def test_sessions_that_postgresql_ends_are_made_again_before_anybody_notices(ask, client, world):
    assert ask().status_code == 200
    end_gateway_sessions()
    assert [ask().status_code, ask(stream=True).status_code] == [200, 200]
    assert client.get("/v1/models").status_code == 200
    end_gateway_sessions()
    assert client.get("/v1/models").status_code == 200
    assert ask(model="nobody").status_code == 404


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_comes_while_the_database_is_away_is_recorded_when_it_is_back(ask, world, stream):
    is_away = threading.Event()

    def go_away() -> None:
        until(lambda: world.upstream.seen, "the provider was asked")
        end_gateway_sessions()
        is_away.set()

    world.upstream.enqueue_when(is_away.is_set, stream=stream)
    ending = threading.Thread(target=go_away)
    ending.start()
    response = ask(stream=stream)
    ending.join()
    assert response.status_code == 200 and "Hello" in response.text
    assert [line.status for line in world.calls()] == ["ok"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_comes_after_its_call_was_ended_as_lost_is_not_given_out(ask, world, stream):
    """As when a process is stopped for longer than its lease: the log says that there was no answer."""
    is_ended = threading.Event()

    def end() -> None:
        until(lambda: world.upstream.seen, "the provider was asked")
        while Reservation.objects.exists():  # whose process renews it
            if stream:
                call_command("sweepreservations", all=True, stdout=io.StringIO())  # as at a start of `make run`
                continue
            let_leases_run_out()
            sweep()
        connection.close()
        is_ended.set()

    world.upstream.enqueue_when(is_ended.is_set, stream=stream)
    ending = threading.Thread(target=end)
    ending.start()
    response = ask(stream=stream)
    ending.join()
    assert [line.status for line in world.calls()] == ["interrupted"]
    if stream:
        assert '"service_unavailable"' in response.text and "[DONE]" not in response.text
    else:
        assert response.status_code == 503 and "Hello" not in response.text


def test_nothing_is_sent_when_the_start_cannot_be_written(ask, world, monkeypatch):
    from console.gateway.connection import Connection

    async def away(self):
        import psycopg

        raise psycopg.OperationalError("away")

    assert ask().status_code == 200
    with monkeypatch.context() as patch:
        patch.setattr(Connection, "get", away)
        for more in ({}, {"stream": True}, {"model": "nobody"}, {"n": 99}):
            refused = ask(**more)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "service_unavailable")
            assert refused.headers["retry-after"] == "2"
        assert ask(headers={"Authorization": "Bearer fk_live_x"}).status_code in {401, 503}
    assert len(world.upstream.seen) == 1
    assert ask().status_code == 200


def test_a_snapshot_that_cannot_be_read_is_a_503(ask, world, monkeypatch):
    import django.db

    from console.gateway import snapshot

    def away(*_):
        raise django.db.OperationalError("away")

    assert ask().status_code == 200
    with monkeypatch.context() as patch:
        patch.setattr(snapshot, "load", away)
        set_quota(actor=SYSTEM, team=world.team, metric="requests", window="day", limit=100)
        refused = ask()
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "service_unavailable")
    assert ask().status_code == 200 and len(world.upstream.seen) == 2
