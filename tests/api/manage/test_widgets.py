"""/api/widgets/…: what the pages do, for programs."""

import json
from typing import Any

import pytest
from django.test import Client

from console.chat.models import Feedback, Widget
from tests import make
from tests.conftest import Cast
from tests.make import client_of


def call(method: str, path: str = "", body: Any = None, *, key: str = "", client: Client | None = None) -> Any:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return (client or Client()).generic(
        method, f"/api/widgets/{path}", json.dumps(body or {}), "application/json", headers=headers
    )


@pytest.fixture
def key(cast: Cast) -> str:
    """A key of Team A that builds, and reads no content."""
    return make.make_key(cast.team_a, scopes=["prompts:write", "models:call"], owner=cast.alice)[1]


def test_it_makes_changes_switches_and_deletes(cast: Cast, key: str) -> None:
    make.make_agent(cast.team_a, "helper")
    made = call("POST", body={"team": "team-a", "agent": "helper", "name": "Help centre"}, key=key)
    assert made.status_code == 201, made.text
    shown = made.json()
    assert shown["origins"] == [] and shown["has_identity_secret"] is False and "identity_secret" not in shown
    assert shown["snippet"].startswith('<script src="') and shown["public_id"] in shown["snippet"]
    path = f"{shown['id']}/"
    change = {"revision": 1, "origins": ["https://shop.example/"], "limits": {"visitor_day": 5}, "language": "de"}
    changed = call("PATCH", path, change, key=key).json()
    assert (changed["origins"], changed["limits"], changed["revision"]) == (
        ["https://shop.example"],
        {"visitor_day": 5},
        2,
    )
    stale = call("PATCH", path, change, key=key)
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "stale_widget")
    for body, param in (
        ({"origins": ["shop.example"]}, "origins"),
        ({"limits": {"steps": 1}}, "limits.steps"),
        ({"needs_identity": True}, "needs_identity"),
        ({"public_id": "mine"}, "public_id"),
        ({"is_enabled": False}, "is_enabled"),
    ):
        refused = call("PATCH", path, {"revision": 2, **body}, key=key)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param), refused.text
    secret = call("POST", f"{path}identity-secret/", key=key)
    assert secret.json()["secret"].startswith("fws_") and secret["Cache-Control"] == "no-store"
    assert call("GET", path, key=key).json()["has_identity_secret"] is True
    assert call("DELETE", f"{path}identity-secret/", key=key).status_code == 204
    assert call("POST", f"{path}switch/", {"enabled": False}, key=key).json()["is_enabled"] is False
    assert [one["id"] for one in call("GET", "?team=team-a", key=key).json()["data"]] == [shown["id"]]
    assert call("DELETE", path, key=key).status_code == 204 and call("GET", path, key=key).status_code == 404
    assert Widget.objects.get().deleted_at is not None


def test_keys_read_conversations_with_a_scope_for_content_and_never_answer(cast: Cast, key: str) -> None:
    talk = make.make_visit(make.make_widget(cast.team_a), "Where is it?", "Under Billing.")
    Feedback.objects.create(message=talk.leaf, visitor=talk.visitor, is_good=True)
    path = f"{talk.widget_id}/conversations/"
    for below in ("", f"{talk.pk}/", f"{talk.pk}/messages/"):
        assert call("GET", path + below, key=key).status_code == 403, below
    reader = make.make_key(cast.team_a, scopes=["audit:content", "models:call"], owner=cast.alice)[1]
    assert [one["id"] for one in call("GET", path, key=reader).json()["data"]] == [str(talk.pk)]
    assert call("GET", f"{path}{talk.pk}/", key=reader).json()["taken_by"] is None
    said = call("GET", f"{path}{talk.pk}/messages/", key=reader).json()["data"]
    assert [(one["role"], one["text"], one["helped"]) for one in said] == [
        ("assistant", "Under Billing.", True),
        ("user", "Where is it?", None),
    ]
    for below in ("messages/", "take-over/", "give-back/"):
        refused = call("POST", f"{path}{talk.pk}/{below}", {"text": "x"} if below == "messages/" else {}, key=reader)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "person_required"), below


def test_a_person_steps_in_and_the_second_is_told(cast: Cast) -> None:
    talk = make.make_visit(make.make_widget(cast.team_a), "Where is it?")
    path = f"{talk.widget_id}/conversations/{talk.pk}/"
    bob, alice = client_of(cast.bob), client_of(cast.alice)
    assert call("POST", f"{path}take-over/", client=bob).json()["taken_by"] == "bob@example.com"
    second = call("POST", f"{path}take-over/", client=alice)
    assert (second.status_code, second.json()["error"]["code"]) == (409, "taken_by_other")
    assert "Bob answers" in second.json()["error"]["message"]
    said = call("POST", f"{path}messages/", {"text": "Here."}, client=bob)
    assert (said.status_code, said.json()["role"], said.json()["author_name"]) == (201, "person", "Bob")
    taken = call("POST", f"{path}take-over/", {"seen": "bob@example.com"}, client=alice)
    assert taken.json()["taken_by"] == "alice@example.com"
    assert call("POST", f"{path}give-back/", client=alice).json()["taken_by"] is None
