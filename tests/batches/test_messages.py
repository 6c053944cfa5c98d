"""/v1/messages/batches as Anthropic's own client uses it, and what it refuses."""

from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest

from console.api.v1 import message_batches
from console.audit.models import AuditEvent
from console.batches.models import Batch, File, Line
from console.batches.services.batches import delete_batch, rerun_batch
from console.batches.services.files import delete_file, prune_files
from console.catalog.models import Provider
from console.core.clock import now
from console.teams.actors import SYSTEM
from console.teams.services.keys import change_key
from tests import claude, make, sdks
from tests.api.v1.conftest import anthropic_sdk as anthropic_sdk
from tests.api.v1.conftest import sdk as sdk
from tests.batches.conftest import content, jsonl
from tests.gateway.conftest import World
from tests.live import LiveServer

Run = Callable[[Batch], Batch]


def request(name: str, **more: Any) -> dict[str, Any]:
    params = {"model": "support-chat", "max_tokens": 20, "messages": [{"role": "user", "content": f"About {name}?"}]}
    return {"custom_id": name, "params": params | more}


@pytest.fixture
def at_home(settings: Any, server: LiveServer) -> None:
    """Results are at an address of the installation's own."""
    settings.BASE_URL = server.url


def test_requests_become_a_batch_becomes_results(anthropic_sdk: Any, world: World, run: Run, at_home: None) -> None:
    """The round trip of Anthropic's documentation; what is wrong with one request is said of that one."""
    batches = anthropic_sdk.messages.batches
    wanted = [request("one"), request("two", model="nobody"), request("three", max_tokens=0), request("é" * 100)]
    batch = batches.create(requests=wanted, extra_headers={"X-Facet-Metadata": '{"project": "books"}'})
    assert (batch.type, batch.processing_status, batch.results_url) == ("message_batch", "in_progress", None)
    assert batch.id.startswith("msgbatch_") and batch.request_counts.processing == 4
    assert batch.created_at < batch.expires_at and batch.ended_at is batch.cancel_initiated_at is None
    run(Batch.objects.get())
    batch = batches.retrieve(batch.id)
    counts = batch.request_counts
    assert (batch.processing_status, counts.processing, counts.succeeded, counts.errored) == ("ended", 0, 2, 2)
    assert batch.created_at < batch.ended_at < batch.expires_at
    results = {line.custom_id: line.result for line in batches.results(batch.id)}
    said = results["one"].message
    assert (said.role, said.content[0].type, said.usage.output_tokens) == ("assistant", "text", 5)
    assert results["é" * 100].type == "succeeded"
    missing, wrong = results["two"].error, results["three"].error
    assert (missing.error.type, wrong.error.type) == ("not_found_error", "invalid_request_error")
    assert "nobody" in missing.error.message and wrong.error.message.startswith("max_tokens")
    lines = {call.client_request_id: call for call in world.calls()}
    assert missing.request_id == f"req_{lines['two'].pk.hex}" and lines["three"].status == "refused"
    assert (lines["one"].type, lines["one"].surface, lines["one"].lane) == ("message", "batch", "batch")
    assert lines["one"].metadata == {"project": "books"}
    assert [made.id for made in batches.list()] == [batch.id]
    read = AuditEvent.objects.filter(action="file.read")
    assert {(event.surface, event.actor_id) for event in read} == {("api", world.key.pk)} and read.count() == 2


def test_betas_reach_a_provider_that_speaks_messages(anthropic_sdk: Any, world: World, run: Run, at_home: None) -> None:
    provider = Provider.objects.create(
        slug="anthropic", name="Anthropic", kind="anthropic", base_url=world.upstream.url
    )
    make.make_alias("claude", production=make.make_model("claude-sonnet-5", provider=provider))
    key = world.key
    change_key(key=key, actor=SYSTEM, name=key.name, scopes=key.scopes, unknown_fields="pass")
    world.upstream.enqueue(claude.message(claude.text("Hello.")))
    batch = anthropic_sdk.beta.messages.batches.create(
        requests=[request("one", model="claude")], betas=["interleaved-thinking-2025-05-14"]
    )
    run(Batch.objects.get())
    [result] = anthropic_sdk.messages.batches.results(batch.id)
    assert result.result.message.content[0].text == "Hello."
    assert "interleaved-thinking-2025-05-14" in world.upstream.seen[0].headers["anthropic-beta"]


def test_a_line_of_a_file_names_no_header_of_its_own(world: World, make_batch: Any, run: Run) -> None:
    """What a beta can be called is asked, too, where a file says it: it becomes a header to a provider."""
    one = request("one")
    line = {"custom_id": "one", "method": "POST", "url": "/v1/messages", "body": one["params"]}
    assert run(make_batch(line | {"betas": ["a\r\nx-evil: 1"]}, endpoint="/v1/messages")).completed == 1
    assert "x-evil" not in world.upstream.seen[0].headers
    assert run(make_batch(line | {"betas": "a"}, endpoint="/v1/messages")).errors[0]["param"] == "betas"


