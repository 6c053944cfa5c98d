"""Keys that manage the installation: as good as an operator, as long as an operator answers for them."""

import json
import time
from typing import Any

import pytest
from allauth.account.internal.flows import login as sign_in
from django.test import Client

from console.audit.models import AuditEvent
from console.teams.actors import Actor
from console.teams.models import ApiKey, User
from console.teams.roles import INSTALLATION
from console.teams.services import people
from tests import make
from tests.audit.calls import a_call
from tests.conftest import Cast
from tests.make import client_of


def as_user(user: User, *, recently: bool = False) -> Client:
    client = client_of(user)
    if recently:
        session = client.session
        session[sign_in.AUTHENTICATION_METHODS_SESSION_KEY] = [
            {"method": "password", "at": time.time(), "reauthenticated": True}
        ]
        session[sign_in._AUTHENTICATION_METHODS_USER_SESSION_KEY] = str(user.pk)
        session.save()
    return client


def send(client: Client, method: str, path: str, body: object = None, key: str = "") -> Any:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return client.generic(
        method, f"/api/{path}", json.dumps(body or {}), content_type="application/json", headers=headers
    )


def new(*scopes: str) -> dict[str, Any]:
    return {
        "team": "team-a",
        "name": "terraform",
        "environment": "production",
        "scopes": list(scopes or [INSTALLATION]),
    }


@pytest.fixture
def key(cast: Cast) -> str:
    return str(send(as_user(cast.operator, recently=True), "POST", "keys/", new()).json()["text"])


def test_only_an_operator_who_just_signed_in_makes_one(cast: Cast, key: str) -> None:
    assert send(as_user(cast.operator), "POST", "keys/", new()).json()["error"]["code"] == "reauthentication_required"
    assert send(as_user(cast.alice, recently=True), "POST", "keys/", new()).status_code == 403
    assert send(Client(), "POST", "keys/", new(), key).status_code == 403, "no key makes another"
    made = AuditEvent.objects.filter(action="key.created").latest("id")
    assert (made.actor_id, json.loads(made.detail)["after"]["scopes"]) == (cast.operator.pk, [INSTALLATION])
    assert AuditEvent.objects.filter(action="key.created", target__startswith="terraform").count() == 1


def test_the_page_offers_it_to_operators_alone(cast: Cast) -> None:
    assert INSTALLATION in as_user(cast.operator).get("/keys/new/").content.decode()
    assert INSTALLATION not in as_user(cast.alice).get("/keys/new/").content.decode()


def test_it_manages_what_operators_manage_and_the_log_names_it(cast: Cast, key: str) -> None:
    def ask(method: str, path: str, body: object = None) -> Any:
        return send(Client(), method, path, body, key)

    provider = {"slug": "acme", "name": "Acme", "kind": "openai", "base_url": "https://api.example.com/v1"}
    assert ask("POST", "providers/", provider).status_code == 201
    assert ask("POST", "teams/", {"name": "Support", "slug": "support"}).status_code == 201
    assert ask("GET", "teams/team-b/").status_code == 200
    limit = {"team": "team-b", "metric": "requests", "window": "day", "limit": 5}
    assert ask("POST", "quotas/", limit).status_code == 201
    for_a_team = {"team": "team-b", "name": "app", "environment": "sandbox", "scopes": ["models:call"]}
    assert ask("POST", "keys/", for_a_team).status_code == 201
    assert ApiKey.objects.get(name="app").owner == cast.operator
    lines = AuditEvent.objects.filter(action__in=["provider.created", "team.created", "quota.set", "key.created"])
    assert lines.filter(actor_kind="key", actor__startswith="terraform").count() >= 3


def test_it_reads_no_content_without_the_scope_for_it(cast: Cast, key: str) -> None:
    event = a_call(cast.team_b)
    more = make.make_key(cast.team_a, owner=cast.operator, scopes=[INSTALLATION, "audit:content"])[1]
    assert send(Client(), "GET", f"audit/events/{event}/", key=key).status_code == 200
    assert send(Client(), "GET", f"audit/events/{event}/content/", key=key).status_code == 403
    assert send(Client(), "GET", f"audit/events/{event}/content/", key=more).status_code in {200, 404}
    lent = {"team": "team-b", "name": "x", "environment": "sandbox", "scopes": ["audit:content"]}
    assert send(Client(), "POST", "keys/", lent, key).status_code == 403, "nor makes a key that does"


