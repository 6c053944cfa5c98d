"""/v1/files and /v1/batches as OpenAI's own client uses them, and what they refuse."""

import datetime as dt
import json
import threading
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest
from django.db import connections, transaction

from console.audit.models import AuditEvent
from console.batches.models import Batch, File
from console.batches.services.batches import delete_batch
from console.teams.actors import Actor
from console.teams.callers import SYSTEM
from console.teams.services.keys import rotate_key
from tests import make, sdks
from tests.api.v1.conftest import sdk as sdk
from tests.batches.conftest import CHAT, jsonl, line
from tests.between import somebody_waits
from tests.gateway.conftest import World
from tests.live import LiveServer
from tests.waiting import until

Run = Callable[[Batch], Batch]


def test_a_file_becomes_a_batch_becomes_results(sdk: Any, world: World, run: Run) -> None:
    """The round trip of OpenAI's documentation."""
    uploaded = sdk.files.create(file=("tickets.jsonl", jsonl(line(1), line(2, model="nobody"))), purpose="batch")
    assert (uploaded.object, uploaded.filename, uploaded.purpose) == ("file", "tickets.jsonl", "batch")
    batch = sdk.batches.create(
        input_file_id=uploaded.id, endpoint=CHAT, completion_window="24h", metadata={"nightly": "yes"}
    )
    assert (batch.status, batch.metadata, batch.object) == ("validating", {"nightly": "yes"}, "batch")
    run(Batch.objects.get())
    batch = sdk.batches.retrieve(batch.id)
    assert (batch.status, batch.errors, batch.request_counts.total) == ("completed", None, 2)
    assert (batch.request_counts.completed, batch.request_counts.failed) == (1, 1)
    assert batch.usage.total_tokens == batch.usage.input_tokens + batch.usage.output_tokens > 0
    assert batch.created_at <= batch.in_progress_at <= batch.finalizing_at <= batch.completed_at < batch.expires_at
    [answer] = [json.loads(one) for one in sdk.files.content(batch.output_file_id).text.splitlines()]
    assert answer["custom_id"] == "ticket-1" and answer["error"] is None
    assert answer["response"]["body"]["object"] == "chat.completion"
    error = json.loads(sdk.files.content(batch.error_file_id).text)
    assert (error["custom_id"], error["response"]["status_code"]) == ("ticket-2", 404)
    assert [b.id for b in sdk.batches.list()] == [batch.id]
    read = AuditEvent.objects.filter(action="file.read")
    assert {(e.surface, e.actor_id) for e in read} == {("api", world.key.pk)} and read.count() == 2
    assert sdk.files.delete(uploaded.id).deleted
    with pytest.raises(sdks.openai.NotFoundError):
        sdk.files.retrieve(uploaded.id)
    assert set(AuditEvent.objects.filter(surface="api", type="admin").values_list("action", flat=True)) == {
        "file.uploaded",
        "file.deleted",
        "batch.created",
    }


def test_it_pages_through_files(sdk: Any, creator: Any) -> None:
    made = [sdk.files.create(file=(f"{n}.jsonl", b"{}"), purpose="batch").id for n in range(5)]
    sdk.files.create(file=("note.txt", b"hello"), purpose="user_data")
    assert [f.id for f in sdk.files.list(purpose="batch", limit=2)] == made[::-1]
    assert [f.id for f in sdk.files.list(purpose="batch", limit=2, order="asc")] == made
    page = sdk.files.list(limit=2, after=made[-1])
    assert [f.id for f in page.data] == made[-2:-4:-1] and page.has_more


def test_responses_run_too(sdk: Any, world: World, run: Run) -> None:
    url = "/v1/responses"
    one = {"custom_id": "r", "method": "POST", "url": url, "body": {"model": "support-chat", "input": "Where?"}}
    file = sdk.files.create(file=("responses.jsonl", jsonl(one)), purpose="batch")
    batch = sdk.batches.create(input_file_id=file.id, endpoint=url, completion_window="24h")
    run(Batch.objects.get())
    done = sdk.batches.retrieve(batch.id)
    answer = json.loads(sdk.files.content(done.output_file_id).text)["response"]
    assert answer["body"]["object"] == "response" and answer["body"]["status"] == "completed"
    assert answer["body"]["usage"]["total_tokens"] == 28 and answer["request_id"]
    assert (done.usage.input_tokens, done.usage.output_tokens, done.usage.total_tokens) == (23, 5, 28)


