"""A streamed chat completion, end to end: what the client sees, what the log keeps, and every way it can end."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from console.api.v1 import watch
from console.audit.models import Payload
from console.gateway import continuation, runtime
from console.teams.callers import SYSTEM
from console.teams.services.keys import change_key, revoke_key
from tests import make
from tests.gateway.invariants import wait_until_settled
from tests.upstream import chunk, completion, sse, text_chunks, usage
from tests.waiting import until

BODY = {"model": "support-chat", "messages": [{"role": "user", "content": "Hello?"}], "stream": True}


def events(text: str) -> list[Any]:
    """Return what a client would parse: each event's JSON, or the bare word [DONE]. Anything but data lines fails."""
    found: list[Any] = []
    for frame in text.split("\n\n"):
        if frame and not frame.startswith(":"):
            assert frame.startswith("data: ") and "\n" not in frame
            found.append("[DONE]" if frame == "data: [DONE]" else json.loads(frame[6:]))
    return found


def said(found: list[Any]) -> str:
    """Return the text the deltas add up to."""
    choices = [c for e in found if e != "[DONE]" for c in e.get("choices", [])]
    return "".join(c["delta"].get("content") or "" for c in choices)


@pytest.fixture
def opened(client: Any, world: Any) -> Iterator[Any]:
    """A stream whose provider says one word and falls silent, read up to that word."""
    world.upstream.enqueue_stream(sse(chunk({"content": "One"})), done=False, hang=60)
    with client.stream("POST", "/v1/chat/completions", json=BODY) as response:
        pieces = response.iter_text()
        assert "One" in next(pieces)
        response.pieces = pieces
        yield response


@pytest.fixture
def has_pinged() -> threading.Event:
    return threading.Event()


@pytest.fixture
def heard(client: Any, has_pinged: threading.Event) -> Callable[[], tuple[int, str]]:
    """Ask for a stream, note when a heartbeat has come, and return status and all that came."""

    def read() -> tuple[int, str]:
        came = ""
        with client.stream("POST", "/v1/chat/completions", json=BODY) as response:
            for piece in response.iter_text():
                came += piece
                if ": ping\n\n" in came:
                    has_pinged.set()
        return response.status_code, came

    return read


@pytest.fixture
def ask_in_two(client: Any, world: Any) -> Callable[[bytes, bytes], str]:
    """Ask for a stream whose provider sends its second part once the first has arrived here; return all that came."""

    def post(first: bytes, second: bytes) -> str:
        has_arrived = threading.Event()
        world.upstream.enqueue_stream(first, has_arrived.is_set, second, done=False)
        with client.stream("POST", "/v1/chat/completions", json=BODY) as response:
            pieces = response.iter_text()
            came = next(pieces)
            has_arrived.set()
            return came + "".join(pieces)

    return post


def raw_request(world: Any) -> bytes:
    """The same call, byte by byte, for a client that misbehaves."""
    body = json.dumps(BODY).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.key_text}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def test_it_forwards_frames_and_ends_with_done(ask, world):
    response = ask(stream=True)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["x-facet-model-version"] == "fake/fake-model"
    found = events(response.text)
    assert found[-1] == "[DONE]" and found.count("[DONE]") == 1
    assert found[:-1] == text_chunks("Hello", " there", ".", with_usage=False)


def test_it_counts_although_nobody_asked_for_usage(ask, world):
    response = ask(stream=True)
    assert '"usage"' not in response.text
    (line,) = world.calls()
    assert (line.status, line.stream, line.prompt_tokens, line.completion_tokens) == ("ok", True, 23, 3)
    assert line.usage_note == "" and line.cost_micros > 0
    assert 0 < line.first_token_us <= line.latency_us
    assert world.upstream.seen[0].body["stream_options"]["include_usage"] is True


def test_it_sends_usage_to_who_asks_for_it(ask, world):
    found = events(ask(stream=True, stream_options={"include_usage": True}).text)
    assert found[-2]["usage"] == usage(23, 3) and found[-2]["choices"] == []
    assert {one["usage"] for one in found[:-2]} == {None} and found[-1] == "[DONE]"


def test_it_adds_up_usage_that_is_said_of_each_choice(ask, world):
    other = chunk({"content": "Ho"}, finish="stop")
    other["choices"][0]["index"] = 1
    spent = chunk(usage=usage(7, 1))
    world.upstream.enqueue_stream(sse(chunk({"content": "Hi"}, finish="stop"), spent, other, spent))
    ask(stream=True, n=2)
    assert (world.calls()[0].prompt_tokens, world.calls()[0].completion_tokens) == (14, 2)


