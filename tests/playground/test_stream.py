"""One set-up, answered as it comes in: ordinary calls, on record, with the rights of the person at that moment."""

import json
import re
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import httpx2 as httpx
import pytest
from django.conf import settings
from django.contrib.sessions.models import Session

from console.audit.models import AuditEvent
from console.playground import generation
from console.teams.models import Membership
from console.teams.services import teams
from tests import make
from tests.conftest import Cast
from tests.e2e.conftest import session_of
from tests.live import LiveServer
from tests.playground.conftest import World
from tests.upstream import Upstream, chunk, sse, text_chunks
from usage_app.services import quotas

Told = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def live(server: LiveServer, upstream: Upstream) -> World:
    return World(Cast(), upstream.url)


@pytest.fixture
def bob(server: LiveServer, live: World) -> Iterator[httpx.Client]:
    """Bob, who is a member, with the page open."""
    cookies = {settings.SESSION_COOKIE_NAME: session_of(live.cast.bob)}
    with httpx.Client(base_url=server.url, cookies=cookies, timeout=60, verify=False) as client:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get("/playground/").text)
        assert token
        client.headers["x-csrftoken"] = token[1]
        client.headers["referer"] = server.url
        yield client


def events(raw: str) -> Told:
    blocks = [dict(line.split(": ", 1) for line in block.split("\n")) for block in raw.split("\n\n") if block]
    return [(block["event"], json.loads(block["data"])) for block in blocks if "event" in block]


def line() -> AuditEvent:
    return AuditEvent.objects.get(type="playground")


def test_it_streams_an_ordinary_call(bob: httpx.Client, live: World, upstream: Upstream) -> None:
    upstream.enqueue_stream(sse(*text_chunks("Here", "\nevent: end\n\n", "<b>")))
    response = bob.post("/playground/stream/?set-up=a", data=live.form)
    assert response.headers["content-type"].startswith("text/event-stream")
    told = events(response.text)
    assert list(dict.fromkeys(name for name, _ in told)) == ["start", "text", "end"]
    assert "".join(data["text"] for name, data in told if name == "text") == "Here\nevent: end\n\n<b>"
    assert told[-1][1]["tokens"] == "26 tokens"
    sent = upstream.seen[-1].body
    assert sent["messages"][0]["content"] == "Question: Where is it? Order 12 Plan free"
    assert sent["temperature"] == 0.3
    record = line()
    assert (record.status, record.surface, record.environment) == ("ok", "playground", "sandbox")
    assert (record.actor_kind, record.actor, record.team) == ("user", "Bob", "Team A")
    assert json.loads(record.prompt)[0] == {"slug": "support/answer", "number": 1}
    assert told[-1][1]["request"].endswith(record.pk.hex)


def test_it_shows_what_the_model_would_call(bob: httpx.Client, live: World, upstream: Upstream) -> None:
    first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"order"'}}
    rest = {"index": 0, "function": {"arguments": ": 7}"}}
    calls = [chunk({"tool_calls": [first]}), chunk({"tool_calls": [rest]}), chunk({}, finish="tool_calls")]
    upstream.enqueue_stream(sse(chunk({"role": "assistant", "content": "Wait."}), *calls))
    turns = {"t-0-role": "system", "t-0-text": "Be kind.", "t-1-role": "user", "t-1-text": "", "message": "Order 7?"}
    tools = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}]
    form = {**live.form, **turns, "a-version": "", "extra": json.dumps({"tools": tools})}
    told = events(bob.post("/playground/stream/?set-up=a", data=form).text)
    said = "".join(data["text"] for name, data in told if name == "text")
    assert said == 'Wait.\n\nfind({"order": 7})'
    sent = upstream.seen[-1].body
    assert (sent["tools"], [one["content"] for one in sent["messages"]]) == (tools, ["Be kind.", "Order 7?"])


def test_it_says_why_there_is_no_answer(
    bob: httpx.Client, live: World, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(**form: str) -> str:
        (only,) = events(bob.post("/playground/stream/?set-up=a", data={**live.form, **form}).text)
        assert only[0] == "error"
        return str(only[1]["message"])

    assert "order" in said(**{"var-order": ""})
    assert line().status == "refused"
    assert "does not exist" in said(**{"a-model": "none@sandbox"})
    upstream.enqueue({"error": {"message": "no"}}, status=400)
    assert said()
    quotas.set_quota(actor=make.SYSTEM, team=live.cast.team_a, metric="requests", window="day", limit=0, mode="hard")
    assert "requests" in said()
    monkeypatch.setattr(generation.pipeline, "open_call", Mock(side_effect=RuntimeError("a bug of ours")))
    (broken,) = events(bob.post("/playground/stream/?set-up=a", data=live.form).text)
    assert broken[0] == "error" and broken[1]["message"].startswith("Something broke on our side.")


def test_it_wants_the_form_to_be_ours(bob: httpx.Client, live: World, upstream: Upstream) -> None:
    del bob.headers["x-csrftoken"]
    assert bob.post("/playground/stream/?set-up=a", data=live.form).status_code == 403
    assert upstream.seen == []


def test_it_ends_with_the_persons_rights(bob: httpx.Client, live: World, upstream: Upstream) -> None:
    """However much the model says meanwhile."""
    upstream.enqueue_stream(*[sse(*text_chunks("Wait")[:2])] * 300, pause=0.05, done=False)
    told = ""
    with bob.stream("POST", "/playground/stream/?set-up=a", data=live.form) as response:
        for piece in response.iter_text():
            if "Wait" in piece and "Wait" not in told:
                membership = Membership.objects.get(user=live.cast.bob)
                teams.remove_member(actor=make.SYSTEM, membership=membership)
            told += piece
    assert events(told)[-1] == ("error", {"message": "You may not call this model for the team any more."})
    record = line()
    assert (record.status, record.code) == ("error", "access_ended")
    assert bob.post("/playground/stream/?set-up=a", data=live.form).status_code == 403


def test_it_ends_with_the_session(
    bob: httpx.Client, live: World, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "_SESSION_SECONDS", 0.2)
    upstream.enqueue_stream(sse(*text_chunks("Wait")[:2]), hang=60, done=False)
    told = ""
    with bob.stream("POST", "/playground/stream/?set-up=a", data=live.form) as response:
        for piece in response.iter_text():
            if "Wait" in piece:
                Session.objects.all().delete()
            told += piece
    assert events(told)[-1] == ("error", {"message": "You have been signed out."})
    assert (line().status, line().code) == ("error", "access_ended")
