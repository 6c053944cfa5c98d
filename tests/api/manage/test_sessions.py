"""/api/sessions/: where a person is signed in, and ending that; what the page of sessions does."""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.teams import log
from tests.teams.test_sign_in import sign_in

PATH = "/api/sessions/"


@pytest.fixture
def browsers(cast: Cast) -> list[Client]:
    """Three browsers of Alice's, each signed in."""
    cache.clear()
    clients = [Client(headers={"User-Agent": f"{name}/1.0 (X11; Linux)"}) for name in ("Firefox", "Chrome", "Safari")]
    for client in clients:
        sign_in(client, "alice@example.com")
    return clients


def is_signed_in(client: Client) -> bool:
    return client.get("/api/me/").status_code == 200


def rows(client: Client, query: str = "") -> list[dict[str, Any]]:
    response = client.get(PATH + query)
    assert response.status_code == 200, response.content
    data: list[dict[str, Any]] = response.json()["data"]
    return data


def test_it_lists_and_ends_ones_own_sessions(cast: Cast, browsers: list[Client]) -> None:
    here, second, third = browsers
    found = rows(here)
    assert [row["is_this_one"] for row in found] == [False, False, True], "newest first"
    assert all("Linux" in row["browser"] and row["address"] and row["last_seen_at"] for row in found)
    assert "session_key" not in str(found) and here.session.session_key not in str(found)
    first = here.get(f"{PATH}?limit=2").json()
    assert [row["id"] for row in first["data"] + rows(here, f"?cursor={first['next']}")] == [row["id"] for row in found]

    assert here.delete(f"{PATH}{found[0]['id']}/").status_code == 204
    assert [is_signed_in(client) for client in (here, second, third)] == [True, True, False]
    (line,) = log.lines("session.closed")
    assert (line.actor_id, line.target) == (cast.alice.pk, "alice@example.com")
    assert here.delete(f"{PATH}{found[0]['id']}/").status_code == 404

    assert here.post(f"{PATH}end-others/").status_code == 204
    assert [is_signed_in(client) for client in (here, second)] == [True, False]
    assert here.delete(f"{PATH}{rows(here)[0]['id']}/").status_code == 204
    assert not is_signed_in(here), "one's own session is signed out of"


def test_sessions_are_for_the_person_alone(cast: Cast, browsers: list[Client]) -> None:
    theirs = rows(browsers[0])[0]["id"]
    operator = client_of(cast.operator)
    assert theirs not in [row["id"] for row in rows(operator)]
    assert operator.delete(f"{PATH}{theirs}/").status_code == 404
    _, text = make.make_key(cast.team_a, owner=cast.alice)
    for method, path in (("GET", PATH), ("POST", f"{PATH}end-others/"), ("DELETE", f"{PATH}{theirs}/")):
        refused = Client().generic(method, path, headers={"Authorization": f"Bearer {text}"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "person_required")
        assert Client().generic(method, path).status_code == 401
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browsers[0].cookies
    assert strict.post(f"{PATH}end-others/").status_code == 403
    assert all(is_signed_in(client) for client in browsers)
