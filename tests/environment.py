"""Loaded by pytest before anything of Django: the shared PostgreSQL, and settings that touch nothing outside."""

import atexit
import gc
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from console.core.deep_stack import deep_stack
from tests import database, server, workers
from tests.waiting import let_it_end

_run = deep_stack(runtestprotocol)

# Until everything is imported: see pytest_collection.
gc.disable()
# What the shell of whoever runs this is set up for is a console. One name is for tests; the page names all there are.
_PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"
for _name in re.findall(r"^\| `([A-Z0-9_]+)` \|", _PAGE.read_text(), re.MULTILINE):
    if _name != "TEST_DATABASE":
        os.environ.pop(_name, None)
    os.environ.pop(f"{_name}_FILE", None)
# Workers of pytest-xdist inherit the environment, so only the first process says which server, and makes the folder.
_is_first = "FACET_TEST_DATABASE_URL" not in os.environ
if _is_first:
    os.environ["FACET_TEST_DATABASE_URL"] = server.address()
os.environ["DATABASE_URL"] = os.environ["FACET_TEST_DATABASE_URL"]
# A DATA_DIR of the shell is a console's, whose files tests would overwrite.
if "FACET_TEST_DATA_DIR" not in os.environ:
    os.environ["FACET_TEST_DATA_DIR"] = tempfile.mkdtemp(prefix="facet-test-")
    atexit.register(shutil.rmtree, os.environ["FACET_TEST_DATA_DIR"], ignore_errors=True)
os.environ["DATA_DIR"] = os.environ["FACET_TEST_DATA_DIR"]
os.environ["BUILTIN_MODEL"] = "0"
# More than a process usually keeps: a test's own threads stand beside those of the live server.
os.environ["DATABASE_POOL"] = "32"
# A slow machine may need longer for a statement than anybody should wait for a page.
os.environ["STATEMENT_TIMEOUT_MS"] = "60000"
# A shell that runs this in the background has it ignore Ctrl-C, and what it starts inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if _is_first:
    database.begin_template()


# First, because the hook takes one answer, and xdist has its own.
@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two processes more than cores: many tests wait for a clock, a provider or a browser.

    With one more, a tenth of the processors' time was left over; with two, half as much.
    """
    return (os.cpu_count() or 1) + 2


def pytest_xdist_setupnodes(config: pytest.Config, specs: list[Any]) -> None:
    workers.fork(config, len(specs))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test as pytest does, with room for its stack: see console/core/deep_stack.py."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    _run(item, nextitem=nextitem)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep the modules, which stay until the end, from the collector of garbage: it would walk through them all day."""
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        # Nor often through what lives longer than a test: it finds little there, and took half of its time.
        gc.set_threshold(*gc.get_threshold()[:2], 50)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Let an hour that is nearly over end first, and a day, with it perhaps a month, minutes before.

    A test that counts in windows, days or budgets would find half of what it did in the next one. What happens at such
    an end is for tests that set the clock.
    """
    let_it_end(3600, last=30)
    let_it_end(86_400, last=180)  # what takes long, as in a browser, counts in days at least


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process is left alone with it at the end.

    Each process starts with its share of the list: the first with the browser, the second with what is marked `long`.
    """
    share = len(items) // getattr(config, "workerinput", {}).get("workercount", 1)
    browser = [item for item in items if item.get_closest_marker("e2e")]
    long = [item for item in items if item.get_closest_marker("long")]
    rest = [item for item in items if not item.get_closest_marker("e2e") and not item.get_closest_marker("long")]
    place = max(share - len(browser), 0)
    items[:] = [*browser, *rest[:place], *long, *rest[place:]]