def test_it_hides_usage_that_rides_on_an_ordinary_chunk(ask, world):
    world.upstream.enqueue_stream(sse(chunk({"content": "Hi"}), chunk({}, finish="stop", usage=usage(7, 1))))
    response = ask(stream=True)
    assert '"usage"' not in response.text and said(events(response.text)) == "Hi"
    assert world.calls()[0].prompt_tokens == 7


def test_the_log_keeps_what_was_streamed(ask, world):
    words = ["Your ", "order ", "is ", "on its way – ", "né?"]
    world.upstream.enqueue_stream(*(sse(event) for event in text_chunks(*words)), pause=0.005)
    response = ask(stream=True)
    (line,) = world.calls()
    kept = json.loads(Payload.objects.get(event_id=line.pk, kind="output").body)
    assert kept["object"] == "chat.completion"
    assert kept["choices"][0]["message"]["content"] == said(events(response.text)) == "".join(words)
    assert kept["choices"][0]["finish_reason"] == "stop"
    assert kept["usage"] == usage(23, 5)


def test_it_puts_tool_calls_together_for_the_log(ask, world):
    part = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "track", "arguments": ""}}
    more = [{"index": 0, "function": {"arguments": piece}} for piece in ('{"order"', ":7}")]
    deltas = [chunk({"tool_calls": [call]}) for call in [part, *more]]
    world.upstream.enqueue_stream(sse(*deltas, chunk({}, finish="tool_calls")))
    assert ask(stream=True).status_code == 200
    kept = json.loads(Payload.objects.get(kind="output").body)
    (call,) = kept["choices"][0]["message"]["tool_calls"]
    assert (call["id"], call["function"]) == ("call_1", {"name": "track", "arguments": '{"order":7}'})


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        (sse({"error": {"message": "secret-host exploded"}}), "upstream_error"),
        (b"data: {not json\n\n", "upstream_invalid"),
        (sse({"object": "something else"}), "upstream_invalid"),
        (b"", "upstream_truncated"),
    ],
    ids=["an error event", "no JSON", "no choices", "cut off"],
)
def test_it_ends_a_broken_stream_with_an_error_and_never_with_done(ask_in_two, world, rest, code):
    found = events(ask_in_two(sse(chunk({"content": "Half"})), rest))
    assert said(found) == "Half"
    assert found[-1]["error"]["code"] == code and "[DONE]" not in found
    assert "secret-host" not in json.dumps(found)
    (line,) = world.calls()
    assert (line.status, line.code) == ("error", code)
    assert line.usage_note == "estimated" and line.prompt_tokens > 0 and line.completion_tokens > 0


def test_what_breaks_before_anything_was_passed_on_is_an_error_as_a_whole(ask, world):
    """The first word and the fault come in one packet: the client has seen nothing, and is told with a status."""
    broken = sse(chunk({"content": "Half"}), {"error": {"message": "secret-host exploded"}})
    world.upstream.enqueue_stream(broken, done=False)
    response = ask(stream=True)
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_error")
    assert "secret-host" not in response.text
    (line,) = world.calls()
    assert (line.status, line.code) == ("error", "upstream_error")


