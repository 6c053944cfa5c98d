"""What stays apart: code that was typed in, programs of this machine, the console's own credentials, broken hooks."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from django.test import Client

from agents_app import plugins
from agents_app.engine.runner import advance
from agents_app.models import Run
from agents_app.services import servers
from console.core.errors import Refusal
from console.gateway.errors import AnswerUnrecorded
from console.teams.actors import SYSTEM
from console.teams.models import Role
from tests import make, sdks
from tests.agents.tools.mcp_server import served
from tests.make import client_of
from tests.runs.conftest import Shop
from tests.runs.counting import counted
from tests.runs.scripts import wants, words
from tests.runs.workshop import PARAMETERS, Till


@pytest.fixture
def bella(shop: Shop) -> Any:
    return make.make_member(shop.world.team, make.make_user("bella@example.com"), Role.BUILDER)


@pytest.fixture
def till() -> Iterator[Till]:
    till = Till()
    till.start()
    yield till
    till.stop()


class Hook:
    """What an installed package hooks in. It sees everything, and breaks at what it is told to."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []
        self.breaks_at = ""

    def before_model_call(self, call: Any) -> None:
        self._see("before_model_call", call)

    def after_model_call(self, call: Any, answer: str) -> None:
        self._see("after_model_call", (call, answer))

    def before_tool_call(self, call: Any) -> None:
        self._see("before_tool_call", call)

    def _see(self, name: str, what: Any) -> None:
        self.seen.append((name, what))
        if name == self.breaks_at:
            raise RuntimeError("s3cr3t detail")


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Hook:
    hook = Hook()
    loaded = {"watch": plugins.LoadedPlugin("watch", "watching", "1", hook)}
    monkeypatch.setattr(plugins, "allowed", lambda group: loaded if group == plugins.HOOKS else {})
    return hook


def test_a_hook_that_breaks_fails_its_step_and_the_worker_goes_on(shop: Shop, hook: Hook) -> None:
    hook.breaks_at = "before_tool_call"
    run = shop.run(wants(("count", {"what": "apples"})), words("It did not go."))
    step = run.steps.get(kind="tool")
    assert (run.state, step.state) == ("succeeded", "failed") and not counted(shop.file)
    shown = client_of(shop.ada).get(f"/runs/{run.public_id}/?step={step.number}").content.decode()
    assert "The hook watch broke." in shown and "s3cr3t" not in shown
    for name in ("before_model_call", "after_model_call"):
        hook.breaks_at = name
        run = shop.run(words("Said."))
        assert (run.state, run.code, run.trouble) == ("failed", "hook_failed", "The hook watch broke.")
        assert "The hook watch broke." in client_of(shop.ada).get(f"/runs/{run.public_id}/").content.decode()
    hook.breaks_at = ""
    assert shop.run(words("Again.")).state == "succeeded"


