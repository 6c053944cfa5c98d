"""Answers in one message, and under a server that does not take such. The wire tests see the rest."""

import asyncio
import socket

import orjson
import pytest
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from console.api.v1.app import application
from console.api.v1.sending import headers_in
from console.api.v1.server import WHOLE_ANSWER, Http, header_lines
from tests.waiting import until_async


def test_no_header_begins_a_line_of_its_own():
    assert header_lines([(b"a", b"b"), (b"c", b"d")]) == b"a: b\r\nc: d\r\n"
    for value in (b"b\r\nx: y", b"b\nx: y", b"b\rx: y", b"b\0"):
        with pytest.raises(RuntimeError):
            header_lines([(b"a", value)])


async def test_any_server_gets_the_same_answer():
    async def receive():
        return {"type": "http.request", "body": b""}

    said = []
    for extensions in ({}, {WHOLE_ANSWER: {}}):
        sent = []

        async def send(message, sent=sent):
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/v1/nothing", "headers": [], "extensions": extensions}
        await application(scope, receive, send)
        assert len(sent) == 2 - len(extensions) and sent[0]["status"] == 404
        headers = headers_in(sent[0]["lines"]) if extensions else sent[0]["headers"]
        names = {name for name, _ in headers}
        assert (b"content-length" in names) == (not extensions), "the server adds it"
        assert extensions or dict(headers)[b"content-length"] == b"%d" % len(sent[-1]["body"])
        assert len(headers) == len(names) and dict(headers)[b"x-request-id"].startswith(b"req_")
        said.append((names - {b"content-length"}, orjson.loads(sent[-1]["body"])))
    assert said[0] == said[1]


