"""Agents that call agents: how deep is counted in the database, limited, and explained where it ends."""

import json
import time

import httpx2 as httpx
from django.test import Client

from agents_app.models import Firing, QueueItem, Run
from agents_app.services.triggers import create_trigger
from agents_app.tools.queue.kind import WorkQueue
from agents_app.triggers import beat
from console.core import signing
from console.core.crypto import encrypt
from tests import make
from tests.runs.conftest import Shop
from tests.runs.scripts import wants, words


def delegate(shop: Shop, url: str, **fields) -> None:
    """Give clerk a tool that starts a run of clerk itself, with a key of its own."""
    _, key = make.make_key(shop.world.team, "clerk")
    secret = {"in": "header", "name": "Authorization", "prefix": "Bearer "}
    config = {"method": "POST", "url": url, "body": "rest", "secret": secret, **fields}
    properties = {name: {"type": "object"} for name in ("input",)}
    parameters = {"type": "object", "properties": properties, "required": ["input"]}
    shop_tool = {"kind": "http", "effect": "read", "config": config, "parameters": parameters, "secret": encrypt(key)}
    make.make_tool(shop.world.team, "delegate", **shop_tool)
    make.publish_agent(shop.agent, grants=[{"tool": "delegate"}])


def test_an_agent_that_calls_itself_is_stopped_at_a_depth_and_the_page_says_why(shop: Shop, server, settings) -> None:
    settings.AGENT_MOST_DEPTH = 2
    delegate(shop, f"{server.url}/v1/agents/clerk/runs")
    call = wants(("delegate", {"input": {"message": "You do it."}}))
    shop.go(shop.start())  # answered in words: it calls nobody
    assert Run.objects.count() == 1
    run = shop.start("Do it.")
    for depth in range(3):
        shop.says(call, words("Somebody does it."))
        run = shop.go(run)
        assert (run.state, run.depth) == ("succeeded", depth)
        if depth < 2:
            run = Run.objects.get(called_by=run)
    assert Run.objects.count() == 4, "the third does not call a fourth"
    step = run.steps.get(kind="tool")
    assert step.is_error and "clerk > clerk > clerk > clerk" in step.output["content"]
    olga = Client()
    olga.force_login(
        make.make_user("olga@example.com", is_superuser=True),
        backend="allauth.account.auth_backends.AuthenticationBackend",
    )
    shown = olga.get(f"/runs/{run.public_id}/?step={step.number}").content.decode()
    assert "called each other 2 deep, which is the most" in shown and "AGENT_MOST_DEPTH" in shown
    assert "a tool of another run</a>, depth 2" in shown

    # Over chat completions it is the same; whoever names a run that is not here starts at nothing.
    body = {"model": "agent:clerk", "messages": [{"role": "user", "content": "Do it."}]}
    with httpx.Client(base_url=server.url, headers=shop.world.headers, timeout=60) as client:
        refused = client.post("/v1/chat/completions", json=body, headers={"X-Facet-Run": run.public_id})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "too_deep")
        for name in ("run_0", "run_" + "f" * 32, "\u00e9"):
            started = client.post(
                "/v1/agents/clerk/runs",
                json={"input": {"message": "x"}},
                headers={"X-Facet-Run": name.encode("latin-1")},
            )
            assert Run.objects.get(pk=started.json()["id"][4:]).depth == 0


def test_work_that_a_run_puts_into_its_own_queue_and_hooks_it_calls_count_too(shop: Shop, settings) -> None:
    settings.AGENT_MOST_DEPTH = 1
    queue = make.make_queue(shop.world.team, "work", most_attempts=1)
    config = {"queue": "work", "action": "put"}
    make.make_tool(shop.world.team, "put", kind="queue", config=config, parameters=WorkQueue().schema(config, {}))
    make.publish_agent(shop.agent, grants=[{"tool": "put"}])
    fields = {"actor": make.actor_for(shop.ada), "agent": shop.agent, "owner": shop.ada, "environment": "production"}
    shop.agent.refresh_from_db()
    create_trigger(kind="queue", name="Work", config={"queue": "work"}, **fields)
    run = shop.start("Put more.")
    for _ in range(2):
        shop.says(wants(("put", {"body": {"message": "Put more."}})), words())
        run = shop.go(run)
        beat.tick()
        run = Run.objects.filter(called_by=run).first() or run
    beat.tick()
    assert Run.objects.count() == 2 and run.depth == 1
    parked = Firing.objects.get(state="parked")
    assert "called each other 1 deep" in parked.trouble
    item = QueueItem.objects.get(put_by_run=run)
    assert item.state == "parked" and "1 deep" in item.trouble and item.queue == queue

    hook, secret = create_trigger(kind="webhook", name="Hook", config={"source": "plain"}, **fields)
    raw = json.dumps({"message": "x"}).encode()
    headers = {"X-Facet-Signature": signing.sign(secret, raw, int(time.time())), "X-Facet-Run": run.public_id}
    refused = Client().post(f"/hooks/{hook.pk}/", raw, content_type="application/json", headers=headers)
    assert refused.status_code == 422 and "1 deep" in refused.json()["error"]["message"]