def test_it_pages_both_ways(anthropic_sdk: Any, world: World, sdk: Any) -> None:
    batches = anthropic_sdk.messages.batches
    made = [batches.create(requests=[request(str(n))]).id for n in range(5)][::-1]
    file = sdk.files.create(file=("chats.jsonl", jsonl({})), purpose="batch")
    other = sdk.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h").id
    assert [batch.id for batch in batches.list(limit=2)] == made
    page = batches.list(limit=2, after_id=made[1])
    assert [b.id for b in page.data] == made[2:4] and page.has_more and page.first_id == made[2]
    page = batches.list(limit=2, before_id=made[4])
    assert [b.id for b in page.data] == made[2:4] and page.has_more and page.last_id == made[3]
    page = batches.list(limit=2, before_id=made[1])
    assert [b.id for b in page.data] == made[:1] and not page.has_more
    with pytest.raises(sdks.anthropic.NotFoundError, match="v1/batches has the others"):
        batches.retrieve(f"msg{other}")
    assert sdk.batches.retrieve(made[0].removeprefix("msg")).request_counts.total == 1, "of the same batches"


def test_it_is_cancelled_and_deleted(anthropic_sdk: Any, world: World, run: Run, at_home: None) -> None:
    batches = anthropic_sdk.messages.batches
    batch = batches.create(requests=[request("one"), request("two")])
    with pytest.raises(sdks.anthropic.ConflictError, match="cancel it first"):
        batches.delete(batch.id)
    with pytest.raises(sdks.anthropic.ConflictError, match="not ended yet"):
        list(batches._client.get(f"/v1/messages/batches/{batch.id}/results", cast_to=object))
    batch = batches.cancel(batch.id)
    assert (batch.processing_status, batch.request_counts.processing) == ("canceling", 2)
    assert batch.cancel_initiated_at is not None
    run(Batch.objects.get())
    batch = batches.retrieve(batch.id)
    assert (batch.processing_status, batch.request_counts.canceled) == ("ended", 2)
    assert [(line.custom_id, line.result.type) for line in batches.results(batch.id)] == [
        ("one", "canceled"),
        ("two", "canceled"),
    ]
    gone = batches.delete(batch.id)
    assert (gone.id, gone.type) == (batch.id, "message_batch_deleted")
    assert not Batch.objects.exists() and not File.objects.exists() and not Line.objects.exists()
    with pytest.raises(sdks.anthropic.NotFoundError):
        batches.retrieve(batch.id)
    named = AuditEvent.objects.filter(action__in=["batch.deleted", "file.deleted"]).values_list("action", "surface")
    assert sorted(named) == [("batch.deleted", "api"), ("file.deleted", "api"), ("file.deleted", "api")]
    assert not world.upstream.seen


def test_a_batch_whose_time_is_over_says_so(anthropic_sdk: Any, world: World, run: Run, settings: Any) -> None:
    settings.BATCH_WINDOW_SECONDS = 0
    batch = anthropic_sdk.messages.batches.create(requests=[request("one")])
    run(Batch.objects.get())
    told = anthropic_sdk.messages.batches.retrieve(batch.id)
    assert (told.processing_status, told.request_counts.expired) == ("ended", 1)
    answer = anthropic_sdk.messages.batches._client.get(f"/v1/messages/batches/{batch.id}/results", cast_to=str)
    assert '"result":{"type":"expired"}' in answer


def test_results_whose_files_are_gone_have_no_address(
    anthropic_sdk: Any, client: httpx.Client, world: World, run: Run
) -> None:
    batch = anthropic_sdk.messages.batches.create(requests=[request("one"), request("two", max_tokens=0)])
    ended = run(Batch.objects.get())
    delete_file(actor=SYSTEM, file=ended.output_file)
    told = anthropic_sdk.messages.batches.retrieve(batch.id)
    assert told.results_url and told.archived_at is None, "the errors are there"
    File.objects.update(expires_at=now())
    assert prune_files() == 2
    told = anthropic_sdk.messages.batches.retrieve(batch.id)
    assert told.results_url is None and told.ended_at < told.archived_at
    answer = client.get(f"/v1/messages/batches/{batch.id}/results")
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")