def test_it_completes_what_a_provider_left_open_and_counts_what_it_did_not(ask, world):
    """The provider says that all is over, but neither why its answer ended nor what it used."""
    world.upstream.enqueue_stream(sse(chunk({"content": "Half"})))
    found = events(ask(stream=True, stream_options={"include_usage": True}).text)
    first, end, counted, done = found
    assert end["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}] and end["usage"] is None
    assert (counted["id"], counted["object"], counted["choices"]) == (first["id"], "chat.completion.chunk", [])
    assert done == "[DONE]"
    (line,) = world.calls()
    assert (line.status, line.usage_note) == ("ok", "estimated")
    told = counted["usage"]["prompt_tokens"], counted["usage"]["completion_tokens"]
    assert told == (line.prompt_tokens, line.completion_tokens) and min(told) > 0
    kept = json.loads(Payload.objects.get(event_id=line.pk, kind="output").body)
    assert kept["usage"] == counted["usage"] and kept["choices"][0]["finish_reason"] == "stop"


def test_a_stream_without_an_answer_is_an_error_as_a_plain_answer_is(ask, world):
    world.upstream.enqueue_stream(b"")
    response = ask(stream=True)
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_invalid")
    (line,) = world.calls()
    assert (line.status, line.code) == ("error", "upstream_invalid")


def test_an_answer_that_finished_is_complete_also_without_done(ask, world):
    world.upstream.enqueue_stream(sse(*text_chunks("All ", "said.")), done=False)
    found = events(ask(stream=True).text)
    assert said(found) == "All said." and found[-1] == "[DONE]"
    assert world.calls()[0].status == "ok"


def test_nothing_follows_done(ask, world):
    world.upstream.enqueue_stream(sse(*text_chunks("Bye"), "[DONE]", chunk({"content": "and more"})))
    response = ask(stream=True)
    assert response.text.endswith("data: [DONE]\n\n") and "and more" not in response.text


def test_it_refuses_an_answer_that_is_no_stream(ask, world):
    world.upstream.enqueue(completion())
    response = ask(stream=True)
    assert response.status_code == 502
    assert response.json()["error"]["code"] == "upstream_invalid"
    (line,) = world.calls()
    assert (line.status, line.http_status) == ("error", 502)


def test_it_ends_the_providers_work_when_the_client_leaves(opened, world):
    gates = [gateway.provider_gate for gateway in runtime._gateways.values()]
    breakers = [gate.breakers[world.provider.id.int] for gate in gates if world.provider.id.int in gate.breakers]
    for breaker in breakers:
        breaker.open_until = 1.0  # the call is a probe, and a client that leaves says nothing of the provider
    opened.close()
    assert world.upstream.was_closed_early()
    wait_until_settled()
    assert breakers and not any(breaker.is_closed for breaker in breakers)
    world.forgive()
    (line,) = world.calls()
    assert (line.status, line.code, line.usage_note) == ("client_disconnected", "", "estimated")
    assert json.loads(Payload.objects.get(kind="output").body)["choices"][0]["message"]["content"] == "One"


def test_it_ends_the_providers_work_when_the_client_leaves_before_the_first_word(server, world):
    world.upstream.enqueue_silence(60)
    with socket.create_connection(("127.0.0.1", server.port)) as reader:
        reader.sendall(raw_request(world))
        until(lambda: world.upstream.seen, "the provider was asked")
    assert world.upstream.was_closed_early()
    wait_until_settled()
    (line,) = world.calls()
    assert line.status == "client_disconnected"


def test_it_keeps_a_silent_stream_open(heard, has_pinged, world, settings):
    settings.GATEWAY_HEARTBEAT_SECONDS = 0.2
    first, *rest = text_chunks("Slow", " words")
    world.upstream.enqueue_stream(sse(first), has_pinged.is_set, sse(*rest))
    _, came = heard()
    assert said(events(came)) == "Slow words" and events(came)[-1] == "[DONE]"


def test_it_keeps_a_stream_open_that_is_slow_to_begin(heard, has_pinged, world, settings):
    settings.GATEWAY_HEARTBEAT_SECONDS = 0.2
    world.upstream.enqueue_when(has_pinged.is_set, stream=True)
    _, came = heard()
    assert came.startswith(": ping\n\n") and came.endswith("data: [DONE]\n\n")


def test_an_error_after_a_heartbeat_is_an_event(heard, has_pinged, world, settings):
    settings.GATEWAY_HEARTBEAT_SECONDS = 0.2
    world.upstream.enqueue_when(has_pinged.is_set, status=500)
    status, came = heard()
    assert status == 200 and came.startswith(": ping\n\n")
    assert [e["error"]["code"] for e in events(came)] == ["upstream_error"]
    assert world.calls()[0].status == "error"


def test_a_revoked_key_ends_its_stream(opened, world):
    assert watch.FIRST_LOOK_SECONDS <= 1 and watch._LOOK_SECONDS <= 1
    revoke_key(actor=SYSTEM, key=world.key)
    try:
        rest = "".join(opened.pieces)
    except Exception as error:  # the connection may break off in place of an end
        rest = ""
        assert "incomplete" in str(error) or "closed" in str(error)
    assert "[DONE]" not in rest
    wait_until_settled()
    (line,) = world.calls()
    assert (line.status, line.code) == ("error", "access_ended")
    assert world.upstream.was_closed_early()


def test_a_stream_of_an_exact_version_lasts_as_long_as_the_scope(client, world):
    key, text = make.make_key(world.team, scopes=["models:call", "models:exact"], aliases=["support-chat"])
    exact = {**BODY, "model": "fake/fake-model"}
    head = {"Authorization": f"Bearer {text}"}
    frames = [sse(e) for e in text_chunks("a", "b")]
    world.upstream.enqueue_stream(*frames, pause=0.2)  # is looked at once, and goes on
    with client.stream("POST", "/v1/chat/completions", json=exact, headers=head) as response:
        assert response.read().endswith(b"data: [DONE]\n\n")
    world.upstream.enqueue_stream(frames[0], done=False, hang=60)
    with client.stream("POST", "/v1/chat/completions", json=exact, headers=head) as response:
        change_key(actor=SYSTEM, key=key, name=key.name, scopes=["models:call"], aliases=["support-chat"])
        assert events(response.read().decode())[-1]["error"]["code"] == "access_ended"
    wait_until_settled()


@pytest.mark.parametrize("keep", [1, 2, 4])
def test_it_records_what_was_said_wherever_the_client_leaves(client, world, keep):
    """All the deltas may have been read, and only the count of tokens not."""
    world.upstream.enqueue_stream(
        *(sse(e) for e in text_chunks("a", "b", "c", with_usage=False)[:4]), done=False, hang=20
    )
    with client.stream("POST", "/v1/chat/completions", json=BODY) as response:
        heard = ""
        for piece in response.iter_text():
            heard += piece
            if len(events(heard)) >= keep:
                break
    assert world.upstream.was_closed_early()
    wait_until_settled()
    (line,) = world.calls()
    assert (line.status, line.usage_note) == ("client_disconnected", "estimated") and line.prompt_tokens > 0
    kept = json.loads(Payload.objects.get(kind="output").body)["choices"][0]["message"]["content"] or ""
    assert kept.startswith(said(events(heard)))


def test_a_reader_that_stops_reading_is_let_go(server, world, settings):
    """Its buffers are full and stay full: the provider's connection must not be held open for it."""
    settings.GATEWAY_WRITE_SECONDS = 1
    settings.GATEWAY_ANSWER_BYTES = 10**9
    word = sse(chunk({"content": "x" * 60_000}))
    world.upstream.enqueue_stream(*[word] * 400, hang=60)
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", server.port))
        reader.sendall(raw_request(world))
        until(world.calls, "its call has an end")
    (line,) = world.calls()
    assert line.status == "client_disconnected" and line.completion_tokens > 0


def test_a_stream_has_a_longest_time(ask, world, settings):
    settings.GATEWAY_STREAM_SECONDS = 0.3
    first, word, *rest = text_chunks(*"abcdefgh")
    world.upstream.enqueue_stream(sse(first, word), *(sse(e) for e in rest), pause=0.1)  # a word, however late it comes
    found = events(ask(stream=True).text)
    assert found[-1]["error"]["code"] == "stream_too_long" and "[DONE]" not in found
    (line,) = world.calls()
    assert (line.status, line.code) == ("error", "stream_too_long") and line.completion_tokens > 0


def test_a_provider_that_falls_silent_in_mid_answer(ask, world, settings):
    settings.GATEWAY_SILENCE_SECONDS = 1.5  # its first words come in less, also on a slow machine
    world.upstream.enqueue_stream(sse(chunk({"content": "Half"})), done=False, hang=60)
    found = events(ask(stream=True).text)
    assert said(found) == "Half" and found[-1]["error"]["code"] == "upstream_timeout"
    assert world.upstream.was_closed_early()


def test_two_choices_are_two_in_the_log(ask, world):
    def word(index, text, finish=None):
        one = chunk({"content": text} if text else {}, finish=finish)
        one["choices"][0]["index"] = index
        return one

    parts = [word(1, "B"), word(0, "A"), word(0, "a"), word(1, "b"), word(0, "", "stop"), word(1, "", "length")]
    world.upstream.enqueue_stream(sse(*parts), done=False)
    response = ask(stream=True, n=2)
    for part in parts[:2]:
        part["choices"][0]["delta"]["role"] = "assistant"  # which this provider left out
    assert events(response.text) == [*parts, "[DONE]"]
    kept = json.loads(Payload.objects.get(kind="output").body)["choices"]
    assert [(c["index"], c["message"]["content"], c["finish_reason"]) for c in kept] == [
        (0, "Aa", "stop"),
        (1, "Bb", "length"),
    ]


def test_a_choice_that_is_missing_is_a_broken_answer(ask, world):
    world.upstream.enqueue_stream(sse(*text_chunks("only one")), done=False)
    found = events(ask(stream=True, n=2).text)
    assert found[-1]["error"]["code"] == "upstream_truncated"
    assert world.calls()[0].status == "error"


def test_odd_but_allowed_framing_reaches_the_client_as_plain_frames(ask, world):
    first, second = (json.dumps(e, indent=1) for e in text_chunks("Grüße, ", "世界", with_usage=False)[1:3])
    raw = b": hello\r\n\r\nevent: x\r\nid: 1\r\n" + b"\r\n".join(b"data:" + line.encode() for line in first.split("\n"))
    raw += (
        b"\r\n\r\n"
        + b"\r".join(b"data: " + line.encode() for line in second.split("\n"))
        + b"\r\r"
        + sse(chunk({}, finish="stop"))
    )
    world.upstream.enqueue_stream(*(raw[i : i + 7] for i in range(0, len(raw), 7)), pause=0.001)
    found = events(ask(stream=True).text)
    assert said(found) == "Grüße, 世界" and found[-1] == "[DONE]"


def test_headers_of_a_stream(ask, world):
    from console.core.ids import parse_request_id

    headers = ask(stream=True).headers
    assert parse_request_id(headers["x-request-id"]) == world.calls()[0].pk
    assert "no-cache" in headers["cache-control"] and headers["x-content-type-options"] == "nosniff"
    assert "content-length" not in headers


def test_a_plain_call_ends_when_its_key_is_revoked(client, world):
    import threading

    world.upstream.enqueue_silence(60)
    revoking = threading.Thread(target=revoke_when_it_is_under_way, args=(world,))
    revoking.start()
    response = client.post("/v1/chat/completions", json={**BODY, "stream": False})
    revoking.join()
    assert (response.status_code, response.json()["error"]["code"]) == (403, "access_ended")
    (line,) = world.calls()
    assert (line.status, line.code) == ("error", "access_ended")
    assert world.upstream.was_closed_early()


def revoke_when_it_is_under_way(world):
    from django.db import connection

    try:
        until(lambda: world.upstream.seen, "the provider was asked")
        revoke_key(actor=SYSTEM, key=world.key)
    finally:
        connection.close()


def test_a_key_that_expires_ends_its_stream(client, world, monkeypatch):
    import datetime as dt

    from console.core.clock import now
    from tests import make

    _, text = make.make_key(world.team, "short", expires_at=now() + dt.timedelta(minutes=5))
    world.upstream.enqueue_stream(sse(chunk({"content": "One"})), done=False, hang=60)
    with client.stream(
        "POST", "/v1/chat/completions", json=BODY, headers={"Authorization": f"Bearer {text}"}
    ) as response:
        assert response.status_code == 200
        monkeypatch.setattr(continuation, "now", lambda: now() + dt.timedelta(minutes=5))
        heard = ""
        try:
            for piece in response.iter_text():
                heard += piece
        except Exception as error:
            assert "incomplete" in str(error) or "closed" in str(error)
    assert events(heard)[-1]["error"]["code"] == "access_ended"
    assert world.calls()[0].code == "access_ended"


def test_a_stream_whose_frames_nobody_reads_is_ended_too(world):
    """As when the task ends between opening the provider's stream and sending the head of the answer."""
    import asyncio

    from console.core.clock import now
    from console.core.ids import uuid7
    from console.gateway import pipeline
    from console.gateway.identity import KeyIdentity
    from console.gateway.types import Ask

    async def run():
        ask = Ask(uuid7(), now(), "chat", "support-chat", {**BODY}, json.dumps(BODY), is_stream=True)
        call = await pipeline.open_call(KeyIdentity(world.key_text, "127.0.0.1", now()), ask)
        frames = await pipeline.stream(call)
        call.has_client_left = True
        await frames.aclose()
        await pipeline.stop()

    world.upstream.enqueue_stream(sse(chunk({"content": "One"})), done=False, hang=60)
    asyncio.run(run())
    (line,) = world.calls()
    assert line.status == "client_disconnected"
    assert world.upstream.was_closed_early()


def test_something_that_breaks_on_our_side_is_an_error_and_said_so(ask, ask_in_two, world, monkeypatch):
    from console.providers.openai.stream import OpenAIStream

    def broken(self, choice):
        raise ZeroDivisionError("a secret of ours")

    monkeypatch.setattr(OpenAIStream, "_choice", broken)
    response = ask(stream=True)  # in the first bytes, so the response has not begun
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
    start = sse(chunk({"role": "assistant"}))
    monkeypatch.setattr(OpenAIStream, "_choice", lambda self, choice: broken(self, choice) if choice["delta"] else "")
    later = ask_in_two(sse(chunk({})), start)
    assert events(later)[-1]["error"]["code"] == "internal_error" and "secret" not in response.text + later
    for line in world.calls():
        assert (line.status, line.code, line.reason) == ("error", "internal_error", "ZeroDivisionError")
