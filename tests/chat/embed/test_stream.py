"""Follow a conversation: words as they come, people who write, and the end when the widget is switched off."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2 as httpx
import pytest
from django.test import Client

from console.audit import actions
from console.audit.models import AuditEvent
from console.audit.services import record
from console.chat.embed import changes, signed_identity, stream
from console.chat.models import Conversation, Message, Widget
from console.core.crypto import encrypt
from console.teams.actors import SYSTEM
from tests.chat.conftest import Room
from tests.chat.corpus import ATTACKS
from tests.chat.embed.conftest import Visiting, ended
from tests.chat.test_markdown import harmless
from tests.live import LiveServer
from tests.upstream import sse, text_chunks
from tests.waiting import until
from usage_app.scopes import Subject
from usage_app.services.quotas import set_quota

Event = tuple[str, dict[str, Any]]


@contextmanager
def _following(server: LiveServer, visiting: Visiting, after: object = "") -> Iterator[Iterator[Event]]:
    """Read a stream over the wire, as the frame does."""
    url = f"{server.url}/embed/{visiting.widget.public_id}/stream/"
    query = {"after": str(after)} if after else {}
    with httpx.Client(timeout=60) as http, http.stream("GET", url, headers=visiting.headers, params=query) as stream:
        assert stream.status_code == 200, stream.read()
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert "no-store" in stream.headers["cache-control"] and stream.headers["x-accel-buffering"] == "no"
        yield _events(stream.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[Event]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def _next(events: Iterator[Event], name: str) -> dict[str, Any]:
    return next(data for got, data in events if got == name)


def test_it_shows_words_as_they_come_and_goes_on_when_nobody_looks(
    room: Room, widget: Widget, server: LiveServer
) -> None:
    visiting = Visiting(widget)
    has_left = threading.Event()
    first, word, *rest = (sse(one) for one in text_chunks("One, ", "**two**", " and three."))
    room.upstream.enqueue_stream(first, word, has_left.is_set, *rest, pause=0.3)
    answer = visiting.say("Count.")
    assert visiting.post("say", text="And?").json()["error"]["code"] == "busy"
    with _following(server, visiting, answer.parent_id) as events:
        assert next(events) == ("state", {"person": None, "wanted": False})
        turn = _next(events, "turn")
        assert turn["id"] == str(answer.pk) and turn["writing"]
        assert _next(events, "text") | {"last": ""} == {"id": str(answer.pk), "fresh": True, "whole": "", "last": ""}
    has_left.set()
    assert ended(answer).text == "One, **two** and three."  # the visitor left, the answer did not
    with _following(server, visiting) as events:
        turns = [_next(events, "turn"), _next(events, "turn")]
    assert [turn["role"] for turn in turns] == ["user", "assistant"] and "<strong>two</strong>" in turns[1]["html"]
    with _following(server, visiting, Message.objects.get(role="user").conversation_id) as events:
        assert [next(events)[0]] == ["reset"]  # what the frame knew is on no branch shown
    assert visiting.get("stream", after="x").status_code == 400


def test_nothing_a_model_or_a_visitor_says_runs(room: Room, widget: Widget, server: LiveServer) -> None:
    """XSS1 to XSS6 in the frame."""
    visiting = Visiting(widget)
    harmful = "\n\n".join(ATTACKS)
    room.upstream.enqueue_stream(*(sse(one) for one in text_chunks(*(harmful[at : at + 7] for at in range(0, 700, 7)))))
    answer = visiting.say("event: off\n\n" + ATTACKS[0])
    with _following(server, visiting) as events:
        said = _next(events, "turn")
        assert said["text"].startswith("event: off\n\n<script>") and said["html"] == ""
        pieces = [data for _, data in _until_whole(events, str(answer.pk))]
    html = "".join(one.get("html", "") + one.get("whole", "") + one.get("last", "") for one in pieces)
    assert harmless(html), html


def _until_whole(events: Iterator[Event], message_id: str) -> Iterator[Event]:
    for name, data in events:
        yield name, data
        if name == "turn" and data["id"] == message_id and not data["writing"]:
            return


def test_switching_it_off_stops_messages_at_once_and_streams_within_five_seconds(
    room: Room, widget: Widget, server: LiveServer
) -> None:
    """For a stream that waits, one that shows an answer, and the answer itself."""
    writer, reader = Visiting(widget), Visiting(widget)
    ended(reader.say("Hello"))
    room.upstream.enqueue_stream(sse(*text_chunks("Half")[:2]), done=False, hang=120)
    answer = writer.say("Tell me everything.")
    over: set[str] = set()
    shown, opened = threading.Event(), threading.Barrier(3)

    def read(name: str, visiting: Visiting) -> None:
        with _following(server, visiting) as events:
            opened.wait(60)
            for got, data in events:
                if got == "text" and "Half" in data["last"]:
                    shown.set()
                if got == "off":
                    over.add(name)

    threads = [threading.Thread(target=read, args=one) for one in (("writer", writer), ("reader", reader))]
    for thread in threads:
        thread.start()
    opened.wait(60)
    assert shown.wait(60)
    assert stream._LOOK_SECONDS <= 2, "within five seconds, with some to spare"
    Widget.objects.filter(pk=widget.pk).update(is_enabled=False)
    record(actions.TEAM_CHANGED, actor=SYSTEM, target=room.team)  # any change that moves the epoch
    refused = writer.post("say", text="And now?")
    assert refused.status_code == 403 and refused.json()["error"]["code"] == "off"
    for thread in threads:
        thread.join(60)
    assert over == {"writer", "reader"}
    answer = ended(answer)
    assert (answer.status, answer.text) == ("refused", "Half")
    assert room.upstream.was_closed_early()
    for name in ("conversation", "stream"):
        assert writer.get(name).status_code == 403
    assert writer.mint().status_code == 403 and writer.mint()["Access-Control-Allow-Origin"]
    page = Client().get("/embed/shop1/").content.decode()
    assert '"off": true' in page, "who has it open is told"


def test_a_person_of_the_team_answers_in_the_same_window(room: Room, widget: Widget, server: LiveServer) -> None:
    visiting = Visiting(widget)
    assert visiting.post("person").status_code == 404, "nothing was said yet"
    answer = ended(visiting.say("Hello"))
    conversation = answer.conversation
    assert visiting.post("person").json()["state"] == {"person": None, "wanted": True}
    with _following(server, visiting, answer.pk) as events:
        assert _next(events, "state")["wanted"]
        Conversation.objects.filter(pk=conversation.pk).update(taken_by=room.ada, person_wanted_at=None)
        assert _next(events, "state") == {"person": str(room.ada.name or room.team.name), "wanted": False}
        calls = len(room.upstream.seen)
        said = visiting.post("say", text="Are you real?").json()["turns"]
        assert [turn["role"] for turn in said] == ["user"] and len(room.upstream.seen) == calls
        reply = Message.objects.create(
            conversation=conversation, parent_id=said[0]["id"], role="person", text="I *am*.", author_name="Ada"
        )
        Conversation.objects.filter(pk=conversation.pk).update(leaf=reply)
        turns = [_next(events, "turn")]
        while turns[-1]["role"] != "person":
            turns.append(_next(events, "turn"))
        assert (turns[-1]["name"], turns[-1]["html"]) == ("Ada", "<p>I <em>am</em>.</p>\n")
        Conversation.objects.filter(pk=conversation.pk).update(taken_by=None)
        assert _next(events, "state")["person"] is None
    ended(visiting.say("Thank you"))
    roles = [one["role"] for one in room.upstream.seen[-1].body["messages"]]
    assert roles[-4:] == ["assistant", "user", "assistant", "user"], "the model reads what the person said"


def test_a_conversation_and_a_network_hold_a_few_streams(
    room: Room, widget: Widget, server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    visiting = Visiting(widget)
    ended(visiting.say("Hello"))
    for limit in ("MOST", "MOST_OF_NETWORK"):
        with monkeypatch.context() as patched, _following(server, visiting) as events:
            next(events)
            patched.setattr(changes, limit, 1)
            refused = visiting.get("stream")
            assert refused.status_code == 429 and refused["Retry-After"], limit
    watchers = changes._watchers.values()
    until(lambda: not any(one.watched or one.networks for one in watchers), "streams whose readers left are let go")


def test_a_stream_ends_with_what_its_token_came_of(room: Room, widget: Widget, server: LiveServer) -> None:
    """A new secret ends whom a site vouched for with the old one; a widget for such visitors only ends the others."""
    widget.identity_secret = encrypt("s3cret")
    widget.save()
    ada = Visiting(widget, identity={"id": "ada", "signature": signed_identity.sign("s3cret", "ada")})
    somebody = Visiting(widget)
    for visiting, change in ((somebody, {"needs_identity": True}), (ada, {"identity_secret": encrypt("another")})):
        if visiting is ada:
            Widget.objects.filter(pk=widget.pk).update(needs_identity=False)
        ended(visiting.say("Hello"))
        with _following(server, visiting) as events:
            for got, data in events:
                assert got != "off"
                if got == "turn" and data["role"] == "assistant":
                    Widget.objects.filter(pk=widget.pk).update(**change)
        assert visiting.get("conversation").status_code in {401, 403}


def test_a_call_is_the_visitors_whom_the_site_vouches_for(room: Room, widget: Widget) -> None:
    widget.identity_secret = encrypt("s3cret")
    widget.save()
    ended(Visiting(widget, identity={"id": "ada", "signature": signed_identity.sign("s3cret", "ada")}).say("Hello"))
    ended(Visiting(widget).say("Hello"))
    calls = AuditEvent.objects.filter(surface="widget").exclude(action__gt="").order_by("id")
    assert [call.end_user for call in calls] == ["ada", ""]


def test_a_visitor_has_a_limit_for_itself_where_the_site_vouches_for_them(room: Room, widget: Widget) -> None:
    widget.identity_secret = encrypt("s3cret")
    widget.save()
    subject = Subject("widget", str(widget.pk), widget.name, room.team.pk)
    limits = {"metric": "requests", "window": "day", "limit": 1, "each_end_user": True, "nameless": "refuse"}
    set_quota(actor=SYSTEM, team=room.team, widget=subject, **limits)
    ada = Visiting(widget, identity={"id": "ada", "signature": signed_identity.sign("s3cret", "ada")})
    ben = Visiting(widget, identity={"id": "ben", "signature": signed_identity.sign("s3cret", "ben")})
    for visiting in (ada, ada, ben, Visiting(widget)):
        ended(visiting.say("Hello"))
    calls = AuditEvent.objects.filter(surface="widget").exclude(action__gt="").order_by("id")
    assert [(call.end_user, call.code) for call in calls] == [
        ("ada", ""),
        ("ada", "insufficient_quota"),
        ("ben", ""),
        ("", "end_user_required"),
    ]
