"""A thousand runs of five steps through two workers, and what as many cost that wait (`--runs` for fewer)."""

import argparse
import os
import subprocess
import sys
import time

from bench.measure import cpu_seconds, memory_mib
from bench.stack import ROOT, Stack
from tests.runs.workshop import Brain, Till

STEPS = 5


def run(stack: Stack, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "bench.seed_runs", *arguments], cwd=ROOT, env=stack.environment, check=True)


def count(stack: Stack, where: str) -> int:
    return int(stack.sql(f"SELECT count(*) FROM agents_run WHERE {where}"))


def wait(stack: Stack, where: str, number: int, seconds: float = 900) -> float:
    began = time.monotonic()
    while count(stack, where) < number:
        if time.monotonic() - began > seconds:
            raise SystemExit(f"Only {count(stack, where)} of {number} after {seconds:g} s.")
        time.sleep(0.2)
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    options = parser.parse_args()
    brain, till = Brain(), Till()
    brain.start()
    till.start()
    brain.rounds["pay"] = 2
    stack = Stack()
    try:
        stack.start_valkey()
        stack.manage("migrate", "--verbosity", "0")
        run(stack, "set-up", brain.url, f"http://127.0.0.1:{till.port}/pay")
        began = time.monotonic()
        run(stack, "start", "payer", str(options.runs))
        print(f"started {options.runs} in {time.monotonic() - began:.1f} s", flush=True)
        workers = [stack.worker("standard").pid for _ in range(2)]
        wait(stack, "state = 'succeeded'", 1)
        store, own = [stack._postgres.pid], [os.getpid()]
        first, busy = count(stack, "state = 'succeeded'"), [cpu_seconds(one) for one in (workers, store, own)]
        seconds = wait(stack, "state = 'succeeded'", options.runs)
        worker, database, all_ = (cpu_seconds(one) - was for one, was in zip((workers, store, own), busy, strict=True))
        mock = all_ - worker - database  # they run in this process, the others are its children
        steps = (options.runs - first) * STEPS
        print(
            f"{(options.runs - first) / seconds:.1f} runs/s, {steps / seconds:.0f} steps/s in {seconds:.0f} s;"
            f" processor per step: workers {worker / steps * 1000:.2f} ms, PostgreSQL {database / steps * 1000:.2f} ms,"
            f" the mocks {mock / steps * 1000:.2f} ms; workers {memory_mib(workers):.0f} MiB",
            flush=True,
        )
        print(f"asked {sum(brain.asked.values())} times, taken {sum(till.taken.values())} times", flush=True)
        run(stack, "start", "asker", str(options.runs))
        wait(stack, "state = 'waiting'", options.runs)
        time.sleep(5)
        before = [cpu_seconds(one) for one in (workers, store)]
        time.sleep(30)
        idle = [(cpu_seconds(one) - was) / 30 * 100 for one, was in zip((workers, store), before, strict=True)]
        held = count(stack, "lease_until IS NOT NULL AND state = 'waiting'")
        print(
            f"{options.runs} waiting approvals: {held} leases;"
            f" workers {idle[0]:.1f} %, PostgreSQL {idle[1]:.1f} % of a core"
        )
    finally:
        stack.stop()
        brain.stop()
        till.stop()


if __name__ == "__main__":
    main()
