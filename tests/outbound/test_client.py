"""The one HTTP client against a server that misbehaves: what it follows, believes, unpacks and waits for."""

import asyncio
import errno
import gzip
import socket
from unittest.mock import Mock

import pytest

from console import outbound
from console.core.errors import ProviderError
from console.outbound import client, guard, pool
from tests.live import free_port
from tests.outbound.test_guard import answering
from tests.upstream import head, sse, text_chunks

DEADLINES = outbound.Deadlines(connect=1, silence=0.4)


@pytest.fixture
async def get(upstream):
    """Ask the scripted server with the client of this test's event loop; what was not read is closed."""
    replies = []

    async def ask(url="", **headers):
        reply = await outbound.request(
            "POST", url or f"{upstream.url}/chat", headers=headers, body=b"{}", deadlines=DEADLINES
        )
        replies.append(reply)
        return reply

    yield ask
    for reply in replies:
        reply.close()
    await outbound.close()


async def refused(awaitable):
    with pytest.raises(ProviderError) as caught:
        await awaitable
    assert "127.0.0.1" not in caught.value.message
    return caught.value


async def test_it_reads_an_answer(get, upstream):
    upstream.enqueue({"ok": True})
    reply = await get(Authorization="Bearer s3cret")
    assert (reply.status, reply.content_type, await reply.read(100)) == (200, "application/json", b'{"ok": true}')
    seen = upstream.seen[0].headers
    assert seen["authorization"] == "Bearer s3cret" and seen["user-agent"] == "Facet"
    assert not {"cookie", "referer", "x-forwarded-for", "forwarded", "via"} & set(seen)


async def test_it_does_not_follow_redirects(get, upstream):
    upstream.enqueue("", status=307, extra=f"Location: {upstream.url}/elsewhere\r\n")
    assert (await get()).status == 307
    assert len(upstream.seen) == 1


async def test_it_keeps_no_cookies(get, upstream):
    upstream.enqueue({}, extra="Set-Cookie: a=b\r\n")
    await (await get()).read(100)
    upstream.enqueue({})
    await get()
    assert "cookie" not in upstream.seen[1].headers


