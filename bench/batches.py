"""A hundred thousand lines through a worker of the batch lane: how fast, and how much memory (`--lines` for fewer)."""

import argparse
import json
import subprocess
import sys
import time
from typing import Any

from bench.measure import memory_mib
from bench.stack import ROOT, Stack


def prepare(stack: Stack, lines: int) -> tuple[str, list[str]]:
    """Migrate, seed, and make a batch of so many lines; return its id, and keys of other teams."""
    stack.manage("migrate", "--verbosity", "0")
    upstream = f"http://127.0.0.1:{stack.upstream_port}/v1"
    keys = _run(stack, "bench.seed", upstream, "1")["many"]
    return _run(stack, "bench.seed_batch", str(lines))["batch"], keys[10:]


def _run(stack: Stack, module: str, *arguments: str) -> Any:
    """Run a module of ours on the stack's database and return what it printed."""
    made = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT, env=stack.environment, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return json.loads(made.stdout.splitlines()[-1])


def state_of(stack: Stack, batch: str) -> tuple[str, int]:
    state, done = stack.sql(f"SELECT state, completed + failed FROM batches_batch WHERE id = '{batch}'").split("|")
    return state.strip(), int(done)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=0, help="stop so long after the file was checked; 0: never")
    options = parser.parse_args()
    stack = Stack()
    try:
        stack.start_valkey()
        batch, _ = prepare(stack, options.lines)
        worker = stack.worker("batch")
        began, validated, highest, idle = time.monotonic(), 0.0, 0.0, 0.0
        while True:
            time.sleep(0.5)
            state, done = state_of(stack, batch)
            memory = memory_mib([worker.pid])
            highest = max(highest, memory)
            if state != "validating" and not validated:
                validated = time.monotonic() - began
                idle = memory
                print(f"validated after {validated:.1f} s, {memory:.0f} MiB", flush=True)
            if state in {"completed", "failed", "expired", "cancelled"}:
                break
            if validated and options.seconds and time.monotonic() - began > validated + options.seconds:
                break
        seconds = time.monotonic() - began
        print(f"{state}: {done:,} lines in {seconds:.0f} s, {done / (seconds - validated):.0f} lines/s")
        print(f"worker memory after validating {idle:.0f} MiB, at most {highest:.0f} MiB")
    finally:
        stack.stop()


if __name__ == "__main__":
    main()
