"""/v1/agents/{slug}/runs and /v1/queues/{name}/items, as programs use them against a real server."""

import datetime as dt
import json
import threading
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import httpx2 as httpx
import pytest

from agents_app.models import QueueItem, Run, Step
from agents_app.services import queues
from agents_app.services.triggers import create_trigger
from console.api.v1 import routes, rows, run_events
from console.api.v1.request import ClientGone
from console.teams.actors import SYSTEM
from console.teams.callers import Caller
from console.teams.services.keys import revoke_key, rotate_key
from tests import make
from tests.runs.conftest import Shop
from tests.runs.scripts import wants, words
from tests.waiting import until


@pytest.fixture
def client(shop: Shop, server):
    with httpx.Client(base_url=server.url, headers=shop.world.headers, timeout=60) as made:
        yield made


def test_a_key_finds_no_run_of_another_end_user(client: httpx.Client) -> None:
    said = {"input": {"message": "Count."}}
    bodies = [{**said, "user": "ann"}, said, {**said, "user": "ben"}]
    answers = [client.post("/v1/agents/clerk/runs", json=one, headers={"Idempotency-Key": "u"}) for one in bodies]
    assert [one.status_code for one in answers] == [202, 202, 422] and Run.objects.get().end_user == "ann"
    assert answers[2].json()["error"]["code"] == "idempotency_key_reused"


def test_it_starts_follows_and_shows_a_run(shop: Shop, client: httpx.Client) -> None:
    body = {"input": {"message": "Count."}}
    first = client.post("/v1/agents/clerk/runs", json=body, headers={"Idempotency-Key": "a"})
    again = client.post("/v1/agents/clerk/runs", json=body, headers={"Idempotency-Key": "a"})
    assert (first.status_code, again.status_code) == (202, 202) and first.json()["id"] == again.json()["id"]
    other = {"input": {"message": "Other."}}
    reused = client.post("/v1/agents/clerk/runs", json=other, headers={"Idempotency-Key": "a"})
    assert (reused.status_code, reused.json()["error"]["code"]) == (422, "idempotency_key_reused")
    run = Run.objects.get()
    assert (run.actor_kind, run.actor_id, run.environment) == ("key", shop.world.key.pk, "production")

    shop.says(wants(("count", {"what": "apples"})), words("One."))
    path, seen = f"/v1/agents/clerk/runs/{run.public_id}", []

    def follow() -> None:
        with client.stream("GET", f"{path}/events") as events:
            seen.append(events.headers["content-type"])
            seen.append("".join(events.iter_text()))

    listener = threading.Thread(target=follow)
    listener.start()
    shop.go(run)
    listener.join(60)
    assert not listener.is_alive() and seen[0].startswith("text/event-stream")
    names = [line.removeprefix("event: ") for line in seen[1].splitlines() if line.startswith("event: ")]
    assert names[-1] == "run" and names.count("step") >= 3
    last = json.loads(seen[1].strip().splitlines()[-1].removeprefix("data: "))
    assert (last["status"], last["output"]) == ("succeeded", {"text": "One."})

    shown = client.get(path).json()
    assert [step["kind"] for step in shown["steps"]] == ["model", "tool", "model"]
    assert [one["id"] for one in client.get("/v1/agents/clerk/runs").json()["data"]] == [run.public_id]

    key = shop.world.key
    for _ in range(2):  # whoever follows a key has what it started, and not the other way round
        key, text = rotate_key(actor=SYSTEM, key=key, overlap=dt.timedelta(hours=1))
        head = {"Authorization": f"Bearer {text}"}
        assert client.get(path, headers=head).json() == shown
        with client.stream("GET", f"{path}/events", headers=head) as events:
            told = "".join(events.iter_text())
        assert '"arguments":{"what":"apples"}' in told and told.splitlines()[-2] == seen[1].splitlines()[-2]
        listed = client.get("/v1/agents/clerk/runs", headers=head).json()["data"]
        assert [one["output"] for one in listed] == [{"text": "One."}]
        managed = client.get(f"/api/runs/{run.public_id}/", headers=head)
        assert (managed.status_code, managed.json()["output"]) == (200, {"text": "One."})
    Run.objects.filter(pk=run.pk).update(actor_id=key.pk)
    assert client.get(path).status_code == 404
    assert client.get(path, headers={"Authorization": f"Bearer {text}"}).status_code == 200


def test_it_waits_for_the_end_and_cancels(shop: Shop, client: httpx.Client) -> None:
    waited = client.post("/v1/agents/clerk/runs", json={"input": {"message": "Count."}, "wait": 1})
    assert (waited.status_code, waited.json()["status"]) == (202, "queued")
    cancelled = client.post(f"/v1/agents/clerk/runs/{waited.json()['id']}/cancel")
    assert cancelled.json()["status"] == "cancelled"


