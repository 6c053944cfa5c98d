"""The processes of pytest-xdist, forked from the first one once it has imported what they all need.

Each would begin with the same imports otherwise, seconds of processor time. One that cannot be forked, such as the one
that follows a crash, starts as xdist has it.
"""

import gc
import os
import signal
import sys
import threading
import traceback
import warnings
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

import execnet
import pytest
from execnet import gateway_io
from execnet.gateway_base import Popen2IO

from tests import copies, sdks

_ready: list["_Worker"] = []


class _Worker(Popen2IO):
    """A forked process that is told through pipes what xdist tells a new interpreter."""

    def __init__(self, config: pytest.Config) -> None:
        stdin, to = os.pipe()
        back, stdout = os.pipe()
        self.ends, self._status = (to, back), None
        self._pid = os.fork()
        if not self._pid:
            _work(config, stdin, stdout, [end for worker in [*_ready, self] for end in worker.ends])
        os.close(stdin)
        os.close(stdout)
        super().__init__(os.fdopen(to, "wb"), os.fdopen(back, "rb"), execnet.default_group.execmodel)

    def wait(self) -> int | None:
        with suppress(ChildProcessError):
            self._status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self._status

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)


def fork(config: pytest.Config, number: int) -> None:
    """Make as many workers, which xdist then gets in place of new interpreters."""
    if sys.platform != "linux":  # libraries of macOS do not take being forked
        return
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        _import_all(config)
    if threading.active_count() > 1:  # what another thread holds, nobody would give back in a fork
        return
    gc.freeze()
    config.get_terminal_writer().flush()
    _ready.extend(_Worker(config) for _ in range(number))
    start = gateway_io.create_io

    def create(spec: execnet.XSpec, execmodel: Any) -> Any:
        return _ready.pop(0) if _ready and spec.popen else start(spec, execmodel)

    gateway_io.create_io = create


def _import_all(config: pytest.Config) -> None:
    from hypothesis import given
    from hypothesis import strategies as st

    paths = sorted(config.rootpath.glob("tests/**/test_*.py"))
    modules = [".".join(path.relative_to(config.rootpath).with_suffix("").parts) for path in paths]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _import(["console.urls", "tests.make", "tests.preloaded"])
        # In a fresh clone they are compiled first: one half by a process of its own, which leaves it on the disk.
        helper = os.fork()
        if not helper:
            _import(modules[: len(modules) // 2 : -1])
            os._exit(0)
        _import(modules)
        os.waitpid(helper, 0)
        for name in sdks.MODULES:
            getattr(sdks, name)
        _work_out_what_stays(config)
    # With its first examples Hypothesis reads through all there is of our code.
    given(st.text(), st.integers())(lambda text, number: None)()


def _work_out_what_stays(config: pytest.Config) -> None:
    """Work out what a process works out once: the API's document, and the code of templates."""
    from django.template.loader import get_template

    from console.api.manage.installation import document

    folder = config.rootpath / "templates"
    with suppress(Exception):  # tests of what is broken say what is wrong
        document()
        for path in folder.rglob("*.html"):
            get_template(str(path.relative_to(folder)))


def _import(modules: list[str]) -> None:
    for name in modules:
        with suppress(Exception):  # collecting it says what is wrong
            import_module(name)


def _work(config: pytest.Config, stdin: int, stdout: int, ends_of_others: list[int]) -> NoReturn:
    status = 1
    try:
        config._ensure_unconfigure()  # what pytest began in the process this one is a copy of
        for end in ends_of_others:
            os.close(end)
        if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
            copies.fork_server([stdin, stdout])
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
        exec(eval(sys.stdin.readline()))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
