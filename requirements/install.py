"""Make .venv from the hash-pinned lock, or leave it alone when it is up to date.

Run by any Python 3.11+ with nothing installed: `install.py` for what Facet runs on, `install.py dev` for tests and
checks too. With `--if-current` it only says, by its exit code, whether there is nothing to do.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE.parent / ".venv"
PYTHON = VENV / "bin" / "python"
LOCKS = {"run": ["tools.txt", "base.txt", "model.txt"], "dev": ["tools.txt", "base.txt", "model.txt", "dev.txt"]}


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def digest(what: str) -> str:
    return hashlib.sha256(b"\0".join((HERE / name).read_bytes() for name in LOCKS[what])).hexdigest()


def is_current(what: str) -> bool:
    stamp = VENV / f".facet-{what}"
    return PYTHON.exists() and stamp.exists() and stamp.read_text(encoding="ascii") == digest(what)


def run(*command: str | Path) -> None:
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise SystemExit(
            f"Installing stopped: {Path(command[0]).name} ended with {done.returncode}. The lines above say why."
        )


def install(what: str) -> None:
    started = time.monotonic()
    works = PYTHON.exists() and subprocess.run([PYTHON, "-c", "import pip"], check=False).returncode == 0
    if not works:
        say(f"Making .venv with Python {sys.version.split()[0]}")
        venv.EnvBuilder(with_pip=True, clear=True, symlinks=True).create(VENV)
    say("Installing the installer (uv)")
    run(
        PYTHON,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        "-r",
        HERE / "tools.txt",
    )
    for name in LOCKS[what][1:]:
        say(f"Installing requirements/{name}")
        flags = ["--no-deps"] if name == "model.txt" else []
        if name == "base.txt":
            flags.append("--compile-bytecode")  # now, on all cores, and not at the first page
        run(VENV / "bin" / "uv", "pip", "install", "--python", PYTHON, "--require-hashes", *flags, "-r", HERE / name)
    for done in LOCKS if what == "dev" else [what]:
        (VENV / f".facet-{done}").write_text(digest(done), encoding="ascii")
    say(f"Installed in {time.monotonic() - started:.0f} s\n")


def main() -> None:
    what = sys.argv[1] if len(sys.argv) > 1 else "run"
    if is_current(what):
        return
    if "--if-current" in sys.argv:
        raise SystemExit(1)
    # Two starts at once in one folder install once.
    with (HERE.parent / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_current(what):
            os.chdir(HERE.parent)
            install(what)


if __name__ == "__main__":
    main()
