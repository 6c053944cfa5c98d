"""A thousand runs of five steps through two workers, and what as many cost that wait (`--runs` for fewer).

Prints the rows of the table in docs/performance.md. With a thousand it takes about three minutes on two quiet cores.
"""

import argparse
import os
import subprocess
import sys
import time

from bench.measure import cpu_seconds, memory_mib
from bench.stack import ROOT, Stack
from tests.runs.workshop import Brain, Till

STEPS = 5
IDLE = 12.0


def run(stack: Stack, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "bench.seed_runs", *arguments], cwd=ROOT, env=stack.environment, check=True)


def count(stack: Stack, where: str) -> int:
    return int(stack.sql(f"SELECT count(*) FROM agents_run WHERE {where}"))


def alone(stack: Stack) -> float:
    """Return the milliseconds a step takes in a run nobody waits behind; the model and the tool answer at once."""
    found = []
    for _ in range(3):
        before = count(stack, "state = 'succeeded'")
        run(stack, "start", "payer", "1")
        wait(stack, "state = 'succeeded'", before + 1)
        newest = "SELECT extract(epoch FROM ended_at - started_at) FROM agents_run ORDER BY created_at DESC LIMIT 1"
        found.append(float(stack.sql(newest)) / STEPS * 1000)
    return sorted(found)[1]


def idle(pids: tuple[list[int], list[int]]) -> tuple[float, float]:
    """Return what workers and PostgreSQL take of a core while nothing is to be done but beat's messages."""
    time.sleep(3)
    before = [cpu_seconds(one) for one in pids]
    time.sleep(IDLE)
    workers, store = [(cpu_seconds(one) - was) / IDLE * 100 for one, was in zip(pids, before, strict=True)]
    return workers, store


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
        started = (time.monotonic() - began) / options.runs * 1000
        workers = [stack.worker("standard").pid for _ in range(2)]
        wait(stack, "state = 'succeeded'", 1)
        store, own = [stack._postgres.pid], [os.getpid()]
        first, busy = count(stack, "state = 'succeeded'"), [cpu_seconds(one) for one in (workers, store, own)]
        seconds = wait(stack, "state = 'succeeded'", options.runs)
        worker, database, all_ = (cpu_seconds(one) - was for one, was in zip((workers, store, own), busy, strict=True))
        mock = all_ - worker - database  # they run in this process, the others are its children
        steps = (options.runs - first) * STEPS
        asked, taken = sum(brain.asked.values()), sum(till.taken.values())
        done = options.runs - first
        print(f"| throughput, two workers | {done / seconds:.1f} runs/s, {steps / seconds:.0f} steps/s |")
        print(
            f"| processor per step | workers {worker / steps * 1000:.1f} ms,"
            f" PostgreSQL {database / steps * 1000:.1f} ms (the mocks {mock / steps * 1000:.1f} ms) |"
        )
        print(f"| starting a run (`start_run`), with the start of the program | {started:.0f} ms |")
        print(f"| memory of both workers, 24 runs each under way | {memory_mib(workers):.0f} MiB |")
        print(f"| calls of the model and of the tool | {asked:,} and {taken:,} |", flush=True)
        print(f"| a step of a run alone | {alone(stack):.0f} ms |", flush=True)
        none = idle((workers, store))
        run(stack, "start", "asker", str(options.runs))
        wait(stack, "state = 'waiting'", options.runs)
        # Notices of what was asked go out after it; what is measured is the waiting.
        wait(stack, "id IN (SELECT run_id FROM agents_approval WHERE told_at IS NOT NULL)", options.runs)
        many = idle((workers, store))
        held = count(stack, "lease_until IS NOT NULL AND state = 'waiting'")
        print(
            f"| {options.runs:,} approvals that wait | {held} leases; workers {many[0]:.1f} %,"
            f" PostgreSQL {many[1]:.1f} % of a core; with none waiting {none[0]:.1f} % and {none[1]:.1f} % |"
        )
    finally:
        stack.stop()
        brain.stop()
        till.stop()


if __name__ == "__main__":
    main()
