"""What a provider can do wrong, what the caller hears of it, and what the log keeps."""

import gzip
import json

import pytest

from console.audit import actions
from console.audit.models import Payload
from console.audit.services import record
from console.gateway import dispatch
from console.teams.actors import SYSTEM
from tests.live import free_port
from tests.upstream import completion, head, sse, text_chunks, usage

CANARY = "canary-host.internal"
KEY = "sk-proj-CANARYCANARYCANARYCANARY1234"
LEAKY = f"X-Upstream-Host: {CANARY}\r\nSet-Cookie: session={CANARY}\r\nServer: {CANARY}\r\n"


def change_provider(world, **fields):
    for name, value in fields.items():
        setattr(world.provider, name, value)
    world.provider.save()
    record(actions.PROVIDER_CHANGED, actor=SYSTEM, target=world.provider)


def fails(world, response, status, code, *, is_free=False):
    """Check the error's form, that nothing of the provider shines through, and the line in the log."""
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code)
    assert set(error) == {"message", "type", "param", "code"} and error["message"]
    assert error["type"] == ("invalid_request_error" if status < 500 else "api_error")
    assert response.headers["content-type"] == "application/json" and response.headers["x-request-id"]
    assert CANARY not in response.text + str(response.headers) and "127.0.0.1" not in response.text
    line = world.calls()[-1]
    assert (line.status, line.http_status, line.code) == ("error", status, code)
    assert CANARY not in line.reason and line.reason
    if is_free:
        assert (line.prompt_tokens, line.completion_tokens, line.cost_micros, line.usage_note) == (0, 0, 0, "")
    else:
        assert line.prompt_tokens > 0 and line.usage_note == "estimated"
    assert not Payload.objects.filter(event_id=line.pk, kind="output").exists()
    return line


@pytest.mark.parametrize("stream", [False, True])
def test_a_refused_connection(ask, world, stream):
    change_provider(world, base_url=f"http://127.0.0.1:{free_port()}/v1")
    line = fails(world, ask(stream=stream), 502, "upstream_unreachable", is_free=True)
    assert line.attempts == 3, "nothing was sent, so trying again was safe"


def test_an_address_out_of_bounds(ask, world, settings):
    change_provider(world, base_url=f"http://127.0.0.1:{free_port()}/v1")  # no connection to it is kept from before
    settings.PRIVATE_NETWORKS_ALLOWED = []
    response = ask()
    fails(world, response, 502, "address_refused", is_free=True)
    assert response.headers["x-should-retry"] == "false"
    assert not world.upstream.seen


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Ty",
        b"SSH-2.0-OpenSSH_9.9 canary-host.internal\r\n\r\n",
        head(200, "application/json", 100) + b'{"id": "chatcmpl-1"',
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
    ids=["before the head", "inside the head", "not HTTP", "inside the body", "an endless header"],
)
def test_a_connection_that_breaks(ask, world, raw, stream):
    world.upstream.enqueue_cut(raw)
    response = ask(stream=stream)
    code = "upstream_invalid" if stream and b"Content-Length" in raw else "upstream_broken"
    line = fails(world, response, 502, code)
    assert line.attempts == 1, "the request may have arrived, so it is not sent again"


@pytest.mark.parametrize("stream", [False, True])
def test_silence_before_the_first_byte(ask, world, settings, stream):
    settings.GATEWAY_SILENCE_SECONDS = 0.3
    world.upstream.enqueue_silence(60)
    fails(world, ask(stream=stream), 504, "upstream_timeout")
    assert world.upstream.was_closed_early()


def test_silence_in_the_middle_of_a_body(ask, world, settings):
    settings.GATEWAY_SILENCE_SECONDS = 0.3

    async def half(writer):
        import asyncio

        writer.write(head(200, "application/json", 100) + b'{"id"')
        await writer.drain()
        await asyncio.sleep(60)

    world.upstream.script.append(half)
    fails(world, ask(), 504, "upstream_timeout")


def test_a_body_that_drips_for_ever(ask, world, settings):
    settings.GATEWAY_TOTAL_SECONDS = 0.5

    async def drip(writer):
        import asyncio

        writer.write(head(200, "application/json", 10_000))
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    world.upstream.script.append(drip)
    fails(world, ask(), 504, "upstream_timeout")