async def test_uvicorns_own_headers_are_those_of_the_moment():
    async def app(scope, receive, send):
        await send({"type": WHOLE_ANSWER, "status": 200, "lines": b"", "body": b"yes"})

    protocol, wire = connect(app)
    for date in (b"Mon", b"Tue"):
        protocol.server_state.default_headers = [(b"date", date)]
        wire.written = b""
        protocol.data_received(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until_async(lambda: wire.written.endswith(b"yes"), "it is answered")
        assert wire.written == b"HTTP/1.1 200 OK\r\ndate: %b\r\ncontent-length: 3\r\n\r\nyes" % date
    protocol.connection_lost(None)


def test_a_connection_is_kept_or_closed_as_its_client_wants(server):
    ask = b"GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\n%b\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 10) as client:
        client.sendall(ask % b"" + ask % b"Connection: close\r\n")
        raw = b"".join(iter(lambda: client.recv(65536), b""))
    first, second = raw.split(b"HTTP/1.1 404 Not Found\r\n")[1:]
    assert b"connection: close" not in first and b"connection: close" in second
    assert first.count(b"content-length") == second.count(b"content-length") == 1


class Wire(asyncio.Transport):
    """What the server writes to one client, and whether it has hung up."""

    def __init__(self):
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written, self.is_closed = b"", False

    def write(self, data):
        self.written += data

    def close(self):
        self.is_closed = True

    def is_closing(self):
        return self.is_closed

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass


def connect(app, *, timeout_keep_alive=5, kind=Http, root_path=""):
    config = Config(app, http=kind, timeout_keep_alive=timeout_keep_alive, log_config=None, root_path=root_path)
    config.load()
    protocol, wire = kind(config=config, server_state=ServerState(), app_state={}), Wire()
    protocol.connection_made(wire)
    return protocol, wire


async def test_the_application_is_told_of_a_request_what_uvicorn_tells():
    """Of the usual ones, which are read here, and of all others, which are left to uvicorn."""

    async def told(kind, raw, root_path):
        scopes = []

        async def app(scope, receive, send):
            scopes.append({name: value for name, value in scope.items() if name != "extensions"})
            await receive()
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        protocol, wire = connect(app, kind=kind, root_path=root_path)
        protocol.data_received(raw)
        await until_async(lambda: wire.written.count(b"HTTP/1.1 204") == raw.count(b"\r\n\r\n"), "all are answered")
        return scopes, wire.written.count(b"100 Continue"), wire.is_closed

    one, ahead = b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /second?b#c HTTP/1.1\r\nHost: a\r\n\r\n"
    for raw in (
        b"POST /v1/chat/completions?a=b&c=%2F HTTP/1.1\r\nHost: a\r\nX-Twice: 1\r\nx-twice: 2\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-Continue\r\n\r\n",
        b"GET /v1/a%2Fb%20c HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://a/v1/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /x#y?z HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /x HTTP/1.0\r\n\r\n",
        b"GET /" + b"x" * 300 + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        one + ahead,
    ):
        for root_path in ("", "/below"):
            assert await told(Http, raw, root_path) == await told(HttpToolsProtocol, raw, root_path), raw


async def test_a_body_is_given_once_however_it_arrives_and_then_the_clients_leaving():
    head, body = b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\n", b"abcdef"
    for parts in ([head + body], [head, body], [head + body[:3], body[3:]], [head[:10], head[10:] + body]):
        messages, over = [], asyncio.Event()

        async def app(scope, receive, send, messages=messages, over=over):
            while not messages or messages[-1]["type"] != "http.disconnect":
                messages.append(await receive())
            over.set()

        protocol, _ = connect(app)
        for part in parts:
            protocol.data_received(part)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert not over.is_set(), "it waits for the client, who is still there"
        protocol.connection_lost(None)
        await asyncio.wait_for(over.wait(), 60)
        *given, last = messages
        assert b"".join(message["body"] for message in given) == body and last == {"type": "http.disconnect"}
        assert [message["more_body"] for message in given] == [True] * (len(given) - 1) + [False]


@pytest.mark.parametrize("offer", [b"h2c", b"websocket", b"TLS/1.0"])
async def test_a_request_that_offers_another_protocol_has_its_body_and_no_more(offer, caplog):
    """Java's client offers HTTP/2 each time. Its body was lost, or answered as if it were the next request."""
    heard = []

    async def app(scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        heard.append((scope["method"], scope["path"], body, dict(scope["headers"]).get(b"upgrade")))
        await send({"type": WHOLE_ANSWER, "status": 200, "lines": b"", "body": b"yes"})

    inner, last = b"GET /within HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /last HTTP/1.1\r\nHost: a\r\n\r\n"
    upgrade = b"Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: %b\r\n" % offer
    sized = b"POST /sized HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (upgrade, len(inner), inner)
    chunks = b"POST /chunks HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
    raw = last + sized + chunks % (upgrade, len(inner), inner) + b"GET /bare HTTP/1.1\r\n%b\r\n" % upgrade + last
    asked = [("POST", "/sized", inner, None), ("POST", "/chunks", inner, None), ("GET", "/bare", b"", None)]
    bare = ("GET", "/last", b"", None)
    for size in (1, 7, 100, len(raw)):
        heard.clear()
        protocol, wire = connect(app)
        for at in range(0, len(raw), size):
            protocol.data_received(raw[at : at + size])
            await asyncio.sleep(0)
        await until_async(lambda wire=wire: wire.written.count(b"HTTP/1.1 200") == 5, "all five are answered")
        assert heard == [bare, *asked, bare]
        protocol.connection_lost(None)
    heard.clear()
    protocol, wire = connect(app)
    protocol.data_received((b"GET /bare HTTP/1.1\r\n%b\r\n" % upgrade) * 2000)
    await until_async(lambda: wire.written.count(b"HTTP/1.1 200") == 2000, "each of very many is answered")
    for raw in (b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", b"nothing of the kind\r\n\r\n"):
        protocol, wire = connect(app)
        protocol.data_received(raw)
        assert wire.written.startswith(b"HTTP/1.1 400") and wire.is_closed
    assert not caplog.records, "anybody could have it logged, as often as they like"


async def test_a_connection_that_is_silent_for_long_is_closed_and_one_in_use_is_not():
    release = asyncio.Event()

    async def app(scope, receive, send):
        if scope["path"] == "/slow":
            await release.wait()
        await send({"type": WHOLE_ANSWER, "status": 200, "lines": b"", "body": b"yes"})

    ask = b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n"
    (idle, idle_wire), (busy, busy_wire) = connect(app, timeout_keep_alive=0.5), connect(app, timeout_keep_alive=0.5)
    idle.data_received(ask % b"/")
    busy.data_received(ask % b"/")
    await until_async(lambda: b"yes" in busy_wire.written, "the first request is answered")
    busy.data_received(ask % b"/slow")
    await until_async(lambda: idle_wire.is_closed, "the silent one is closed")
    assert not busy_wire.is_closed, "a request is under way on the other"
    release.set()
    await until_async(lambda: busy_wire.is_closed, "the other is silent, too")
    assert busy_wire.written.count(b"yes") == 2
    busy.connection_lost(None)


async def test_a_request_that_hardly_arrives_is_hung_up_on_and_one_that_is_answered_is_not(monkeypatch):
    monkeypatch.setattr("console.api.v1.server._RECEIVE_SECONDS", 0.3)
    release = asyncio.Event()

    async def app(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        await release.wait()
        await send({"type": WHOLE_ANSWER, "status": 200, "lines": b"", "body": b"yes"})

    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\n"
    arrived = {b"": False, head[:20]: False, head + b"abc": False, head + b"abcdef": True}
    wires = {}
    for sent in arrived:
        protocol, wires[sent] = connect(app, timeout_keep_alive=0.1)
        protocol.data_received(sent)
    slow = [wires[sent] for sent, is_whole in arrived.items() if not is_whole]
    await until_async(lambda: all(wire.is_closed for wire in slow), "what does not arrive is hung up on")
    whole = wires[head + b"abcdef"]
    assert not whole.is_closed
    release.set()
    await until_async(lambda: b"yes" in whole.written, "what arrived is answered")
