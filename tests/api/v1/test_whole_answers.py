"""Answers in one message, and under a server that does not take such. The wire tests see the rest."""

import socket

import orjson
import pytest

from console.api.v1.app import application
from console.api.v1.server import WHOLE_ANSWER, make_head


def test_no_header_begins_a_line_of_its_own():
    assert make_head(200, [(b"a", b"b"), (b"c", b"d")]) == b"HTTP/1.1 200 OK\r\na: b\r\nc: d\r\n"
    for value in (b"b\r\nx: y", b"b\nx: y", b"b\rx: y", b"b\0"):
        with pytest.raises(RuntimeError):
            make_head(200, [(b"a", value)])


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
        headers = dict(sent[0]["headers"])
        assert not extensions or b"content-length" not in headers, "the server adds it"
        assert headers.get(b"content-length", b"%d" % len(sent[-1]["body"])) == b"%d" % len(sent[-1]["body"])
        said.append(orjson.loads(sent[-1]["body"]))
    assert said[0] == said[1]


def test_a_connection_is_kept_or_closed_as_its_client_wants(server):
    ask = b"GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\n%b\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 10) as client:
        client.sendall(ask % b"" + ask % b"Connection: close\r\n")
        raw = b"".join(iter(lambda: client.recv(65536), b""))
    first, second = raw.split(b"HTTP/1.1 404 Not Found\r\n")[1:]
    assert b"connection: close" not in first and b"connection: close" in second
    assert first.count(b"content-length") == second.count(b"content-length") == 1
