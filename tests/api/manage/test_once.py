"""Idempotency-Key on changes of the management API."""

import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.test import Client

from console.api.claims import prune
from console.api.models import ManagementClaim
from console.audit.models import AuditEvent
from console.core.clock import now
from console.teams.models import ApiKey
from console.teams.services import keys
from tests import make
from tests.conftest import Cast

NEW = {"team": "team-a", "name": "deploy", "environment": "sandbox", "scopes": ["models:call"]}


class Program:
    """Sends JSON with one credential and an Idempotency-Key."""

    def __init__(self, text: str) -> None:
        self._headers = {"Authorization": f"Bearer {text}"}

    def __call__(self, path: str, body: object, key: str, client: Client | None = None):
        return (client or Client()).post(
            f"/api/{path}",
            json.dumps(body),
            content_type="application/json",
            headers={**self._headers, "Idempotency-Key": key},
        )


@pytest.fixture
def program(cast: Cast) -> Program:
    return Program(make.make_key(cast.team_a, "admin", scopes=["keys:manage", "models:call"])[1])


def _made() -> int:
    return ApiKey.objects.filter(name="deploy").count()


def test_it_makes_one_key_for_two_requests_and_shows_it_once(program):
    first, second = program("keys/", NEW, "order-1"), program("keys/", dict(reversed(NEW.items())), "order-1")
    assert (first.status_code, second.status_code, _made()) == (201, 201, 1)
    assert second.json() == first.json() | {"text": None}
    assert "Idempotent-Replayed" not in first and second["Idempotent-Replayed"] == "true"
    assert first.json()["text"] not in ManagementClaim.objects.get().answer
    assert AuditEvent.objects.filter(action="call.replayed").count() == 1
    heir = Program(keys.rotate_key(actor=make.SYSTEM, key=ApiKey.objects.get(name="admin"))[1])
    assert heir("keys/", NEW, "order-1").json() == second.json() and _made() == 1


def test_it_tells_bodies_routes_keys_and_credentials_apart(program, cast):
    program("keys/", NEW, "order-1")
    other = program("keys/", NEW | {"name": "another"}, "order-1")
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert program("keys/", NEW, "order-2").status_code == 201
    somebody = Program(make.make_key(cast.team_a, "second", scopes=["keys:manage", "models:call"])[1])
    assert somebody("keys/", NEW, "order-1").status_code == 201
    assert _made() == 3
    pk = ApiKey.objects.filter(name="deploy").first().pk
    assert program(f"keys/{pk}/rotate/", {}, "order-1").status_code == 201


def test_it_keeps_no_refusal(program):
    refused = program("keys/", NEW | {"scopes": ["nonsense"]}, "order-1")
    assert refused.status_code == 400
    assert program("keys/", NEW, "order-1").status_code == 201


def test_it_keeps_nothing_of_a_request_that_broke(program, monkeypatch):
    create = keys.create_key

    def broken(**values):
        create(**values)
        raise RuntimeError("the process died here")

    monkeypatch.setattr(keys, "create_key", broken)
    assert program("keys/", NEW, "order-1").status_code == 500
    assert (_made(), ManagementClaim.objects.count()) == (0, 0)
    monkeypatch.undo()
    assert program("keys/", NEW, "order-1").status_code == 201


def test_it_refuses_keys_that_are_none(program):
    for key in ("", "x" * 256, "caf\u00e9"):
        refused = program("keys/", NEW, key)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "Idempotency-Key")


def test_it_forgets_after_a_day(program):
    program("keys/", NEW, "order-1")
    ManagementClaim.objects.update(expires_at=now() - dt.timedelta(seconds=1))
    assert program("keys/", NEW, "order-1").json()["text"]
    ManagementClaim.objects.update(expires_at=now() - dt.timedelta(seconds=1))
    assert prune() == 1


def test_it_says_that_the_first_still_runs(committed_db, monkeypatch):
    cast = Cast()
    program = Program(make.make_key(cast.team_a, "admin", scopes=["keys:manage", "models:call"])[1])
    create, meanwhile = keys.create_key, []

    def ask_again() -> int:
        try:
            return program("keys/", NEW, "order-1").status_code
        finally:
            connections.close_all()

    def slow(**values):
        with ThreadPoolExecutor(1) as other:
            meanwhile.append(other.submit(ask_again).result())
        return create(**values)

    monkeypatch.setattr(keys, "create_key", slow)
    assert program("keys/", NEW, "order-1").status_code == 201
    assert meanwhile == [409]
    assert _made() == 1