def test_it_refuses_and_hides(shop: Shop, client: httpx.Client, server) -> None:
    run = shop.start()
    wrong = [({"input": {}}, 400), ({"input": {"message": "x"}, "wait": -1}, 400), ({"model": "x"}, 400), ([], 400)]
    for body, status in wrong:
        assert client.post("/v1/agents/clerk/runs", json=body).status_code == status
    assert client.post("/v1/agents/nobody/runs", json={"input": {"message": "x"}}).status_code == 404
    assert client.delete("/v1/agents/clerk/runs").status_code == 405
    _, text = make.make_key(make.make_team("Others"))
    stranger = {"Authorization": f"Bearer {text}"}
    for path in ("/v1/agents/clerk/runs", f"/v1/agents/clerk/runs/{run.public_id}"):
        assert client.get(path, headers=stranger).status_code == 404
    assert client.post(f"/v1/agents/clerk/runs/{run.public_id}/cancel", headers=stranger).status_code == 404
    assert client.get("/v1/agents/clerk/runs", headers={"Authorization": "Bearer x"}).status_code == 401
    assert Run.objects.count() == 1
    _, text = make.make_key(shop.world.team, scopes=["models:call", "audit:read", "prompts:write"])
    stopped = client.post(
        f"/v1/agents/clerk/runs/{run.public_id}/cancel", headers={"Authorization": f"Bearer {text}"}
    ).json()
    assert (stopped["status"], stopped["input"]) == ("cancelled", None), "to stop it is not to read it"
    again = {"again": {"run": run.public_id, "step": 1}}
    repeated = client.post("/v1/agents/clerk/runs", json=again, headers={"Authorization": f"Bearer {text}"})
    assert repeated.status_code == 403, "nor is to see it to go on with what it read"


def test_it_finds_a_run_again_by_the_longest_key(shop: Shop, client: httpx.Client) -> None:
    longest = ["a" * 254 + end for end in "bc"]
    ids = [
        client.post(
            "/v1/agents/clerk/runs", json={"input": {"message": "Count."}}, headers={"Idempotency-Key": key}
        ).json()["id"]
        for key in (*longest, *longest)
    ]
    assert ids[:2] == ids[2:] and Run.objects.count() == 2


def test_it_reads_only_the_steps_that_changed_and_few_at_once(shop: Shop, client: httpx.Client, monkeypatch) -> None:
    """Their outputs may be large, and a run is looked at twice a second for as long as anybody follows it."""
    monkeypatch.setattr(run_events, "_STEPS_AT_ONCE", 1)
    client.post("/v1/agents/clerk/runs", json={"input": {"message": "Count."}})
    run = Run.objects.get()
    for number in (1, 2, 3):
        Step.objects.create(run=run, number=number, turn=1, kind="tool", state="done", output={"text": "x"})
    seen: dict[int, str] = {1: "done", 2: "intended", 3: "done"}
    asked = cast(Any, SimpleNamespace(caller=Caller(actor=SYSTEM, is_operator=True)))
    look = run_events._look(asked, "clerk", run.public_id, seen)
    assert [step.number for step in look.steps] == [2] and not look.has_more
    seen[2] = "done"
    assert run_events._look(asked, "clerk", run.public_id, seen).steps == []
    Run.objects.filter(pk=run.pk).update(state=Run.State.CANCELLED)
    with client.stream("GET", f"/v1/agents/clerk/runs/{run.public_id}/events") as events:
        names = [line for line in events.iter_lines() if line.startswith("event: ")]
    assert names == ["event: step"] * 3 + ["event: run"]


def test_it_stops_telling_a_key_whose_access_ended(shop: Shop, client: httpx.Client) -> None:
    run = client.post("/v1/agents/clerk/runs", json={"input": {"message": "Count."}}).json()
    with client.stream("GET", f"/v1/agents/clerk/runs/{run['id']}/events") as events:
        lines = events.iter_lines()
        assert next(lines) == "event: run"
        revoke_key(actor=SYSTEM, key=shop.world.key)
        rest = list(lines)  # which ends though the run waits
    assert rest[-3] == "event: error" and '"code":"access_ended"' in rest[-2]


def noting_who_left(route: Callable[..., Awaitable[None]], name: str, gone: set[str]) -> Callable[..., Any]:
    async def answer(*given: Any) -> None:
        try:
            await route(*given)
        except ClientGone:
            gone.add(name)
            raise

    return answer