def test_embeddings_and_completions_run_too(sdk: Any, world: World, run: Run) -> None:
    model = make.make_model("vectors", provider=world.provider, capabilities=["embedding"])
    make.make_alias("embed", production=model)
    world.upstream.enqueue(
        {
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
            "model": "vectors",
            "usage": {"prompt_tokens": 3, "total_tokens": 3},
        }
    )
    one = {"custom_id": "v", "method": "POST", "url": "/v1/embeddings", "body": {"model": "embed", "input": "Where?"}}
    file = sdk.files.create(file=("vectors.jsonl", jsonl(one)), purpose="batch")
    batch = sdk.batches.create(input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h")
    run(Batch.objects.get())
    output = sdk.files.content(sdk.batches.retrieve(batch.id).output_file_id).text
    assert json.loads(output)["response"]["body"]["data"][0]["embedding"] == [0.5, 0.25]


def test_it_refuses_in_openais_shape_and_on_record(
    client: httpx.Client, world: World, sdk: Any, settings: Any, run: Run
) -> None:
    def code(response: httpx.Response) -> tuple[int, str, str | None]:
        error = response.json()["error"]
        return response.status_code, error["code"], error["param"]

    good = sdk.files.create(file=("a.jsonl", jsonl(line(1))), purpose="batch").id
    note = sdk.files.create(file=("a.txt", b"hello"), purpose="user_data").id
    want = {"input_file_id": good, "endpoint": CHAT, "completion_window": "24h"}
    post = client.post
    assert code(post("/v1/files", json={})) == (415, "unsupported_media_type", None)
    assert code(post("/v1/files", files={"file": ("a", b"x")})) == (400, "invalid_request", "purpose")
    assert code(post("/v1/files", data={"purpose": "batch"}, files={"other": b"x"})) == (400, "invalid_request", "file")
    assert code(post("/v1/files", data={"purpose": "batch"}, files={"file": ("a", b"")}))[0] == 400
    assert code(post("/v1/batches", json={**want, "endpoint": "/v1/nothing"})) == (400, "invalid_request", "endpoint")
    assert code(post("/v1/batches", json={**want, "completion_window": "1h"}))[2] == "completion_window"
    assert code(post("/v1/batches", json={**want, "input_file_id": note}))[2] == "input_file_id"
    assert code(post("/v1/batches", json={**want, "input_file_id": "file-1"})) == (404, "not_found", None)
    assert code(post("/v1/batches", json={**want, "metadata": {"a": 1}}))[2] == "metadata"
    assert code(post("/v1/batches", json={}))[2] == "input_file_id"
    assert code(client.get("/v1/files?limit=0"))[2] == "limit"
    assert code(client.get("/v1/files?order=up"))[2] == "order"
    assert code(client.get(f"/v1/files/{note}/other")) == (404, "unknown_route", None)
    assert client.put("/v1/files").status_code == client.delete("/v1/batches").status_code == 405
    settings.FILE_MAX_BYTES = 1024
    large = post("/v1/files", data={"purpose": "batch"}, files={"file": ("a", b"x" * 100_000)})
    assert code(large) == (413, "request_too_large", None)
    small = post("/v1/files", data={"purpose": "batch"}, files={"file": ("a", b"x" * 1025)})
    assert code(small) == (413, "request_too_large", None)
    refused = AuditEvent.objects.filter(type__in=["files", "batches"])
    assert refused.count() == 14 and {e.status for e in refused} == {"refused"}
    assert File.objects.count() == 2, "what was refused leaves nothing behind"
    batch = post("/v1/batches", json=want).json()["id"]
    assert code(client.delete(f"/v1/files/{good}")) == (409, "file_in_use", None)
    assert post(f"/v1/batches/{batch}/cancel").json()["status"] == "cancelling"
    assert run(Batch.objects.get()).state == "cancelled"
    assert post(f"/v1/batches/{batch}/cancel").json()["status"] == "cancelled"


def test_what_is_sent_twice_with_one_key_is_made_once(client: httpx.Client, server: LiveServer, world: World) -> None:
    def post(path: str, key: str, *, who: str = world.key_text, **sent: Any) -> httpx.Response:
        return client.post(path, headers={"Idempotency-Key": key, "Authorization": f"Bearer {who}"}, **sent)

    def upload(key: str, content: bytes = jsonl(line(1)), **more: Any) -> httpx.Response:
        return post("/v1/files", key, data={"purpose": "batch"}, files={"file": ("a.jsonl", content)}, **more)

    first, second = upload("nightly"), upload("nightly")
    assert first.json() == second.json() and File.objects.count() == 1
    assert "x-facet-idempotent-replay" not in first.headers and second.headers["x-facet-idempotent-replay"] == "true"
    assert second.headers["x-facet-original-request-id"] == first.headers["x-request-id"]
    other = upload("nightly", jsonl(line(2)))
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert upload("k" * 256).status_code == upload("\x7f").status_code == 400 and File.objects.count() == 1
    _, colleague = make.make_key(world.team, "colleague")
    assert upload("nightly", who=colleague).json()["id"] != first.json()["id"], "a key of somebody else's"

    want = {"input_file_id": first.json()["id"], "endpoint": CHAT, "completion_window": "24h"}
    refused = post("/v1/batches", "nightly", json={**want, "endpoint": "/v1/nothing"})
    created = [post("/v1/batches", "nightly", json=want) for _ in range(2)]
    assert refused.status_code == 400, "a refusal does not hold the key"
    assert created[0].json() == created[1].json() and Batch.objects.count() == 1
    assert created[1].headers["x-facet-idempotent-replay"] == "true"
    assert post("/v1/batches", "nightly", json={**want, "metadata": {"a": "b"}}).status_code == 422
    assert AuditEvent.objects.filter(action="call.replayed").count() == 2


def test_others_see_what_they_may(client: httpx.Client, server: LiveServer, world: World, sdk: Any) -> None:
    """Another team's key sees nothing; a key of the team sees that there is a file, and reads it if it may."""
    mine = sdk.files.create(file=("a.jsonl", jsonl(line(1))), purpose="batch").id
    client.post("/v1/batches", json={"input_file_id": mine, "endpoint": CHAT, "completion_window": "24h"})
    batch = client.get("/v1/batches").json()["data"][0]["id"]

    def as_key(key: str, path: str, method: str = "GET") -> int:
        return client.request(method, path, headers={"Authorization": f"Bearer {key}"}).status_code

    _, strangers = make.make_key(make.make_team("Strangers"), "spy")
    _, plain = make.make_key(world.team, "plain", scopes=["models:call", "usage:read"])
    _, blind = make.make_key(world.team, "blind", scopes=["models:call"])
    _, reader = make.make_key(world.team, "reader", scopes=["models:call", "usage:read", "audit:content"])
    paths = [f"/v1/files/{mine}", f"/v1/files/{mine}/content", f"/v1/batches/{batch}"]
    assert [as_key(strangers, path) for path in paths] == [404, 404, 404]
    assert [as_key(blind, path) for path in paths] == [404, 404, 404]
    cancel = f"/v1/batches/{batch}/cancel"
    assert as_key(strangers, cancel, "POST") == as_key(strangers, f"/v1/files/{mine}", "DELETE") == 404
    theirs = {"input_file_id": mine, "endpoint": CHAT, "completion_window": "24h"}
    spied = client.post("/v1/batches", json=theirs, headers={"Authorization": f"Bearer {strangers}"})
    assert spied.status_code == 404 and Batch.objects.get().state == "validating"
    assert [as_key(plain, path) for path in paths] == [200, 403, 200]
    assert [as_key(reader, path) for path in paths] == [200, 200, 200]
    assert as_key(plain, f"/v1/batches/{batch}/cancel", "POST") == as_key(plain, f"/v1/files/{mine}", "DELETE") == 403
    assert as_key("fk_live_x", "/v1/files") == as_key("fk_live_x", f"/v1/batches/{batch}/cancel", "POST") == 401
    heir, key = "", world.key
    for _ in range(2):
        key, heir = rotate_key(actor=SYSTEM, key=key, overlap=dt.timedelta(hours=1))
        assert [as_key(heir, path) for path in paths] == [200, 200, 200]
    assert as_key(heir, cancel, "POST") == 200
    content = client.get(f"/v1/files/{mine}/content")
    assert content.headers["content-disposition"] == f'attachment; filename="{mine}"'
    assert content.headers["content-type"] == "application/octet-stream"
    Batch.objects.all().delete()


def test_deleting_a_batch_removes_no_file_of_somebody_else(
    client: httpx.Client, world: World, sdk: Any, run: Run
) -> None:
    """Whoever may read content may make a batch of another key's file, and delete what they made: the batch."""
    theirs = sdk.files.create(file=("tickets.jsonl", jsonl(line(1))), purpose="batch").id
    _, reader = make.make_key(world.team, "reader", scopes=["models:call", "usage:read", "audit:content"])
    headers = {"Authorization": f"Bearer {reader}"}
    assert client.delete(f"/v1/files/{theirs}", headers=headers).status_code == 403
    body = {"input_file_id": theirs, "endpoint": CHAT, "completion_window": "24h"}
    assert client.post("/v1/batches", json=body, headers=headers).status_code == 200
    batch = run(Batch.objects.get())
    assert batch.output_file_id is not None
    delete_batch(actor=Actor("key", batch.key_id, "reader"), batch=batch)
    assert [file.public_id for file in File.objects.all()] == [theirs], "what the batch answered is gone"


def test_the_last_of_two_batches_deleted_at_once_takes_their_input_along(
    client: httpx.Client, world: World, sdk: Any
) -> None:
    file = sdk.files.create(file=("tickets.jsonl", jsonl(line(1))), purpose="batch").id
    for _ in range(2):
        sdk.batches.create(input_file_id=file, endpoint=CHAT, completion_window="24h")
    Batch.objects.update(state="cancelled")
    first, second = Batch.objects.all()

    def delete_second() -> None:
        try:
            delete_batch(actor=SYSTEM, batch=second)
        finally:
            connections.close_all()

    thread = threading.Thread(target=delete_second)
    with transaction.atomic():
        delete_batch(actor=SYSTEM, batch=first)
        thread.start()
        until(lambda: somebody_waits() or not thread.is_alive(), "the second waits for the first")
    thread.join()
    assert not File.objects.exists() and not Batch.objects.exists()