def test_operators_and_links_are_for_people_who_just_signed_in(cast: Cast, key: str) -> None:
    person, link = f"people/{cast.bob.pk}/", f"people/{cast.bob.pk}/sign-in-link/"
    stale, recent = as_user(cast.operator), as_user(cast.operator, recently=True)
    for method, path, body in (("PATCH", person, {"is_operator": True}), ("POST", link, None)):
        assert send(Client(), method, path, body, key).json()["error"]["code"] == "person_required"
        assert send(stale, method, path, body).json()["error"]["code"] == "reauthentication_required"
        assert send(recent, method, path, body).status_code in {200, 201}
    assert send(Client(), "PATCH", person, {"name": "Robert"}, key).json()["name"] == "Robert"


def test_people_are_created_by_operators_and_such_keys(cast: Cast, key: str) -> None:
    stale, recent = as_user(cast.operator), as_user(cast.operator, recently=True)
    nina = {"email": "Nina@Example.com", "name": "Nina"}
    assert send(stale, "POST", "people/", nina).json()["error"]["code"] == "reauthentication_required"
    assert send(as_user(cast.alice, recently=True), "POST", "people/", nina).status_code == 403
    made = send(recent, "POST", "people/", nina)
    assert (made.status_code, made.json()["email"], made.json()["is_operator"]) == (201, "nina@example.com", False)
    assert send(recent, "POST", f"people/{made.json()['id']}/sign-in-link/").status_code == 201
    for body, status, param in (
        (nina, 409, "email"),
        ({"email": "nobody", "name": "N"}, 400, "email"),
        ({"email": "n@example.com"}, 400, "name"),
        (nina | {"password": "x"}, 400, "password"),
    ):
        refused = send(recent, "POST", "people/", body)
        assert (refused.status_code, refused.json()["error"]["param"]) == (status, param), refused.text
    otto = {"email": "otto@example.com", "name": "Otto", "is_operator": True}
    assert send(Client(), "POST", "people/", otto, key).json()["error"]["code"] == "person_required"
    assert send(Client(), "POST", "people/", otto | {"is_operator": False}, key).status_code == 201
    assert send(recent, "POST", "people/", otto | {"email": "oda@example.com"}).json()["is_operator"] is True
    lines = AuditEvent.objects.filter(action="user.created").order_by("id")
    said = [(line.target, line.actor_kind) for line in lines if not line.target.endswith("@x")][-3:]
    assert said == [("nina@example.com", "user"), ("otto@example.com", "key"), ("oda@example.com", "user")]


def test_it_ends_with_the_operators_rights(cast: Cast, key: str) -> None:
    olga = Actor("user", cast.operator.pk, "Olga")
    people.set_operator(actor=olga, user=cast.bob, is_operator=True)
    assert send(Client(), "GET", "providers/", key=key).status_code == 200
    people.set_operator(actor=olga, user=cast.operator, is_operator=False)
    assert send(Client(), "GET", "providers/", key=key).status_code == 401, "no operator, and no member of the team"
    make.make_member(cast.team_a, cast.operator)
    assert send(Client(), "GET", "providers/", key=key).status_code == 403
    assert [t["slug"] for t in send(Client(), "GET", "teams/", key=key).json()["data"]] == ["team-a"]


def test_handing_one_over_asks_again(cast: Cast) -> None:
    managing, _ = make.make_key(cast.team_a, owner=cast.operator, scopes=["team:manage"])
    path, body = f"keys/{managing.pk}/hand-over/", {"owner": cast.alice.email}
    assert send(as_user(cast.alice), "POST", path, body).json()["error"]["code"] == "reauthentication_required"
    assert send(as_user(cast.alice, recently=True), "POST", path, body).status_code == 200
