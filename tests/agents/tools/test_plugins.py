"""Plug-ins and hooks: the example package, installed for real; what is not allowed is never imported."""

import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from agents_app import hooks, plugins
from agents_app.engine.model_calls import Line, Trouble, ask_model
from agents_app.engine.tool_calls import call_tool
from agents_app.services import tools
from agents_app.tools.base import Result, ToolFailed
from console.core.clock import now
from console.core.errors import BadInput
from console.gateway import sync
from console.gateway.asks import make_ask
from console.teams.actors import SYSTEM
from tests.agents.tools.conftest import call_of
from tests.waiting import until

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "examples" / "facet-example-tools"


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """The example, built and installed as anybody would, but without a network."""
    folder = tmp_path_factory.mktemp("packages")
    uv = Path(sys.executable).with_name("uv")
    command = [
        uv,
        "pip",
        "install",
        "--offline",
        "--no-deps",
        "--quiet",
        "--python",
        sys.executable,
        "--target",
        folder,
    ]
    subprocess.run([*command, EXAMPLE], check=True, capture_output=True)
    return folder


@pytest.fixture
def example(installed, settings, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    settings.PLUGINS_ALLOWED = ["Facet_Example.Tools"]
    plugins._load.cache_clear()
    yield
    plugins._load.cache_clear()
    sys.modules.pop("facet_example_tools", None)


def tool_of(cast, plugin, **fields):
    return tools.create_tool(
        actor=SYSTEM, team=cast.team_a, kind="plugin", slug=plugin, description="d", config={"plugin": plugin}, **fields
    )


def test_the_examples_own_tests_pass(example, installed):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE / "tests")]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=installed, env={"PYTHONPATH": str(installed), "PATH": ""}
    )
    assert done.returncode == 0, done.stdout


def test_only_allowed_packages_are_imported(cast, installed, settings, monkeypatch, use):
    monkeypatch.syspath_prepend(str(installed))
    plugins._load.cache_clear()
    with pytest.raises(BadInput, match="PLUGINS_ALLOWED"):
        tool_of(cast, "convert_units")
    settings.PLUGINS_ALLOWED = ["another-package"]
    assert plugins.allowed(plugins.TOOLS) == {} and "facet_example_tools" not in sys.modules
    plugins._load.cache_clear()


def test_a_tool_of_a_package_works(cast, example, use):
    tool = tool_of(cast, "convert_units", effect="read")
    assert tool.parameters["required"] == ["value", "unit", "to"]
    answer = use(tool, {"value": 1, "unit": "km", "to": "m"})
    assert answer.content == '{"value": 1000.0, "unit": "m"}' and answer.note == "facet-example-tools 1.0.0"
    told = use(tool, {"value": 1, "unit": "ell", "to": "m"})
    assert told.is_error and told.content.startswith("I know m, km, mile and foot")
    slow = tool_of(cast, "slow_echo")
    assert use(slow, {"text": "hello", "seconds": 0.01}).content == "hello (slow_echo)"
    with pytest.raises(ToolFailed, match="took too long") as failed:
        use(slow, {"text": "hello", "seconds": 30}, seconds=0.2)
    assert failed.value.is_unknown
    with pytest.raises(BadInput, match="there are convert_units, slow_echo"):
        tool_of(cast, "other")


class Thing:
    description, parameters = "d", None

    def __init__(self, act):
        self.call = self.before_tool_call = self.after_tool_call = self.before_model_call = act


@pytest.fixture
def bring(monkeypatch):
    """Have a package bring something that misbehaves."""

    def bring(act, *groups):
        loaded = {"bad": plugins.LoadedPlugin("bad", "bad-package", "1", Thing(act))}
        monkeypatch.setattr(plugins, "allowed", lambda group: loaded if group in groups else {})

    return bring


def end_it(*arguments):
    raise SystemExit(3)


def break_it(*arguments):
    raise ValueError("s3cr3t detail")


