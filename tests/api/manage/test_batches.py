"""/api/batches/: what the pages of batches do, for a session and for a key."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from console.audit.models import AuditEvent
from console.batches import storage
from console.batches.models import Batch, File
from console.teams.models import Role
from console.teams.roles import INSTALLATION
from tests import make
from tests.batches.conftest import CHAT, jsonl, line
from tests.batches.conftest import no_broker as no_broker
from tests.batches.test_pages import As, over
from tests.batches.test_pages import as_ as as_
from tests.batches.test_pages import batch as batch
from tests.conftest import Cast


def test_it_shows_cancels_and_runs_batches_again(cast: Cast, as_: As, batch: Batch) -> None:
    bob, url = as_(cast.bob), f"/api/batches/{batch.public_id}/"
    live, sandbox = (
        make.make_key(cast.team_a, owner=cast.alice, environment=environment, scopes=make.TEAM_SCOPES)[1]
        for environment in ("production", "sandbox")
    )

    def by(key: str, method: str, path: str) -> Any:
        headers = {"Authorization": f"Bearer {key}"}
        return Client().generic(method, path, content_type="application/json", headers=headers)

    def post(client: Client, path: str, **headers: str) -> Any:
        return client.post(path, content_type="application/json", headers=headers)

    assert by(live, "POST", f"{url}run-again/").json()["error"]["message"].startswith("The batch is still under way")
    over(batch)
    (row,) = bob.get("/api/batches/?team=team-a").json()["data"]
    assert (row["id"], row["state"], row["failed"], row["rerun_of"]) == (batch.public_id, "completed", 1, None)
    shown = by(live, "GET", url).json()
    assert shown["failures"] == [
        {
            "code": "model_not_found",
            "message": "The model 'nobody' does not exist.",
            "count": 1,
            "custom_id": "ticket-2",
            "line": 2,
        }
    ]
    assert set(shown["files"]) == {"input", "output"} and shown["problems"] == []

    mine = post(bob, f"{url}run-again/", **{"Idempotency-Key": "once"})
    assert (mine.status_code, mine.json()["rerun_of"], mine.json()["name"]) == (
        201,
        batch.public_id,
        "tickets again.jsonl",
    )
    assert post(bob, f"{url}run-again/", **{"Idempotency-Key": "once"}).json() == mine.json()
    theirs = by(live, "POST", f"/api/batches/{batch.pk}/run-again/")
    by_bob, by_key = Batch.objects.filter(rerun_of=batch).order_by("id")
    assert (by_bob.person, by_bob.key) == (cast.bob, None) and by_key.person is None
    assert by_key.key is not None and theirs.json()["id"] == by_key.public_id
    assert {one.environment for one in (by_bob, by_key)} == {"production"}
    lines = AuditEvent.objects.filter(action="batch.created", target_id__in=[by_bob.pk, by_key.pk])
    assert {(one.actor_kind, one.target_id) for one in lines} == {("user", str(by_bob.pk)), ("key", str(by_key.pk))}
    assert "runs nothing in production" in by(sandbox, "POST", f"{url}run-again/").json()["error"]["message"]

    lent = make.make_key(cast.team_b, owner=cast.operator, scopes=[INSTALLATION, "models:call", "audit:content"])[1]
    assert "take a key of Team A" in by(lent, "POST", f"{url}run-again/").json()["error"]["message"]

    stopped = post(bob, f"/api/batches/{by_bob.public_id}/cancel/")
    assert (stopped.status_code, stopped.json()["state"]) == (200, "cancelling")
    assert post(bob, f"{url}cancel/").json()["error"]["code"] == "batch_over"
    output = bob.get(f"{url}files/output/")
    assert b"".join(output.streaming_content) == b'{"custom_id": "ticket-1"}\n'
    assert AuditEvent.objects.filter(action="file.read", actor_id=cast.bob.pk).count() == 1
    for what in ("errors", "input"):
        assert bob.get(f"{url}files/{what}/").status_code == 404

    carla, charlie = as_(make.make_member(cast.team_a, role=Role.MEMBER)), as_(cast.charlie)
    assert carla.get(url).status_code == 200
    for refused in (post(carla, f"{url}run-again/"), post(carla, f"{url}cancel/"), carla.get(f"{url}files/output/")):
        assert refused.status_code == 403
    for hidden in (post(charlie, f"{url}run-again/"), charlie.get(url), charlie.get("/api/batches/?team=team-a")):
        assert hidden.status_code == 404
    assert charlie.get("/api/batches/").json()["data"] == [] and Batch.objects.count() == 3


def test_it_deletes_a_batch_that_is_over(cast: Cast, as_: As, batch: Batch) -> None:
    bob, url = as_(cast.bob), f"/api/batches/{batch.public_id}/"
    assert bob.delete(url).status_code == 409
    over(batch)
    assert as_(make.make_member(cast.team_a, role=Role.MEMBER)).delete(url).status_code == 403
    assert bob.delete(url).status_code == 204
    assert not Batch.objects.exists() and not File.objects.exists()
    assert AuditEvent.objects.get(action="batch.deleted").surface == "console"


def test_it_takes_a_file(cast: Cast, as_: As, monkeypatch: pytest.MonkeyPatch) -> None:
    bob = as_(cast.bob)
    given = {"team": "team-a", "endpoint": CHAT, "environment": "sandbox"}

    def send(**fields: Any) -> Any:
        file, headers = (
            SimpleUploadedFile("tickets.jsonl", fields.pop("content", jsonl(line(1)))),
            fields.pop("headers", {}),
        )
        return bob.post("/api/batches/", given | {"file": file} | fields, headers=headers)

    made = send()
    assert made.status_code == 201, made.text
    kept = Batch.objects.get()
    assert made.json()["id"] == kept.public_id and (kept.person, kept.environment) == (cast.bob, "sandbox")
    for fields, param in (
        ({"endpoint": "/v1/nothing"}, "endpoint"),
        ({"content": b""}, "file"),
        ({"window": "24h"}, "window"),
        ({"file": ""}, "file"),
    ):
        wrong = send(**fields)
        assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, param), wrong.text
    assert send(team="team-b").status_code == 404 and Batch.objects.count() == 1

    # No transaction waits until the file is written, and of two that are sent with one key one makes a batch.
    write, depths, others = storage.Writer.write, set(), []

    def written_meanwhile(writer: storage.Writer, data: bytes) -> None:
        depths.add(len(connection.savepoint_ids))
        if not others:
            others.append(None)
            others[0] = send(headers={"Idempotency-Key": "once"})
        write(writer, data)

    monkeypatch.setattr(storage.Writer, "write", written_meanwhile)
    late = send(headers={"Idempotency-Key": "once"})
    assert depths == {len(connection.savepoint_ids)}
    assert (late.json(), late["Idempotent-Replayed"]) == (others[0].json(), "true")
    assert Batch.objects.count() == File.objects.count() == 2
    assert AuditEvent.objects.filter(action="file.deleted").count() == 1
    assert send(headers={"Idempotency-Key": "once"}).json() == late.json() and File.objects.count() == 2
    other = send(headers={"Idempotency-Key": "once"}, content=jsonl(line(2)))
    assert (other.status_code, File.objects.count()) == (422, 2)