def test_a_providers_own_deadline_wins(ask, world):
    change_provider(world, first_byte_seconds=1)
    world.upstream.enqueue_silence(60)
    fails(world, ask(), 504, "upstream_timeout")


NO_ANSWERS = [
    (f"<html><h1>It works at {CANARY}</h1></html>", "text/html"),
    (f"<html>{CANARY}</html>", "application/json"),
    ("", "application/json"),
    ('{"choices": [', "application/json"),
    ('{"choices": [1e999]}', "application/json"),
    (b'{"choices": [{"message": {"content": "\xff"}}]}', "application/json"),
    ("[]", "application/json"),
    ("null", "application/json"),
    ("{}", "application/json"),
    ('{"choices": []}', "application/json"),
    ('{"choices": "many"}', "application/json"),
    ('{"choices": [7]}', "application/json"),
    ('{"choices": [{"index": 0}]}', "application/json"),
    (f'{{"error": {{"message": "{CANARY}"}}}}', "application/json"),
]


def test_an_answer_that_is_none(ask, world):
    for body, content_type in NO_ANSWERS:
        world.upstream.enqueue(body, content_type=content_type, extra=LEAKY)
        world.forgive()
        fails(world, ask(), 502, "upstream_invalid")


def test_an_answer_that_is_too_large(ask, world, settings):
    settings.GATEWAY_ANSWER_BYTES = 50_000
    world.upstream.enqueue(completion("x" * 60_000))
    fails(world, ask(), 502, "upstream_too_large")


def test_an_answer_that_is_small_until_it_is_unpacked(ask, world, settings):
    settings.GATEWAY_ANSWER_BYTES = 200_000
    bomb = gzip.compress(b" " * 50_000_000)
    world.upstream.enqueue(bomb, extra="Content-Encoding: gzip\r\n")
    fails(world, ask(), 502, "upstream_too_large")


def test_a_stream_that_is_too_large(ask, world, settings):
    settings.GATEWAY_ANSWER_BYTES = 20_000
    world.upstream.enqueue_stream(*(sse(*text_chunks("x" * 5000)[1:2]) for _ in range(10)), pause=0.01)
    response = ask(stream=True)
    assert '"upstream_too_large"' in response.text and "[DONE]" not in response.text
    assert world.calls()[0].code == "upstream_too_large"


STATUSES = [
    (201, 502, "upstream_error"),
    (204, 502, "upstream_error"),
    (302, 502, "upstream_error"),
    (401, 502, "upstream_credentials"),
    (403, 502, "upstream_credentials"),
    (418, 502, "upstream_error"),
    (429, 503, "upstream_busy"),
    (500, 502, "upstream_error"),
    (503, 503, "upstream_error"),
    (529, 503, "upstream_busy"),
]


@pytest.mark.parametrize("stream", [False, True])
def test_a_status_is_told_in_our_words(ask, world, stream, monkeypatch):
    monkeypatch.setattr(dispatch, "_TRIES", 1)
    raw = json.dumps({"error": {"message": f"{CANARY} says no to {KEY}", "code": "whatever"}})
    for status, ours, code in STATUSES:
        location = f"Location: http://127.0.0.1:{world.upstream.port}/v1/elsewhere\r\n" if status == 302 else ""
        world.upstream.enqueue("" if status == 204 else raw, status=status, extra=LEAKY + location)
        world.forgive()
        response = ask(stream=stream)
        fails(world, response, ours, code, is_free=True)
        assert KEY not in response.text
    assert len(world.upstream.seen) == len(STATUSES), "redirects are not followed and refusals not repeated"


