"""Does chat stay quick while a batch runs? `python -m bench.lanes`: interactive streams with and without a saturating
batch, in turn on the same processes, and the ratio of their p95 times to the first token.

The mock answers after 200 ms, as a quick model does; the batch is a real one, run by a real worker of the batch lane.
"""

# ruff: noqa: E501  (tables read better whole)

import argparse
import statistics
import time
from dataclasses import dataclass, replace

from bench.batches import prepare, state_of
from bench.measure import Run, load
from bench.stack import Stack
from bench.writing import put, where_and_when

# A first token takes 200 ms here; beyond this the batch lane has to give way.
TARGET_MS = 230
LATENCY_US = 200_000
LIMIT = 1.25


@dataclass
class Round:
    """One pair of runs: without the batch, and with it."""

    alone: Run
    beside: Run
    lines_a_second: float


def hold(stack: Stack, batch: str, *, is_held: bool) -> None:
    """Keep the batch from sending for a while, or let it go on; it takes its worker a second to see."""
    until = "now() + interval '1 hour'" if is_held else "NULL"
    stack.sql(
        f"UPDATE batches_batch SET not_before = {until}, lease_until = NULL, fence = fence + 1 WHERE id = '{batch}'"
    )


def measure(stack: Stack, batch: str, keys: list[str], rounds: int, seconds: float, rate: float) -> list[Round]:
    facet = replace(stack.facet(), keys=keys)
    stack.worker("batch")

    def chat() -> Run:
        return load(facet, connections=64, seconds=seconds, rate=rate, stream=True)

    found = []
    hold(stack, batch, is_held=True)
    chat()
    for _ in range(rounds):
        time.sleep(2)
        alone = chat()
        hold(stack, batch, is_held=False)
        _wait_until_it_runs(stack, batch)
        _, before = state_of(stack, batch)
        began = time.monotonic()
        beside = chat()
        state, after = state_of(stack, batch)
        if state != "in_progress":
            raise SystemExit(f"The batch is {state}; it was not there to be given way.")
        found.append(Round(alone, beside, (after - before) / (time.monotonic() - began)))
        hold(stack, batch, is_held=True)
        print(
            f"  p95 {alone.first_p95:.0f} → {beside.first_p95:.0f} ms, {found[-1].lines_a_second:.0f} lines/s",
            flush=True,
        )
    return found


def _wait_until_it_runs(stack: Stack, batch: str) -> None:
    _, before = state_of(stack, batch)
    deadline = time.monotonic() + 60
    while state_of(stack, batch)[1] < before + 20:
        if time.monotonic() > deadline:
            raise SystemExit("The batch does not run.")
        time.sleep(0.2)


def write(found: list[Round], ratio: float, rate: float, seconds: float) -> None:
    alone = statistics.median(r.alone.first_p95 for r in found)
    beside = statistics.median(r.beside.first_p95 for r in found)
    lines = statistics.median(r.lines_a_second for r in found)
    text = (
        f"{where_and_when()}, everything on one machine: {len(found)} pairs of"
        f" {seconds:g} s, {rate:g} streams/s, a first token after {LATENCY_US // 1000} ms, `GATEWAY_INTERACTIVE_TARGET_MS={TARGET_MS}`.\n\n"
        "| figure | alone | beside a saturating batch |\n|---|---|---|\n"
        f"| time to first token, p95 (median of rounds) | {alone:.0f} ms | {beside:.0f} ms |\n"
        f"| lines of the batch | – | {lines:.0f}/s |\n\n"
        f"Ratio {ratio:.2f}; it has to stay within {LIMIT}.\n"
    )
    put("lanes", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--rate", type=float, default=30)
    parser.add_argument("--quick", action="store_true", help="one pair; writes nothing")
    options = parser.parse_args()
    stack = Stack(GATEWAY_INTERACTIVE_TARGET_MS=str(TARGET_MS), BATCH_CONCURRENCY="16")
    try:
        stack.start_valkey()
        batch, keys = prepare(stack, 50_000)
        stack.shape(chunks=20, delay_us=5_000, latency_us=LATENCY_US)
        found = measure(stack, batch, keys, 1 if options.quick else options.rounds, options.seconds, options.rate)
        ratio = statistics.median(r.beside.first_p95 / r.alone.first_p95 for r in found)
        print(
            f"interactive p95 beside a saturating batch ÷ alone: {ratio:.2f} (≤ {LIMIT}: {'yes' if ratio <= LIMIT else 'no'})"
        )
        if not options.quick:
            write(found, ratio, options.rate, options.seconds)
    finally:
        stack.stop()


if __name__ == "__main__":
    main()