def test_results_that_are_deleted_while_they_are_read_break_off(
    client: httpx.Client, world: World, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that ended as usual would say that those were all."""
    made = client.post("/v1/messages/batches", json={"requests": [request("one"), request("two", max_tokens=0)]})
    batch = run(Batch.objects.get())
    assert batch.output_file and batch.error_file, "two files, read one after the other"
    told = message_batches._result_line

    def delete_meanwhile(line: dict[str, Any]) -> bytes:
        Batch.objects.exists() and delete_batch(actor=SYSTEM, batch=batch)
        return told(line)

    monkeypatch.setattr(message_batches, "_result_line", delete_meanwhile)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(f"/v1/messages/batches/{made.json()['id']}/results")


def test_what_failed_is_run_again_and_what_is_no_call_fails_again(
    anthropic_sdk: Any, world: World, run: Run, creator: Any
) -> None:
    anthropic_sdk.messages.batches.create(requests=[request("one"), request("two", max_tokens=0)])
    first = run(Batch.objects.get())
    second = run(rerun_batch(creator=creator, batch=first))
    assert (second.state, second.total, second.failed) == ("completed", 1, 1)
    assert content(second.error_file)[0]["response"]["body"]["error"]["param"] == "max_tokens"


def test_a_batch_may_be_larger_than_a_call(anthropic_sdk: Any, world: World, run: Run, settings: Any) -> None:
    settings.GATEWAY_BODY_BYTES = 1024
    anthropic_sdk.messages.batches.create(requests=[request(f"{n}") for n in range(40)])
    batch = run(Batch.objects.get())
    assert batch.input_file and batch.input_file.bytes > 4096 and batch.completed == 40


def test_what_is_sent_twice_with_one_key_is_made_once(client: httpx.Client, world: World) -> None:
    def post(*requests: Any) -> httpx.Response:
        return client.post("/v1/messages/batches", json={"requests": requests}, headers={"Idempotency-Key": "nightly"})

    first, second = post(request("one")), post(request("one"))
    assert first.json() == second.json() and second.headers["x-facet-idempotent-replay"] == "true"
    assert Batch.objects.count() == File.objects.count() == 1
    assert post(request("two")).status_code == 422


def test_it_refuses_in_anthropics_shape_and_makes_nothing(client: httpx.Client, world: World, settings: Any) -> None:
    settings.BATCH_MAX_LINES = 2

    def said(requests: Any) -> str:
        answer = client.post("/v1/messages/batches", json={"requests": requests})
        assert answer.status_code == 400 and answer.json()["type"] == "error"
        return answer.json()["error"]["message"]

    assert said([]).startswith("requests is a list") and said({}).startswith("requests is a list")
    assert said([request("a"), {"custom_id": "b"}]).startswith("requests[1]: A request is an object")
    assert said([{"custom_id": 1, "params": {}}]).startswith("requests[0].custom_id: It must be")
    assert said([request("a"), request("a")]) == ("requests[1].custom_id: 'a' is the custom_id of requests[0] as well.")
    assert said([request(name) for name in "abc"]) == "A batch has at most 2 requests."
    endless = b'{"requests": [' + b"0, " * 3 + b"no JSON"
    headers = {"Idempotency-Key": "endless", "Content-Type": "application/json"}
    answer = client.post("/v1/messages/batches", content=endless, headers=headers)
    assert "requests[0]: A request is an object" in answer.json()["error"]["message"], "nor is the rest looked at"
    settings.GATEWAY_BODY_BYTES = 1024
    settings.BATCH_BODY_BYTES = 2048
    for params, words in (
        ({"system": "x" * 1024}, "requests[0] is larger than 1,024"),
        ({"system": "x" * 2048}, "The body is larger than 2,048"),
    ):
        answer = client.post("/v1/messages/batches", json={"requests": [request("a", **params)]})
        assert (answer.status_code, answer.json()["error"]["type"]) == (413, "request_too_large")
        assert words in answer.json()["error"]["message"]
    assert not Batch.objects.exists() and not File.objects.exists()
    for method, path, allowed in (
        ("PUT", "", "GET, POST"),
        ("POST", "/msgbatch_1", "GET, DELETE"),
        ("GET", "/msgbatch_1/cancel", "POST"),
        ("POST", "/msgbatch_1/results", "GET"),
    ):
        answer = client.request(method, f"/v1/messages/batches{path}")
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert client.get("/v1/messages/batches/msgbatch_1").status_code == 404
    assert client.get("/v1/messages/batches?limit=0").status_code == 400


def test_others_see_what_they_may(client: httpx.Client, world: World, run: Run) -> None:
    made = client.post("/v1/messages/batches", json={"requests": [request("one")]}).json()["id"]
    run(Batch.objects.get())
    path = f"/v1/messages/batches/{made}"

    def as_key(key: str, path: str, method: str = "GET") -> int:
        return client.request(method, path, headers={"Authorization": f"Bearer {key}"}).status_code

    _, strangers = make.make_key(make.make_team("Strangers"), "spy")
    _, plain = make.make_key(world.team, "plain", scopes=["models:call", "usage:read"])
    _, reader = make.make_key(world.team, "reader", scopes=["models:call", "usage:read", "audit:content"])
    assert [as_key(strangers, place) for place in (path, f"{path}/results")] == [404, 404]
    assert (as_key(strangers, path, "DELETE"), as_key(strangers, f"{path}/cancel", "POST")) == (404, 404)
    assert (as_key(plain, path), as_key(plain, f"{path}/results"), as_key(plain, path, "DELETE")) == (200, 403, 403)
    assert (as_key(reader, f"{path}/results"), as_key("fk_live_nothing", path)) == (200, 401)
