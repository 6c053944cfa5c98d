"""The drawing of the house, held by tests: storeys, rooms, and that no call reaches a provider past the log."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from importlinter.application.use_cases import lint_imports
from importlinter.configuration import configure

ROOT = Path(__file__).resolve().parent.parent
APPS = ("console", "prompts_app", "usage_app", "agents_app")

# Who may send anything anywhere: the pipeline, the test of a provider's connection, and the repository of prompts.
SENDERS = {
    "console/gateway/relay.py",
    "console/gateway/dispatch.py",
    "console/gateway/hedging.py",
    "console/gateway/runtime.py",
    "console/audit/services/archive.py",
    "console/catalog/services/connection.py",
    "console/notices/sending/http.py",
    "console/teams/single_sign_on.py",
    "console/telemetry/traces/exporter.py",
    "prompts_app/git/transport.py",
    "agents_app/tools/web.py",
    "agents_app/tools/mcp/session.py",
}


@cache
def trees(*, with_word: str = "") -> dict[str, ast.Module]:
    """Return what our modules are parsed to, by path; with a word, only of those that have it somewhere."""
    found = {}
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                text = path.read_text(encoding="utf-8")
                if with_word in text:
                    found[str(path.relative_to(ROOT))] = ast.parse(text)
    return found


@cache
def imports(tree: ast.AST) -> list[str]:
    """Return every name a module imports, as `package.module.name`."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@cache
def calls(tree: ast.AST) -> list[str]:
    """Return what is called, as it is written: `outbound.request`, `Call`."""
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.fixture(scope="module", autouse=True)
def lets_go_of_the_trees() -> Iterator[None]:
    """Half a million objects, which every collection of garbage would walk through for the rest of the run."""
    yield
    for kept in (trees, imports, calls):
        kept.cache_clear()


def functions(path: str) -> dict[str, ast.AST]:
    tree = trees()[path]
    return {n.name: n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_import_contracts_hold():
    configure()  # past the command, which switches off the loggers of all tests that follow
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None, no_logo=True)


def test_only_the_pipeline_and_the_test_of_a_connection_send_anything():
    found = {
        path
        for path, tree in trees().items()
        for name in imports(tree)
        if f"{name}.".startswith("console.outbound.") and not name.startswith("console.outbound.guard.")
    }
    found = {path for path in found if not path.startswith("console/outbound/")}
    assert found == SENDERS


def test_only_the_way_out_speaks_http_or_opens_sockets():
    libraries = {
        "aiohttp",
        "httpx",
        "httpx2",
        "requests",
        "urllib3",
        "http.client",
        "urllib.request",
        "openai",
        "anthropic",
    }
    found = {
        path
        for path, tree in trees().items()
        for name in imports(tree)
        if name in libraries or name.rpartition(".")[0] in libraries
    }
    # `embedded` fetches and asks after the programs of an installation, long before there is a call.
    assert not {path for path in found if not path.startswith(("console/outbound/", "console/embedded/"))}


