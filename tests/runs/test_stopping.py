"""A web process that is told to stop lets those go who wait for others' work, with what there is."""

import threading

import httpx2 as httpx

from agents_app.models import Run
from agents_app.services import queues
from console.teams.actors import SYSTEM
from tests.live import WebProcess
from tests.runs.conftest import Shop
from tests.waiting import until


def test_who_waits_gets_the_present_state_and_events_end_whole(shop: Shop, committed_db: None) -> None:
    queue = queues.create_queue(actor=SYSTEM, team=shop.world.team, slug="tickets", name="Tickets")
    item, _ = queues.put(queue=queue, body={"message": "17"}, put_by_name="shop")
    web = WebProcess(grace=20).wait()  # far less than they would wait
    said: dict[str, httpx.Response] = {}
    body = {"input": {"message": "Count."}}
    followed = httpx.post(f"{web.url}/v1/agents/clerk/runs", json=body, headers=shop.world.headers, timeout=60).json()

    sent = threading.Semaphore(0)

    def seen(event: str, info: object) -> None:
        if event == "http11.send_request_body.complete":
            sent.release()

    def ask(method: str, path: str, **more: object) -> threading.Thread:
        def wait() -> None:
            with httpx.Client(base_url=web.url, headers=shop.world.headers, timeout=120) as client:
                said[path] = client.request(method, path, extensions={"trace": seen}, **more)

        thread = threading.Thread(target=wait)
        thread.start()
        return thread

    def chat(name: str, headers: dict[str, str], **more: object) -> threading.Thread:
        body = {"model": "agent:clerk", "messages": [{"role": "user", "content": name}], **more}
        return ask("POST", f"/v1/chat/completions?{name}", json=body, headers=shop.world.headers | headers)

    paths = (
        "/v1/agents/clerk/runs",
        f"/v1/queues/tickets/items/item_{item.pk.hex}?wait=60",
        f"/v1/agents/clerk/runs/{followed['id']}/events",
    )
    try:
        waiting = [ask("GET", path) for path in paths[1:]]
        assert all(sent.acquire(timeout=60) for _ in waiting), "who only looks has asked before the others"
        waiting.append(ask("POST", paths[0], json=body | {"wait": 60}))
        waiting += [chat("plain", {}), chat("again", {"Idempotency-Key": "17"}), chat("stream", {}, stream=True)]
        until(lambda: Run.objects.count() == 5, "five runs were begun")
        assert not said
        web.process.terminate()
        for thread in waiting:
            thread.join(60)
        web.process.wait(60)
        assert "exceeded" not in web.complaints()
    finally:
        web.stop()
    started, shown, events = (said[path] for path in paths)
    assert (started.status_code, started.json()["status"]) == (202, "queued")
    assert (shown.status_code, shown.json()["status"]) == (200, "ready")
    plain, again, stream = (said[f"/v1/chat/completions?{name}"] for name in ("plain", "again", "stream"))
    assert (plain.status_code, again.status_code, again.headers["retry-after"]) == (422, 503, "2")
    for answer in (plain, again, stream):
        error, run = answer.json()["error"], Run.objects.get(pk=answer.headers["x-facet-run"].removeprefix("run_"))
        assert error["code"] == "run_goes_on" and run.public_id in error["message"] and run.state == "queued"
    assert events.status_code == 200 and events.text.startswith("event: run\n"), "it ended as a whole answer does"
