"""/api/conversations/… and /api/messages/…: what the chat page does, for programs of the person signed in."""

import json
from typing import Any

import pytest
from django.test import Client

from console.audit.models import AuditEvent
from console.chat.models import Conversation, Feedback
from tests import make
from tests.chat.conftest import Room
from tests.chat.conftest import room as room
from tests.chat.test_conversations import talk as made
from tests.conftest import Cast
from tests.make import client_of
from tests.upstream import sse, text_chunks


def call(client: Client, method: str, path: str, body: Any = None) -> Any:
    return client.generic(method, f"/api/{path}", json.dumps(body or {}), "application/json")


def test_it_talks_as_the_page_does(room: Room) -> None:
    room.upstream.enqueue_stream(sse(*text_chunks("On its way.")))
    files = [{"name": "order.txt", "text": "Number 7"}]
    started = call(
        room.client, "POST", "conversations/", {"agent": "helper", "text": "Where is my order?", "files": files}
    )
    assert started.status_code == 201, started.text
    begun, answer = started.json()["conversation"], started.json()["answer"]
    assert (begun["title"], begun["agent"], begun["is_mine"]) == ("Where is my order?", "helper", True)
    assert answer["status"] == "writing"
    conversation = Conversation.objects.get(pk=begun["id"])
    room.ended(conversation)
    written = call(room.client, "GET", f"messages/{answer['id']}/").json()
    assert (written["status"], written["text"], written["agent_version"]) == ("done", "On its way.", "helper@1")
    assert AuditEvent.objects.get(surface="chat").actor == str(room.ada)
    question = call(room.client, "GET", f"messages/{answer['parent']}/").json()
    assert question["files"][0]["name"] == "order.txt" and question["files"][0]["text"] == "Number 7"
    assert "File order.txt:" in room.upstream.seen[-1].body["messages"][-1]["content"]

    for path, body in (
        (f"conversations/{begun['id']}/messages/", {"text": "When?"}),
        (f"messages/{answer['id']}/again/", {}),
        (f"messages/{answer['parent']}/edit/", {"text": "Where is it?", "without_files": [0]}),
    ):
        said = call(room.client, "POST", path, body)
        assert said.status_code == 201, said.text
        room.ended(conversation)
    assert "order.txt" not in json.dumps(room.upstream.seen[-1].body["messages"])
    assert call(room.client, "POST", f"messages/{answer['id']}/show/").status_code == 204
    shown = call(room.client, "GET", f"conversations/{begun['id']}/").json()["shown_until"]
    rows = call(room.client, "GET", f"conversations/{begun['id']}/messages/?limit=3").json()
    assert len(rows["data"]) == 3 and rows["next"] and "text" not in json.dumps(rows["data"][0]["files"])
    assert shown in [
        row["id"] for row in call(room.client, "GET", f"conversations/{begun['id']}/messages/").json()["data"]
    ]

    room.upstream.enqueue_stream(sse(*text_chunks("One, ", "two")[:3]), done=False, hang=30)
    busy = call(room.client, "POST", f"conversations/{begun['id']}/messages/", {"text": "Count."}).json()
    again = call(room.client, "POST", f"conversations/{begun['id']}/messages/", {"text": "And?"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")
    assert call(room.client, "POST", f"messages/{busy['id']}/stop/").json()["status"] == "stopped"
    room.ended(conversation)


@pytest.fixture
def talk(cast: Cast) -> Any:
    return made(cast)


def test_it_looks_after_conversations(cast: Cast, talk: Any) -> None:
    alice, url = client_of(cast.alice), f"conversations/{talk.pk}/"
    found = call(alice, "GET", "conversations/?q=subject").json()["data"]
    assert [one["title"] for one in found] == ["Autumn campaign"]
    assert call(alice, "GET", "conversations/?q=winter").json()["data"] == []
    changed = call(alice, "PATCH", url, {"title": "Winter", "is_pinned": True, "is_shared": True}).json()
    assert (changed["title"], changed["is_pinned"], changed["is_shared"]) == ("Winter", True, True)
    assert call(alice, "PATCH", url, {"colour": "red"}).status_code == 400
    assert call(alice, "PATCH", url, {"is_archived": True}).json()["is_archived"] is True
    assert call(alice, "GET", "conversations/").json()["data"] == []
    assert len(call(alice, "GET", "conversations/?archived=true").json()["data"]) == 1
    assert call(alice, "GET", "conversations/?archived=maybe").status_code == 400

    whole = json.loads(b"".join(call(alice, "GET", f"{url}export/").streaming_content))
    assert [one["text"] for one in whole["messages"]] == ["Write three subject lines.", "Here they are."]
    assert call(alice, "GET", f"{url}export/?as=markdown").json()["markdown"].startswith("# Winter\n")
    exports = AuditEvent.objects.filter(action="conversation.exported", target_id=str(talk.pk), actor_id=cast.alice.pk)
    assert [json.loads(line.detail)["format"] for line in exports.order_by("id")] == ["json", "md"]
    rated = f"messages/{talk.leaf_id}/feedback/"
    assert call(alice, "PUT", rated, {"is_good": False, "comment": "Dull."}).status_code == 204
    assert [(one.is_good, one.comment) for one in Feedback.objects.all()] == [(False, "Dull.")]
    assert call(alice, "DELETE", rated).status_code == 204 and not Feedback.objects.exists()

    bob = client_of(cast.bob)
    assert call(bob, "GET", url).json()["is_mine"] is False
    assert [call(bob, method, url).status_code for method in ("PATCH", "DELETE")] == [403, 403]
    assert call(bob, "POST", f"{url}messages/", {"text": "Hello"}).status_code == 403
    assert call(alice, "DELETE", url).status_code == 204
    assert [call(one, "GET", url).status_code for one in (alice, bob)] == [404, 404]


def test_it_wants_a_person_and_their_token(cast: Cast, talk: Any) -> None:
    _, key = make.make_key(cast.team_a, owner=cast.alice)
    refused = Client().get("/api/conversations/", headers={"Authorization": f"Bearer {key}"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "person_required")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.alice)
    assert call(strict, "DELETE", f"conversations/{talk.pk}/").json()["error"]["code"] == "csrf_failed"
    assert client_of(cast.alice).post("/api/conversations/", {"agent": "x", "text": "y"}).status_code == 415


def test_it_refuses_what_cannot_be_sent(cast: Cast, talk: Any) -> None:
    alice, url = client_of(cast.alice), f"conversations/{talk.pk}/messages/"
    for body, said in (
        ({"text": " "}, "Write something first."),
        ({"files": [{"name": "a.txt", "text": " "}]}, "a.txt is empty."),
        ({"files": [{"name": f"{at}.txt", "text": "x"} for at in range(6)]}, "A message may have 5 files."),
        ({"text": "x", "model": "gpt"}, "'model' is not a field here"),
    ):
        refused = call(alice, "POST", url, body)
        assert refused.status_code == 400 and said in refused.json()["error"]["message"], refused.text
    assert call(alice, "POST", "conversations/", {"agent": "nobody", "text": "Hi"}).status_code == 404