def test_a_plug_in_that_misbehaves_fails_the_step_and_nothing_else(cast, bring, use):
    for act, says in ((end_it, "broke"), (break_it, "broke"), (lambda *given: object(), "no text and no JSON")):
        bring(act, plugins.TOOLS)
        with pytest.raises(ToolFailed, match=says) as failed:
            use(tool_of(cast, "bad") if act is end_it else cast.bad)
        assert "s3cr3t" not in failed.value.sentence
        cast.bad = tools.Tool.objects.get(slug="bad")
    release = threading.Event()
    bring(lambda *given: release.wait(60), plugins.TOOLS)
    for _ in range(8):
        with pytest.raises(ToolFailed, match="too long"):
            use(cast.bad, seconds=0.05)
    with pytest.raises(ToolFailed, match="busy") as failed:
        use(cast.bad)
    assert failed.value.may_retry, "and the gateway's own thread is free"
    release.set()
    bring(lambda *given: "back", plugins.TOOLS)

    def is_back() -> bool:
        try:
            return use(cast.bad).content == "back"
        except ToolFailed:
            return False

    until(is_back, "its places are free again")


def test_a_hook_stops_a_call_and_says_why(cast, example, use):
    tool = tool_of(cast, "convert_units", effect="read")
    good = {"value": 1, "unit": "km", "to": "m"}

    def call(arguments):
        return sync.run(call_tool("plugin", call_of(tool, arguments), latest=time.monotonic() + 60))

    assert isinstance(call(good), Result)
    stopped = call({**good, "unit": "4111 1111 1111 1111"})
    assert isinstance(stopped, ToolFailed) and not stopped.is_unknown
    assert stopped.sentence == "The hook no_card_numbers stopped this: The arguments hold a card number."


def test_a_hook_of_more_calls_than_its_package_has_places_gets_one_after_the_other(cast, bring, monkeypatch):
    tool = tools.create_tool(actor=SYSTEM, team=cast.team_a, kind="wait", slug="wait")
    bring(lambda *given: time.sleep(0.02), plugins.HOOKS)

    def outcomes():
        latest = time.monotonic() + 60
        calls = [sync.start(call_tool("wait", call_of(tool, {"seconds": 1}), latest=latest)) for _ in range(24)]
        return [call.result() for call in calls]

    assert not any(isinstance(outcome, ToolFailed) for outcome in outcomes())
    monkeypatch.setattr(hooks, "SECONDS", 0.1)
    release = threading.Event()
    bring(lambda *given: release.wait(60), plugins.HOOKS)
    said = {outcome.sentence for outcome in outcomes()}
    release.set()
    assert said == {"The hook bad took too long.", "The hook bad is busy."}


def test_a_hook_that_breaks_or_hangs_stops_the_step(cast, bring, use, monkeypatch):
    tool = tools.create_tool(actor=SYSTEM, team=cast.team_a, kind="wait", slug="wait")

    def outcome():
        return sync.run(call_tool("wait", call_of(tool, {"seconds": 1}), latest=time.monotonic() + 60))

    for act in (break_it, end_it):
        bring(act, plugins.HOOKS)
        failed = outcome()
        assert isinstance(failed, ToolFailed) and failed.sentence == "The hook bad broke."
    monkeypatch.setattr(hooks, "SECONDS", 0.05)
    release = threading.Event()
    bring(lambda *given: release.wait(60), plugins.HOOKS)
    assert outcome().sentence == "The hook bad took too long."
    release.set()
    bring(break_it, plugins.HOOKS)
    ask = make_ask(
        "chat", {"model": "a", "messages": []}, text="{}", id=uuid.uuid4(), at=now(), surface="agent", route=""
    )
    trouble = sync.run(ask_model(None, ask, Line(), latest=time.monotonic() + 60))
    assert trouble == Trouble("hook_failed", "The hook bad broke.")


def test_a_hook_sees_copies_and_no_secret(cast, bring, use, upstream):
    seen = []

    def look(call, *answer):
        seen.append((call, answer))
        call.arguments["seconds"] = 10**6
        call.arguments.clear()

    bring(look, plugins.HOOKS)
    tool = tools.create_tool(
        actor=SYSTEM, team=cast.team_a, kind="http", slug="get", description="d", secret="s3cr3t",
        config={"url": f"{upstream.url}/{{id}}", "secret": {"in": "header", "name": "X-Key"}},
        parameters={"type": "object", "properties": {"id": {"type": "string"}}},
    )  # fmt: skip
    upstream.enqueue({"ok": 1})
    result = sync.run(call_tool("http", call_of(tool, {"id": "7"}), latest=time.monotonic() + 60))
    assert result.content == '{"ok":1}' and upstream.seen[-1].path == "/v1/7"
    assert len(seen) == 2 and seen[1][1] == ('{"ok":1}',) and "s3cr3t" not in repr(seen)
