"""What begins as a copy of a process ends as a program would."""

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from console.embedded import copies

# A small process stands in for the supervisor: pytest's has threads.
_PARENT = """
import os, signal, sys
from console.embedded import copies
copies._is_loaded = True
signal.signal(signal.SIGTERM, signal.SIG_IGN)
import atexit
atexit.register(print, "not the copy's")
command = [sys.executable, "-m", sys.argv[1], "word"]
assert copies.can_begin(command)
if (child := os.fork()) == 0:
    copies.begin(command, {"PATH": os.environ["PATH"], "GIVEN": "yes"})
print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def run(folder: Path, text: str) -> list[str]:
    (folder / "program.py").write_text(textwrap.dedent(text))
    path = os.pathsep.join((str(folder), str(Path(copies.__file__).parents[2])))
    done = subprocess.run(
        [sys.executable, "-c", _PARENT, "program"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return [*done.stdout.splitlines(), *done.stderr.strip().splitlines()[-1:]]


@pytest.mark.skipif(not copies.IS_SAFE, reason="programs are copies on Linux only")
def test_a_copy_is_what_its_command_line_asks_for(tmp_path: Path) -> None:
    said = run(
        tmp_path,
        """
        import atexit, os, shlex, signal, sys, threading
        from pathlib import Path
        print(__name__, sys.argv[1:], sorted(set(os.environ) & {"GIVEN", "PYTHONPATH"}))
        print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, signal.getsignal(signal.SIGINT).__name__)
        print(shlex.split(Path("/proc/self/cmdline").read_text().rstrip(chr(0)))[1:])
        atexit.register(print, "at the end")
        threading.Timer(0.05, print, ["from a thread"]).start()
        """,
    )
    assert said == [
        "__main__ ['word'] ['GIVEN']",
        "True default_int_handler",
        "['-m', 'program', 'word']",
        "from a thread",
        "at the end",
        "ended 0",
        "not the copy's",
    ]


@pytest.mark.parametrize(
    ("text", "status", "complaint"),
    [
        ("raise SystemExit(3)", 3, []),
        ("raise SystemExit('It cannot start.')", 1, ["It cannot start."]),
        ("1 / 0", 1, ["ZeroDivisionError: division by zero"]),
        ("raise KeyboardInterrupt", 130, []),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15, []),
    ],
)
@pytest.mark.skipif(not copies.IS_SAFE, reason="programs are copies on Linux only")
def test_it_ends_as_the_program_would(tmp_path: Path, text: str, status: int, complaint: list[str]) -> None:
    assert run(tmp_path, text) == [f"ended {status}", "not the copy's", *complaint]


def test_a_process_with_threads_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_is_loaded", True)
    command = [sys.executable, "-m", "program"]
    is_over = threading.Event()
    other = threading.Thread(target=is_over.wait)
    other.start()
    assert not copies.can_begin(command)
    is_over.set()
    other.join()
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    assert copies.can_begin(command)
    assert not copies.can_begin(["/usr/bin/postgres", "-m", "program"]) and not copies.can_begin([sys.executable])
    monkeypatch.setattr(copies, "_is_loaded", False)
    assert not copies.can_begin(command)
