"""Does a batch give way where it matters? `python -m bench.crowded`: chats and a batch share a provider with few places
and no limits of its own in Facet, once with a batch lane that yields and once with one that does not, in the same run.
"""

# ruff: noqa: E501  (tables read better whole)

import argparse
import sys
import time
from dataclasses import replace

from bench.batches import prepare, state_of
from bench.lanes import LIMIT, hold
from bench.measure import Run, load
from bench.stack import Stack, free_port, wait_for
from bench.writing import put, where_and_when

PLACES, THINKS_MS, TARGET_MS, NEVER_MS = 8, 200, 230, 600_000
# How long the lane takes to find its pace: its share halves once a second.
_SETTLES = 8.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rate", type=float, default=15)
    parser.add_argument("--quick", action="store_true", help="writes nothing")
    options = parser.parse_args()
    stack = Stack(BATCH_CONCURRENCY="32", GATEWAY_BATCH_CONCURRENCY="32")
    try:
        stack.start_valkey()
        stack.upstream_port = free_port()
        stack._start([sys.executable, "-m", "bench.crowded_upstream", stack.upstream_port, PLACES, THINKS_MS])
        wait_for(stack.upstream_port)
        batch, keys = prepare(stack, 20_000)
        facet = replace(stack.facet(), keys=keys)

        def chat(seconds: float = options.seconds) -> Run:
            return load(facet, connections=64, seconds=seconds, rate=options.rate, stream=True)

        def beside(target_ms: int) -> tuple[Run, float]:
            """Return the chats beside a batch whose lane has this target, and its lines a second."""
            stack._more["GATEWAY_INTERACTIVE_TARGET_MS"] = str(target_ms)
            worker = stack.worker("batch")
            beat = stack._processes[-1]
            hold(stack, batch, is_held=False)
            deadline, (_, start) = time.monotonic() + 90, state_of(stack, batch)
            while state_of(stack, batch)[1] < start + 40:
                if time.monotonic() > deadline:
                    raise SystemExit("The batch does not run.")
                time.sleep(0.2)
            chat(_SETTLES)
            began, (_, before) = time.monotonic(), state_of(stack, batch)
            run = chat()
            lines = (state_of(stack, batch)[1] - before) / (time.monotonic() - began)
            for process in (worker, beat):
                process.terminate()
                process.wait(30)
            hold(stack, batch, is_held=True)
            return run, lines

        chat(3)
        alone = chat()
        pushing, pushed = beside(NEVER_MS)
        yielding, yielded = beside(TARGET_MS)
        found = [
            ("alone", alone, 0.0),
            ("beside a batch that does not yield", pushing, pushed),
            ("beside one that yields", yielding, yielded),
        ]
        for name, run, lines in found:
            print(
                f"{name}: p95 {run.first_p95:.0f} ms, ratio {run.first_p95 / alone.first_p95:.2f}, {lines:.0f} lines/s"
            )
        if not options.quick:
            write(found, options.rate, options.seconds)
    finally:
        stack.stop()


def write(found: list[tuple[str, Run, float]], rate: float, seconds: float) -> None:
    alone = found[0][1].first_p95
    rows = "".join(
        f"| {name} | {run.first_p95:.0f} ms | {run.first_p95 / alone:.2f} | {f'{lines:.0f}/s' if lines else '–'} |\n"
        for name, run, lines in found
    )
    text = (
        f"{where_and_when()}: {rate:g} streams/s for {seconds:g} s each, a provider with {PLACES} places of {THINKS_MS} ms,"
        f" 32 lines at once, `GATEWAY_INTERACTIVE_TARGET_MS={TARGET_MS}` where the batch yields.\n\n"
        f"| chats | time to first token, p95 | ratio | lines of the batch |\n|---|---|---|---|\n{rows}"
        f"\nThe ratio has to stay within {LIMIT} where the batch yields.\n"
    )
    put("crowded", text)


if __name__ == "__main__":
    main()
