"""The client against servers that do not keep to HTTP: it never hangs, mixes answers up, or believes too much."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console import outbound
from console.core.errors import ProviderError
from console.outbound import client
from tests.waiting import until_async

DEADLINES = outbound.Deadlines(connect=2, silence=2)


@asynccontextmanager
async def serving(*answers, pieces=None, keep=True, dies=None, tls=None):
    """Serve these raw answers, one per request; yields the URL, and how many each connection had.

    `pieces` are the places to cut answers at; the connection ends after each, unless `keep`, or after number `dies`.
    """
    script, connections = list(answers), []

    async def serve(reader, writer):
        connections.append(0)
        place = len(connections) - 1
        try:
            while script:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                connections[place] += 1
                raw = script.pop(0)
                for piece in cut(raw, pieces) if pieces else [raw]:
                    writer.write(piece)
                    await writer.drain()
                    if pieces:
                        await asyncio.sleep(0)
                if not keep or sum(connections) - 1 == dies:
                    break
            else:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        scheme = "https" if tls else "http"
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/chat", connections
    finally:
        await outbound.close()
        server.close()


def cut(raw, places):
    places = sorted({min(place, len(raw)) for place in places})
    return [raw[a:b] for a, b in zip([0, *places], [*places, len(raw)], strict=True) if a < b]


async def ask(url, limit=1_000_000):
    reply = await outbound.request("POST", url, headers={}, body=b"{}", deadlines=DEADLINES)
    try:
        return reply.status, await reply.read(limit)
    finally:
        reply.close()


def any_kept():
    return any(not one.is_closed for idle in client.connections()._idle.values() for one in idle)


def plain(body, extra=b""):
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n%b" % (
        extra,
        len(body),
        body,
    )


def chunked(*parts, end=b"0\r\n\r\n"):
    framed = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + end


BODIES = st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=5)
PLACES = st.lists(st.integers(1, 300), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(parts=BODIES, places=PLACES, is_chunked=st.booleans(), has_interim=st.booleans())
def test_it_reads_the_same_however_the_bytes_are_split(parts, places, is_chunked, has_interim):
    whole = b"".join(parts)
    raw = chunked(*parts) if is_chunked else plain(whole)
    if has_interim:
        raw = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + raw

    async def run():
        async with serving(raw, raw, pieces=places) as (url, connections):
            assert await ask(url) == (200, whole)
            assert await ask(url) == (200, whole)
            assert connections == [2], "a clean answer leaves the connection for the next one"

    asyncio.run(run())


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(extra=st.sampled_from([b"x", b"0\r\n\r\n", plain(b'{"stolen": 1}'), b"HTTP/1.1 "]), is_late=st.booleans())
def test_a_connection_with_bytes_after_its_answer_is_never_used_again(extra, is_late):
    places = [len(plain(b"one"))] if is_late else None

    async def run():
        async with serving(plain(b"one") + extra, plain(b"two"), pieces=places) as (url, connections):
            assert await ask(url) == (200, b"one")
            if is_late:
                await until_async(lambda: not any_kept(), "what came after the answer was noticed")
            assert await ask(url) == (200, b"two")
            assert connections == [1, 1]

    asyncio.run(run())


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=200))
def test_nonsense_is_an_error_and_no_hang(raw):
    async def run():
        async with serving(raw, keep=False) as (url, _):
            try:
                status, _ = await ask(url)
                assert raw.lstrip().startswith(b"HTTP/") and status
            except ProviderError as error:
                assert error.code == "upstream_broken"

    asyncio.run(run())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 30_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"T: 1\r\n" * 30_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"e" * 200_000,
    ],
)
async def test_an_answer_that_is_none(raw):
    async with serving(raw, plain(b"after"), keep=False) as (url, connections):
        with pytest.raises(ProviderError) as caught:
            await ask(url)
        assert caught.value.code == "upstream_broken"
        assert await ask(url) == (200, b"after") and connections == [1, 1]


async def test_a_body_may_end_with_its_connection():
    async with serving(b"HTTP/1.1 200 OK\r\n\r\nall of it", plain(b"after"), keep=False) as (url, connections):
        assert await ask(url) == (200, b"all of it")
        assert await ask(url) == (200, b"after") and connections == [1, 1]


async def test_an_answer_without_a_body_is_complete():
    none = b"HTTP/1.1 204 No Content\r\n\r\n"
    async with serving(none, none, plain(b"")) as (url, connections):
        assert [await ask(url) for _ in range(3)] == [(204, b""), (204, b""), (200, b"")] and connections == [3]


async def test_a_connection_the_other_side_closes_is_not_used_again():
    async with serving(plain(b"one"), plain(b"two"), keep=False) as (url, connections):
        assert await ask(url) == (200, b"one")
        await until_async(lambda: not any_kept(), "the other side's goodbye has come")
        assert await ask(url) == (200, b"two") and connections == [1, 1]
    async with serving(plain(b"one", b"Connection: close\r\n"), plain(b"two")) as (url, connections):
        assert [await ask(url), await ask(url)] == [(200, b"one"), (200, b"two")] and connections == [1, 1]


async def test_what_was_sent_is_never_sent_again():
    """A connection that breaks after the request may have had it executed; that is for those who know to decide."""
    async with serving(plain(b"one"), b"HTTP", plain(b"three"), dies=1) as (url, connections):
        assert await ask(url) == (200, b"one")
        with pytest.raises(ProviderError) as caught:
            await ask(url)
        assert caught.value.code == "upstream_broken" and connections == [2]


async def test_a_reader_who_is_slow_holds_the_other_side_up():
    body = b"x" * 8_000_000
    async with serving(plain(body)) as (url, _):
        reply = await outbound.request("POST", url, headers={}, body=b"{}", deadlines=DEADLINES)
        await asyncio.sleep(0.2)
        assert reply._connection._buffered < 1_000_000
        assert len(await reply.read(len(body))) == len(body)
        reply.close()


async def test_a_large_request_is_sent_whole():
    async with serving(plain(b"ok")) as (url, _):
        reply = await outbound.request("POST", url, headers={}, body=b"x" * 5_000_000, deadlines=DEADLINES)
        assert (reply.status, await reply.read(10)) == (200, b"ok")
        reply.close()
        assert await reply.chunk() == b"", "after closing there is nothing to read, though the connection lives"


@pytest.mark.parametrize(
    "headers",
    [{"X": "a\nb"}, {"X": "a\0"}, {"X\r\nY": "1"}, {"": "1"}, {"Content-Length": "5"}, {"Host": "x"}, {"X": "\u20ac"}],
)
async def test_headers_that_would_change_the_message_are_not_sent(headers):
    async with serving(plain(b"")) as (url, connections):
        with pytest.raises(ProviderError):
            await outbound.request("POST", url, headers=headers, body=b"{}", deadlines=DEADLINES)
        assert not connections