def test_a_hook_sees_an_answer_that_was_taken_from_the_log_and_may_stop_it(
    shop: Shop, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agents_app.engine import model_calls

    whole = model_calls.pipeline.answer

    async def lost(call: Any) -> bytes:
        await whole(call)
        raise AnswerUnrecorded

    for breaks_at, ends in (("", "succeeded"), ("after_model_call", "failed")):
        hook.seen.clear()
        run = shop.start("Hello.")
        shop.says(words("From the log."))
        with monkeypatch.context() as worker:
            worker.setattr(model_calls.pipeline, "answer", lost)
            advance(run.pk)
        assert [name for name, _ in hook.seen] == ["before_model_call"]
        assert run.steps.get().state == "intended"
        hook.breaks_at = breaks_at
        run = shop.go(run)
        assert run.state == ends and run.code == ("hook_failed" if breaks_at else "")
        name, (call, answer) = hook.seen[1]
        assert name == "after_model_call" and "From the log." in answer and len(hook.seen) == 2
        assert call.body["messages"][-1]["content"] == "Hello."
        assert call.request_id == str(run.steps.get().request_id)


def test_nothing_that_is_typed_runs_and_only_a_look_starts_a_program(
    shop: Shop, bella: Any, settings: Any, tmp_path: Path
) -> None:
    trace = tmp_path / "started"
    program = [sys.executable, "-c", f"open({str(trace)!r}, 'a').write('x')"]
    team, client = shop.world.team, client_of(bella)
    # A program is a name of the deployment's settings; nothing else, however it is written, starts or loads anything.
    settings.MCP_PROGRAMS = {"noting": program}
    for address in (" ".join(program), f"noting; {program[0]}", "../noting", f"sh -c {trace}"):
        with pytest.raises(Refusal):
            servers.create_server(actor=SYSTEM, team=team, slug="typed", address=address, transport="stdio")
    for plugin in ("os:system", "tests.runs.counting:Counting", "__import__('os')"):
        body = {"team": team.slug, "kind": "plugin", "name": "typed", "config": {"plugin": plugin}}
        assert client.post("/api/tools/", body, content_type="application/json").status_code in {400, 403, 422}
    server = servers.create_server(actor=SYSTEM, team=team, slug="noting", address="noting", transport="stdio")
    tool = make.make_server_tool(server)
    make.publish_agent(shop.agent, grants=[{"tool": "count"}, {"tool": tool.slug}])
    pages = [
        "/tools/", f"/tools/{tool.pk}/", f"/tools/{tool.pk}/edit/", "/tools/servers/", f"/tools/servers/{server.pk}/",
        "/tools/import/", "/agents/clerk/", "/agents/clerk/edit/", "/agents/clerk/grants/new/",
        f"/agents/clerk/grants/{tool.slug}/", "/api/tools/", f"/api/tools/{tool.pk}/", "/api/tool-servers/",
        f"/api/tool-servers/{server.pk}/",
    ]  # fmt: skip
    opened = {path: client.get(path).status_code for path in pages}
    assert set(opened.values()) == {200}, opened
    assert shop.run(words("No tool needed.")).state == "succeeded"
    assert not trace.exists(), "listing, opening, granting and offering start nothing"
    assert servers.look(actor=SYSTEM, server=server).trouble
    assert trace.read_text() == "x"


def test_what_signs_in_to_the_console_reaches_no_tool_and_a_tools_session_signs_nobody_in(
    shop: Shop, till: Till, server: Any
) -> None:
    _, key = make.make_key(shop.world.team, "caller")
    plain = {"method": "POST", "url": f"http://127.0.0.1:{till.port}/take", "body": "rest"}
    make.make_tool(shop.world.team, "take", kind="http", effect="write", config=plain, parameters=PARAMETERS)
    with served(sdks.mcp_server_time.create_server("UTC")) as (url, heard):
        clock = servers.create_server(actor=SYSTEM, team=shop.world.team, slug="clock", address=url)
        servers.look(actor=SYSTEM, server=clock)
        tool = servers.take_tool(actor=SYSTEM, server=clock, name="get_current_time", effect="read")
        make.publish_agent(shop.agent, grants=[{"tool": "take", "mode": "allow"}, {"tool": tool.slug}])
        with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
            client.cookies.set("sessionid", "a-session-of-somebody")
            started = client.post("/v1/agents/clerk/runs", json={"input": {"message": "Take."}}).json()
        shop.says(wants(("take", {"what": "rent"}), (tool.slug, {"timezone": "UTC"})), words())
        run = shop.go(Run.objects.get(pk=started["id"].removeprefix("run_")))
        assert [step.state for step in run.steps.filter(kind="tool")] == ["done", "done"]
    assert till.taken == {"rent": 1} and len(heard.requests) > 3
    sent = [till.seen[0].headers, *(headers for _, headers in heard.requests)]
    for headers in sent:
        said = {name.lower(): value for name, value in headers.items()}
        assert not said.keys() & {"authorization", "cookie", "x-api-key"}
        assert key not in str(said) and "a-session-of-somebody" not in str(said)
    sessions = {headers["mcp-session-id"] for _, headers in heard.requests if "mcp-session-id" in headers}
    assert sessions, "the server gave the visit a session"
    for session in sessions:
        for headers in ({"Authorization": f"Bearer {session}"}, {"x-api-key": session}, {"Mcp-Session-Id": session}):
            assert httpx.get(f"{server.url}/v1/models", headers=headers).status_code == 401
        assert Client(headers={"Mcp-Session-Id": session}).get("/runs/").status_code == 302