def test_nothing_is_sent_before_its_start_is_on_record():
    """`outbound.request` is called in `_send_once` alone, which takes a Call; those who make one admit it first."""
    dispatch, relay = functions("console/gateway/dispatch.py"), functions("console/gateway/relay.py")
    runtime = calls(trees()["console/gateway/runtime.py"])
    assert {name for name in runtime if name.startswith("outbound.")} == {"outbound.connections", "outbound.close"}
    assert [name for name, node in dispatch.items() if "outbound.request" in calls(node)] == ["_send_once"]
    assert [name for name, node in dispatch.items() if "_send_once" in calls(node)] == ["send"]
    assert {name for name, node in relay.items() if "send_hedged" in calls(node)} == {"_answer", "_open_stream"}
    hedging = functions("console/gateway/hedging.py")
    senders = {path for path, tree in trees().items() if "gateway" in path and "send" in calls(tree)}
    assert senders == {"console/gateway/hedging.py"}
    assert {name for name, node in hedging.items() if "send" in calls(node)} == {"send_hedged", "_send_twice", "_race"}
    assert not any("outbound.request" in calls(node) for node in relay.values())
    for function in (dispatch["send"], dispatch["_send_once"], relay["_answer"], relay["_open_stream"]):
        first = function.args.args[0]  # type: ignore[attr-defined]
        assert ast.unparse(first.annotation) == "Call"
    makers = {path for path, tree in trees(with_word="Call(").items() if "Call" in calls(tree)}
    assert makers == {f"console/gateway/{name}.py" for name in ("admission", "shadow", "hedging")}
    admission = functions("console/gateway/admission.py")
    copy = functions("console/gateway/shadow.py")["_copy"]
    for maker in (admission["open_call"], copy, hedging["_admit_second"]):
        assert [name for name in calls_in_order(maker) if name in {"admit", "Call"}] == ["admit", "Call"]
    fall_back = functions("console/gateway/fallback.py")["fall_back"]
    assert "admit" in calls(fall_back), "a fallback is admitted again"
    ends = [ast.unparse(n.value) for n in ast.walk(admission["admit"]) if isinstance(n, ast.Return) and n.value]
    assert ends == ["(plan, remaining_after(plan, verdict))"] and "gateway.ledger.begin" in calls(admission["admit"])


def calls_in_order(node: ast.AST) -> list[str]:
    found = [n for n in ast.walk(node) if isinstance(n, ast.Call)]
    return [ast.unparse(n.func) for n in sorted(found, key=lambda n: (n.lineno, n.col_offset))]


def test_however_a_call_goes_its_end_is_written():
    """Every way out of `_answer`, `_open_stream` and `_relay` after something was sent passes `_close`."""
    relay = functions("console/gateway/relay.py")
    assert "_close" in calls(relay["_fail"])
    for name in ("_answer", "_open_stream"):
        handlers = [n for n in ast.walk(relay[name]) if isinstance(n, ast.ExceptHandler)]
        assert handlers and all(any(c in {"_close", "_fail"} for c in calls(handler)) for handler in handlers)
    frames = next(n for n in ast.walk(relay["_relay"]) if isinstance(n, ast.Try))
    assert any("_close" in calls(statement) for statement in frames.finalbody)


def test_the_test_of_a_connection_is_on_record():
    assert "record" in calls(functions("console/catalog/services/connection.py")["check_connection"])


def test_rooms_without_tables_have_none():
    for label in ("gateway", "core", "embedded"):
        assert not list(apps.get_app_config(label).get_models())


def test_plain_sql_stays_in_its_rooms():
    """`django.db.connection` is for modules named for it; the linter holds this too, but an ignored line passes it."""
    found = {path for path, tree in trees().items() if "django.db.connection" in imports(tree)}
    allowed = {"console/gateway/sweep.py", "console/pages/health.py"}
    strangers = {path for path in found - allowed if not {"sql", "sql.py", "embedded"} & set(Path(path).parts)}
    assert not strangers


def test_whoever_holds_a_row_keeps_nobody_from_speaking_of_it():
    """`console/core/races.py` says why. No row speaks of the epoch."""
    plain = [
        f"{path}:{node.lineno}"
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "select_for_update"
        and not any(word.arg == "no_key" for word in node.keywords)
        and ast.unparse(node.func.value) != "Epoch.objects"
    ]
    assert plain == []


def test_only_tests_that_need_a_large_library_import_it():
    """Every test process reads every test's module, so a library that takes seconds goes by tests/sdks.py."""
    large = ("import openai", "import anthropic", "import mcp", "from openai", "from anthropic", "from mcp")
    found = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in (ROOT / "tests").rglob("*.py")
        for line in path.read_text().splitlines()
        if line.startswith(large)
    ]
    assert not found