def test_a_busy_provider_says_when_to_come_back(ask, world, monkeypatch):
    monkeypatch.setattr(dispatch, "_TRIES", 1)
    world.upstream.enqueue({"error": {"message": "slow down"}}, status=429, extra="Retry-After: 7\r\n")
    assert ask().headers["retry-after"] == "7"
    world.upstream.enqueue({"error": {"message": "slow down"}}, status=429, extra="Retry-After: 86400\r\n")
    assert int(ask().headers["retry-after"]) <= 120
    world.upstream.enqueue({"error": {"message": "slow down"}}, status=429, extra="Retry-After: soon\r\n")
    assert "retry-after" not in ask().headers


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_refused_input_is_the_callers_to_mend(ask, world, status):
    world.upstream.enqueue({"error": {"message": "temperature must be at most 2"}}, status=status)
    response = ask()
    line = fails(world, response, 400, "upstream_refused", is_free=True)
    assert "temperature must be at most 2" in response.json()["error"]["message"] and "temperature" in line.reason
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("code", ["context_length_exceeded", "content_filter"])
def test_codes_that_clients_know_are_kept(ask, world, code):
    world.upstream.enqueue({"error": {"message": "no", "code": code}}, status=400)
    fails(world, ask(), 400, code, is_free=True)


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusals_sentence_is_scrubbed(ask, world, stream):
    world.upstream.enqueue({"error": {"message": f"bad \0 input\r\nkey {KEY} " + "x" * 9000}}, status=400)
    response = ask(stream=stream)
    line = fails(world, response, 400, "upstream_refused", is_free=True)
    assert KEY not in response.text and KEY not in line.reason
    said = response.json()["error"]["message"]
    assert "\0" not in said and "\n" not in said and len(said) < 600


def test_a_refusal_without_a_sentence(ask, world):
    for raw in (b"<html>Bad Request</html>", b"", b"[]", b'{"error": {}}', b"\xff\xfe"):
        world.upstream.enqueue(raw, status=400)
        fails(world, ask(), 502, "upstream_error", is_free=True)
    world.forgive()
    world.upstream.enqueue(b"<html>Too large</html>", status=413)
    fails(world, ask(), 400, "upstream_refused", is_free=True)


LIES = [
    {"prompt_tokens": 10**15, "completion_tokens": 1},
    {"prompt_tokens": -1, "completion_tokens": 1},
    {"prompt_tokens": True, "completion_tokens": 1},
    {"prompt_tokens": 1, "completion_tokens": "many"},
    {"prompt_tokens": 1.5, "completion_tokens": 1},
    [23, 5],
    "23",
    None,
]


@pytest.mark.parametrize("stream", [False, True])
def test_usage_that_makes_no_sense_is_estimated(ask, world, stream):
    for lie in LIES:
        if stream:
            events = text_chunks("Hi", with_usage=False)
            world.upstream.enqueue_stream(sse(*events, {**events[0], "choices": [], "usage": lie}))
        else:
            world.upstream.enqueue(completion(usage=lie))
        assert ask(stream=stream).status_code == 200
        line = world.calls()[-1]
        assert (line.status, line.usage_note) == ("ok", "estimated") and line.prompt_tokens > 0


def test_details_of_usage_that_make_no_sense_are_left_out(ask, world):
    for details in ([1], "none", {"cached_tokens": "all"}, {"cached_tokens": -4}, None):
        lie = {"prompt_tokens_details": details, "completion_tokens_details": details}
        world.upstream.enqueue(completion(usage=usage(10, 2) | lie))
        assert ask().status_code == 200
        line = world.calls()[-1]
        assert (line.prompt_tokens, line.completion_tokens, line.cached_tokens) == (10, 2, 0)


def test_more_usage_than_was_reserved_is_charged_and_marked(ask, world):
    from usage_app.services.quotas import set_quota

    set_quota(actor=SYSTEM, team=world.team, metric="tokens", window="day", limit=100_000)
    world.upstream.enqueue(completion(usage=usage(50_000, 9)))
    assert ask(max_tokens=10).status_code == 200
    (line,) = world.calls()
    assert (line.prompt_tokens, line.usage_note) == (50_000, "over_reservation")


def test_the_overhead_is_ours_and_not_the_providers(ask, world):
    async def late(writer):
        import asyncio

        await asyncio.sleep(0.4)
        writer.write(head(500, "application/json", 2) + b"{}")

    world.upstream.script.append(late)
    ask()
    (line,) = world.calls()
    assert line.latency_us - line.overhead_us > 350_000
