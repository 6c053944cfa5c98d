"""Liveness says the process runs; readiness says it can serve; worker health means that each lane had a heartbeat."""

import datetime as dt
import time
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.core.cache import cache
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.test import Client

from console.core.clock import now
from console.pages import health, sql
from console.pages.tasks import heartbeat


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    health._look.forget()
    monkeypatch.setattr(health, "_snapshot_good_until", 0.0)
    monkeypatch.setattr(health.ledger, "_refused_at", float("-inf"))


@pytest.fixture
def valkey(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_valkey", lambda: {"state": "ok"})


def test_it_lives_without_a_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """No database mark: touching it would fail this test."""
    response = client.get("/health/live", headers={"host": "10.0.0.7:8000", "cookie": "facet-8000=abc"})
    assert (response.status_code, response.json()) == (200, {"status": "alive"})
    assert response["Cache-Control"] == "no-store"


def test_it_is_ready(db: None, client: Client, valkey: None) -> None:
    response = client.get("/health/ready")
    assert response.status_code == 200, response.json()
    body = response.json()
    assert body["status"] == "ready"
    assert {name: body["checks"][name]["state"] for name in ("database", "migrations", "snapshot")} == {
        "database": "ok",
        "migrations": "ok",
        "snapshot": "ok",
    }
    assert "set-cookie" not in response.headers


def test_it_connects_whatever_the_address_of_the_database_says(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = connections["default"].settings_dict
    monkeypatch.setitem(settings, "OPTIONS", settings["OPTIONS"] | {"connect_timeout": "7", "options": "-c geqo=off"})
    assert sql.applied_migrations()


def test_it_is_ready_without_valkey_and_says_so(db: None, client: Client) -> None:
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["checks"]["valkey"]["state"] == "away"


def test_it_says_that_calls_are_refused_where_postgresql_answers_and_cannot_record_them(
    db: None, client: Client, valkey: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health.ledger, "_refused_at", time.monotonic())
    response = client.get("/health/ready")
    assert (response.status_code, response.json()["status"]) == (200, "degraded"), "pages can still be read"
    assert response.json()["checks"]["calls"]["state"] == "refused"
    health._look.forget()
    monkeypatch.setattr(health.ledger, "_refused_at", time.monotonic() - 31)
    assert client.get("/health/ready").json()["status"] == "ready"


def test_it_is_not_ready_without_a_database(client: Client, valkey: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> Any:
        raise psycopg.OperationalError("connection refused: password=hunter2")

    monkeypatch.setattr(sql, "applied_migrations", away)
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response["Retry-After"] == "2"
    assert response.json()["checks"]["database"]["state"] == "away"
    assert "hunter2" not in response.content.decode()


def test_it_is_not_ready_before_migrations(
    db: None, client: Client, valkey: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied = sql.applied_migrations()
    last = MigrationLoader(None).graph.leaf_nodes("audit")
    monkeypatch.setattr(sql, "applied_migrations", lambda: applied - set(last))
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["checks"]["migrations"] == {"state": "missing", "branches": 1}


def test_it_is_not_ready_when_the_snapshot_cannot_load(
    db: None, client: Client, valkey: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Any:
        raise ValueError("secret detail")

    monkeypatch.setattr(health.snapshot, "load", broken)
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["checks"]["snapshot"] == {"state": "failed", "says": "ValueError"}


def test_it_looks_once_a_second(db: None, client: Client, valkey: None, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    real = sql.applied_migrations
    monkeypatch.setattr(sql, "applied_migrations", lambda: looks.append(1) or real())
    moment = 1_000.0
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: moment))
    for later, looked in ((0, 1), (0.5, 1), (0.999, 1), (1, 2), (1.999, 2), (2, 3)):
        moment = 1_000.0 + later
        client.get("/health/ready")
        assert len(looks) == looked


def test_it_refuses_other_methods(client: Client) -> None:
    assert client.post("/health/live").status_code == 405


def test_it_shows_which_lanes_consume(db: None, client: Client, valkey: None) -> None:
    heartbeat("interactive")
    late = now() - dt.timedelta(seconds=health.HEARTBEAT_LATE_SECONDS + 5)
    cache.set("canary.batch", late.isoformat(), 1000)
    assert cache.get("canary.interactive"), "where a process of the version before looks, and writes the others"
    workers = client.get("/health/ready").json()["checks"]["workers"]
    assert workers["interactive"]["state"] == "ok"
    assert workers["standard"] == {"state": "never"}
    assert workers["batch"]["state"] == "late"
    # The clock was days ahead, and was set back.
    cache.set("canary.standard", (now() + dt.timedelta(days=3)).isoformat(), 1000)
    assert health.workers()["standard"] == {"state": "late", "seconds_ago": 0}


def test_it_sends_a_heartbeat_to_every_lane(settings: Any) -> None:
    sent = {
        entry["options"]["queue"]: entry["args"]
        for entry in settings.CELERY_BEAT_SCHEDULE.values()
        if entry["task"] == "pages.canary"
    }
    assert sent == {lane: [lane] for lane in settings.LANES}