def test_who_waits_with_a_key_whose_access_ended_is_told(
    shop: Shop, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody works on these runs and this item, so who asks for them waits."""
    queue = queues.create_queue(actor=SYSTEM, team=shop.world.team, slug="tickets", name="Tickets")
    item, _ = queues.put(queue=queue, body={"message": "17"}, put_by_name="shop")
    chat = {"model": "agent:clerk", "messages": [{"role": "user", "content": "Count."}]}
    asks: dict[str, tuple[str, str, dict[str, Any]]] = {
        "item": ("GET", f"/v1/queues/tickets/items/item_{item.pk.hex}?wait=60", {}),
        "run": ("POST", "/v1/agents/clerk/runs", {"json": {"input": {"message": "Count."}, "wait": 60}}),
        "chat": ("POST", "/v1/chat/completions", {"json": chat}),
        "stream": ("POST", "/v1/chat/completions", {"json": chat | {"stream": True}}),
    }
    said: dict[str, httpx.Response] = {}
    waiting, refreshed = set[str](), rows.Client.refreshed

    def refresh(client: rows.Client) -> rows.Client:
        latest = refreshed(client)
        waiting.add(client.request.id)
        return latest

    def wait(name: str) -> None:
        method, path, more = asks[name]
        said[name] = client.request(method, path, **more)

    monkeypatch.setattr(rows.Client, "refreshed", refresh)
    gone = set[str]()
    for name, route in (("item", "/v1/queues/{name}/items/{id}"), ("run", "/v1/agents/{slug}/runs")):
        method, path, more = asks[name]
        by_method = routes.ROUTES[route]
        monkeypatch.setitem(by_method, method, noting_who_left(by_method[method], name, gone))
        with pytest.raises(httpx.ReadTimeout):
            client.request(method, path, **more, timeout=0.1)
    until(lambda: len(gone) == 2, lambda: f"nobody goes on looking for who has left: {gone}")
    waiting.clear()
    threads = [threading.Thread(target=wait, args=(name,)) for name in asks]
    for thread in threads:
        thread.start()
    until(lambda: len(waiting) == len(asks) or said, lambda: f"all wait: {waiting} {said}")
    revoke_key(actor=SYSTEM, key=shop.world.key)
    for thread in threads:
        thread.join(60)
    assert said.keys() == asks.keys()
    for name, answer in said.items():  # a stream may have begun to say that it is still there
        assert '"code":"access_ended"' in answer.text, name
        assert answer.status_code == 403 or name == "stream", name


def test_work_goes_into_a_queue_and_its_result_comes_out(shop: Shop, client: httpx.Client) -> None:
    queue = queues.create_queue(actor=SYSTEM, team=shop.world.team, slug="tickets", name="Tickets")
    first = client.post("/v1/queues/tickets/items", json={"body": {"message": "17"}, "dedupe_id": "17"})
    again = client.post("/v1/queues/tickets/items", json={"body": {"message": "17"}, "dedupe_id": "17"})
    assert (first.status_code, again.status_code) == (202, 200) and first.json()["id"] == again.json()["id"]
    item = queues.take(queue=queue)
    assert item is not None and item.receipt is not None
    queues.finish(queue=queue, item_id=item.pk, receipt=item.receipt, result={"text": "Done."})
    shown = client.get(f"/v1/queues/tickets/items/{first.json()['id']}?wait=5").json()
    assert (shown["status"], shown["result"]) == ("done", {"text": "Done."})
    # Whoever names the dedupe id learns that the work is there, and not what came of it.
    team, same = shop.world.team, {"body": {"message": "?"}, "dedupe_id": "17"}
    _, other = make.make_key(team)
    _, reader = make.make_key(team, scopes=["models:call", "audit:content"])
    path = f"/v1/queues/tickets/items/{first.json()['id']}"
    for bearer, result in ((other, None), (reader, {"text": "Done."})):
        as_ = {"Authorization": f"Bearer {bearer}"}
        put = client.post("/v1/queues/tickets/items", json=same, headers=as_)
        assert (put.status_code, put.json()["id"], put.json()["result"]) == (200, first.json()["id"], result)
        seen = client.get(path, headers=as_).json()
        assert (seen["status"], seen["result"]) == ("done", result)
        listed = client.get(f"/api/queues/{queue.pk}/items/", headers=as_).json()["data"]
        assert [one["dedupe_id"] for one in listed] == ["17" if result else None]
    key = shop.world.key
    for _ in range(2):
        key, rotated = rotate_key(actor=SYSTEM, key=key, overlap=dt.timedelta(hours=1))
        seen = client.get(path, headers={"Authorization": f"Bearer {rotated}"}).json()
        assert seen["result"] == {"text": "Done."}
    assert client.post("/v1/queues/nothing/items", json={"body": 1}).status_code == 404
    assert client.post("/v1/queues/tickets/items", json={"text": 1}).status_code == 400
    answered = {"body": 1, "callback_url": "https://shop.example.com/results"}
    unsigned = client.post("/v1/queues/tickets/items", json=answered)
    assert unsigned.status_code == 400 and unsigned.json()["error"]["param"] == "callback_url"
    queues.renew_queue_secret(actor=SYSTEM, queue=queue)
    unnamed = client.post("/v1/queues/tickets/items", json=answered)
    assert unnamed.status_code == 400 and unnamed.json()["error"]["code"] == "callback_not_named"
    queues.change_queue(actor=SYSTEM, queue=queue, callback_addresses=["https://shop.example.com"])
    assert client.post("/v1/queues/tickets/items", json=answered).status_code == 202
    assert client.post("/v1/queues/tickets/items", json={"body": 1, "callback_url": 7}).status_code == 400
    assert QueueItem.objects.count() == 2


def test_what_is_put_into_a_queue_is_for_the_key_and_the_environment_that_put_it(
    shop: Shop, client: httpx.Client
) -> None:
    team, path = shop.world.team, "/v1/queues/tickets/items"
    queue = queues.create_queue(actor=SYSTEM, team=team, slug="tickets", name="Tickets")
    _, other = make.make_key(team)
    _, sandbox = make.make_key(team, environment="sandbox")

    def put(body: int, key: str, bearer: str = "") -> httpx.Response:
        as_ = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return client.post(path, json={"body": body}, headers={"Idempotency-Key": key, **as_})

    longest = "k" * 254
    first = put(1, f"{longest}a")
    assert put(1, f"{longest}a").json()["id"] == first.json()["id"]
    assert (put(2, f"{longest}a").status_code, put(1, f"{longest}b").status_code) == (422, 202)
    assert put(1, f"{longest}a", other).json()["id"] != first.json()["id"], "a key is its credential's own"
    assert QueueItem.objects.get(pk=first.json()["id"].removeprefix("item_")).put_by_id == shop.world.key.pk
    assert put(1, "a", sandbox).status_code == 202
    strangers = make.make_team("Others")
    _, stranger = make.make_key(strangers)
    assert put(1, "a", stranger).status_code == 404
    queues.create_queue(actor=SYSTEM, team=strangers, slug="tickets", name="Tickets")
    seen = client.get(f"{path}/{first.json()['id']}", headers={"Authorization": f"Bearer {stranger}"})
    assert seen.status_code == 404, "a queue of the same name has items of its own"
    trigger = {
        "actor": SYSTEM,
        "agent": shop.agent,
        "owner": shop.ada,
        "kind": "queue",
        "config": {"queue": queue.slug},
    }
    create_trigger(**trigger, name="Tries", environment="sandbox")
    assert put(1, "b", sandbox).status_code == 202
    create_trigger(**trigger, name="Works", environment="production")
    refused = put(1, "c", sandbox)
    assert (refused.status_code, QueueItem.objects.count()) == (403, 5) and "production" in refused.text


def test_a_run_says_whose_it_is_and_what_for(shop: Shop, client: httpx.Client) -> None:
    body = {"input": {"message": "Count."}, "user": " customer-1 ", "metadata": {"project": "books"}}
    head = {"X-Facet-Metadata": '{"project": "else", "tier": "gold"}'}
    assert client.post("/v1/agents/clerk/runs", json=body, headers=head).status_code == 202
    run = Run.objects.get()
    assert (run.end_user, run.metadata) == ("customer-1", {"project": "books", "tier": "gold"})
    refused = client.post("/v1/agents/clerk/runs", json={**body, "metadata": {"n": 1}})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "metadata")
    refused = client.post("/v1/agents/clerk/runs", json=body, headers={"X-Facet-Metadata": "x"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "x-facet-metadata")
    refused = client.post("/v1/agents/clerk/runs", json={**body, "user": {"id": 1}})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "user")
    shop.says(words("One."))
    shop.go(run)
    again = client.post("/v1/agents/clerk/runs", json={"again": {"run": run.public_id, "step": 1}})
    latest = Run.objects.latest("created_at")
    assert (again.status_code, latest.end_user, latest.metadata) == (202, "customer-1", run.metadata)
    assert Run.objects.count() == 2
    named = {"json": {"input": {"message": "Count."}}, "headers": {"x-facet-run": run.public_id}}
    client.post("/v1/agents/clerk/runs", **named)
    latest = Run.objects.latest("created_at")
    assert (latest.end_user, latest.metadata) == ("customer-1", run.metadata), "a tool of the run has started it"
    Run.objects.filter(pk=run.pk).update(team=make.make_team("Others"))
    client.post("/v1/agents/clerk/runs", **named)
    latest = Run.objects.latest("created_at")
    assert (latest.end_user, latest.metadata) == ("", None), "whom another team serves is not told"
    assert latest.depth == 1, "but it counts, for a circle may lead through several teams"