async def test_it_ignores_proxies_of_the_environment(get, upstream, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert (await get()).status == 200


async def test_what_this_process_lacks_is_no_fault_of_the_other_side(get, monkeypatch):
    for number, code in ((errno.ENETUNREACH, "upstream_unreachable"), (errno.EMFILE, "too_many_connections")):
        monkeypatch.setattr(pool, "guarded_socket", Mock(side_effect=OSError(number, "Said by the system")))
        assert (await refused(get())).code == code


async def test_it_stops_at_the_limit(get, upstream):
    upstream.enqueue(b"x" * 3000)
    error = await refused((await get()).read(2999))
    assert error.code == "upstream_too_large"
    upstream.enqueue(b"x" * 3000)
    assert len(await (await get()).read(3000)) == 3000


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_the_limit_is_of_what_was_unpacked_and_memory_stays_small(get, upstream, coding):
    import tracemalloc
    import zlib

    raw = b"\0" * 100_000_000
    upstream.enqueue(
        gzip.compress(raw) if coding == "gzip" else zlib.compress(raw), extra=f"Content-Encoding: {coding}\r\n"
    )
    del raw
    tracemalloc.start()
    try:
        error = await refused((await get()).read(1_000_000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error.code == "upstream_too_large"
    assert peak < 30_000_000, f"unpacking took {peak:,} bytes"


async def test_it_reads_what_is_packed_without_being_asked(get, upstream):
    upstream.enqueue(gzip.compress(b'{"ok": 1}'), extra="Content-Encoding: gzip\r\n")
    assert await (await get()).read(100) == b'{"ok": 1}'
    assert upstream.seen[0].headers["accept-encoding"] == "identity"


async def test_a_packed_body_that_is_broken(get, upstream):
    upstream.enqueue(b"this is not gzip", extra="Content-Encoding: gzip\r\n")
    reply = await get()
    assert (await refused(reply.read(100))).code == "upstream_broken"


async def test_silence_before_the_head(get, upstream):
    upstream.enqueue_silence()
    error = await refused(get())
    assert (error.status, error.code) == (504, "upstream_timeout"), "and not that the other side hung up, much later"


async def test_a_kept_connection_is_as_patient_as_its_present_request(get, upstream):
    patient = outbound.Deadlines(connect=1, silence=60)
    reply = await outbound.request("POST", f"{upstream.url}/chat", headers={}, body=b"{}", deadlines=patient)
    await reply.read(1000)
    reply.close()
    upstream.enqueue_silence()
    async with asyncio.timeout(10):
        assert (await refused(get())).code == "upstream_timeout"


async def test_silence_inside_the_body(get, upstream):
    upstream.enqueue_stream(sse(*text_chunks("Hi")), done=False, hang=20)
    reply = await get()
    assert await reply.chunk()
    assert (await refused(reply.chunk())).code == "upstream_timeout"


async def test_a_body_that_is_cut(get, upstream):
    upstream.enqueue_cut(head(200, "application/json", 500) + b"{")
    reply = await get()
    assert (await refused(reply.read(1000))).code == "upstream_broken"


async def test_a_port_where_nobody_is(get):
    error = await refused(get(f"http://127.0.0.1:{free_port()}/"))
    assert (error.status, error.code) == (502, "upstream_unreachable")


async def test_a_server_that_never_takes_the_connection(get):
    with socket.socket() as full:  # a backlog of one that is taken: further connections wait for ever
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()), socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(full.getsockname())
            error = await refused(get(f"http://127.0.0.1:{full.getsockname()[1]}/"))
    assert (error.status, error.code) == (504, "upstream_unreachable")


async def test_a_name_that_cannot_be_resolved(get, monkeypatch):
    error = await refused(get("http://no-such-name.invalid/"))
    assert error.code == "upstream_unreachable" and "invalid" not in error.message


async def test_no_tls_where_tls_is_expected(get, upstream):
    error = await refused(get(upstream.url.replace("http:", "https:")))
    assert error.code in {"upstream_tls", "upstream_unreachable"}
    assert not upstream.seen


async def test_a_literal_address_out_of_bounds(get, upstream, settings):
    settings.PRIVATE_NETWORKS_ALLOWED = []
    error = await refused(get())
    assert (error.code, error.permanent) == ("address_refused", True)
    assert not upstream.seen


async def test_a_tool_gets_no_connection_that_was_opened_for_a_provider(upstream, settings):
    settings.PRIVATE_NETWORKS_ALLOWED, settings.PRIVATE_NETWORKS_ALLOWED_FOR_TOOLS = ["127.0.0.0/8"], []
    try:
        reply = await outbound.request("GET", upstream.url, headers={}, deadlines=DEADLINES)
        await reply.read(100_000)
        reply.close()  # from here on it is idle, and ready for the next request to this host
        error = await refused(outbound.request("GET", upstream.url, headers={}, deadlines=DEADLINES, is_tool=True))
    finally:
        await outbound.close()
    assert error.code == "address_refused" and len(upstream.seen) == 1


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.1.", "[::ffff:127.0.0.1]"])
async def test_an_address_in_disguise_is_found_at_connecting(get, upstream, settings, host):
    settings.PRIVATE_NETWORKS_ALLOWED = []
    error = await refused(get(f"http://{host}:{upstream.port}/"))
    assert error.code == "address_refused"
    assert not upstream.seen


async def test_a_name_that_was_good_a_moment_ago(get, upstream, settings, monkeypatch):
    """A name may resolve to something else each time; what counts is the address really connected to."""
    settings.PRIVATE_NETWORKS_ALLOWED = []
    monkeypatch.setattr(pool, "resolve", answering("127.0.0.1"))  # the first look lied
    error = await refused(get(f"http://models.example.com:{upstream.port}/"))
    assert error.code == "address_refused" and not upstream.seen


async def test_a_name_with_one_private_address(get, upstream, settings, monkeypatch):
    settings.PRIVATE_NETWORKS_ALLOWED = []
    monkeypatch.setattr(guard, "look_up", answering("8.8.8.8", "127.0.0.1"))
    error = await refused(get(f"http://models.example.com:{upstream.port}/"))
    assert error.code == "address_refused" and not upstream.seen


async def test_headers_cannot_be_split(get, upstream):
    await refused(get(**{"X-Note": "a\r\nX-Evil: 1"}))
    assert not upstream.seen


async def test_nothing_is_remembered_of_servers_whose_connections_are_not_kept(get, upstream):
    """A tool's model may choose ever new hosts."""
    upstream.enqueue("", status=200, extra="Connection: close\r\n")
    reply = await get()
    await reply.read(100)
    reply.close()
    assert client.connections()._idle == {}
