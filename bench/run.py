"""The figures of docs/performance.md, measured side by side: `make bench`, or `python -m bench.run --quick`."""

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import replace
from typing import Any

from bench.measure import Target, difference, interleaved, load, median, memory_mib, ratio
from bench.pages import fill, page_times
from bench.stack import ROOT, Stack
from bench.writing import put, where_and_when

LIMIT = 2000


class Table:
    """The rows of the result, with what each has to reach."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, str, str]] = []

    def add(self, number: int, figure: str, measured: str, floor: str, is_reached: bool | None) -> None:
        verdict = {True: "yes", False: "**no**", None: "not measured"}[is_reached]
        self.rows.append((str(number), figure, measured, floor, verdict))
        print(f"  {number:>2}  {figure}: {measured} (floor {floor}: {verdict})", flush=True)

    def markdown(self) -> str:
        head = "| # | figure | measured | floor | reached |\n|---|---|---|---|---|\n"
        return head + "\n".join("| " + " | ".join(row) + " |" for row in self.rows) + "\n"


def plain(table: Table, facet: Target, base: Target, peers: list[Target], rounds: int, seconds: float) -> str:
    """Rows 1 to 4: saturated, 32 connections."""
    everybody = [facet, base, *peers]
    runs = interleaved(everybody, rounds=rounds, connections=32, seconds=seconds)
    for number, name, floor in ((1, "litellm", 40), (2, "portkey", 5)):
        if name in runs:
            times = ratio(runs, name, "facet", "cpu_ms")
            table.add(
                number,
                f"gateway CPU per request ÷ {name}'s, plain, saturated",
                f"1/{times:.1f}",
                f"≤ 1/{floor}",
                times >= floor,
            )
        else:
            table.add(number, f"gateway CPU per request ÷ {name}'s", f"{name} is not installed", f"≤ 1/{floor}", None)
    share = ratio(runs, "facet", base.name, "rps")
    table.add(
        3, "throughput, one worker ÷ bare passthrough with the same client", f"{share:.2f}", "≥ 0.25", share >= 0.25
    )
    store = median(runs["facet"], "store_ms") / median(runs["facet"], "cpu_ms")
    table.add(4, "PostgreSQL CPU ÷ gateway CPU", f"{store:.2f}", "≤ 1", store <= 1)
    lines = ["| target | requests/s | gateway CPU, ms | store CPU, ms | errors |", "|---|---|---|---|---|"]
    for target in everybody:
        mine = runs[target.name]
        errors = sum(run.errors for run in mine)
        rps, cpu, store_cpu = (median(mine, figure) for figure in ("rps", "cpu_ms", "store_ms"))
        lines.append(f"| {target.name} | {rps:,.0f} | {cpu:.3f} | {store_cpu:.3f} | {errors} |")
    return "\n".join(lines) + "\n"


def latency(table: Table, facet: Target, base: Target, rounds: int, seconds: float) -> None:
    runs = interleaved([facet, base], rounds=rounds, connections=64, seconds=seconds, rate=500)
    p50, p99 = difference(runs, "facet", base.name, "p50"), difference(runs, "facet", base.name, "p99")
    table.add(
        5,
        "added to the passthrough at 500/s, p50 / p99",
        f"{p50:.2f} / {p99:.1f} ms",
        "≤ 2 / 10 ms",
        p50 <= 2 and p99 <= 10,
    )


def streams(table: Table, stack: Stack, facet: Target, base: Target, rounds: int, seconds: float) -> None:
    stack.shape(chunks=50, delay_us=10_000)
    runs = interleaved([facet, base], rounds=rounds, connections=128, seconds=seconds, rate=50, stream=True)
    added = difference(runs, "facet", base.name, "first_p50")
    table.add(
        6,
        "SSE: time to first token added, 50 chunks 10 ms apart, 50 streams/s",
        f"{added:.2f} ms",
        "≤ 3 ms",
        added <= 3,
    )
    times = ratio(runs, "facet", base.name, "cpu_ms")
    table.add(7, "SSE: CPU per stream ÷ bare passthrough's", f"{times:.2f}", "≤ 2.5", times <= 2.5)
    stack.shape()


def hot_team(table: Table, facet: Target, keys: list[str], rounds: int, seconds: float) -> None:
    hot, spread = replace(facet, name="hot", keys=keys[:1]), replace(facet, name="spread", keys=keys)
    runs = interleaved([hot, spread], rounds=rounds, connections=32, seconds=seconds)
    share = ratio(runs, "hot", "spread", "rps")
    table.add(8, "one hot team ÷ 50 teams, throughput", f"{share:.2f}", "≥ 0.7", share >= 0.7)


def exactness(table: Table, stack: Stack, key: str) -> None:
    """Row 9: three times the limit at 64 connections over two workers."""
    two = replace(stack.facet("two", workers=2), keys=[key])
    counting = "SELECT count(*) FROM audit_event WHERE team = 'Team 50' AND type = 'chat' AND status = 'ok'"
    before = stack.served()
    run = load(two, connections=64, count=3 * LIMIT)
    reached = stack.served() - before
    rows = int(stack.sql(counting))
    overshoot, difference_ = max(0, reached - LIMIT), rows - reached
    is_exact = overshoot == 0 and difference_ == 0 and run.ok == LIMIT and run.limited == 2 * LIMIT
    table.add(
        9,
        "overshoot, and audit rows − upstream requests, at 64 connections × 2 workers",
        f"{overshoot}; {difference_} ({run.ok:,} answered, {run.limited:,} refused of {3 * LIMIT:,})",
        "0; 0",
        is_exact,
    )


def pages(table: Table, stack: Stack, options: argparse.Namespace) -> None:
    """Row 11: the pages that read the log, without network, as an operator."""
    environment = {**stack.environment, "DATABASE_URL": options.log} if options.log else stack.environment
    if not options.log:
        fill(stack, options.rows)
    figures = page_times(environment)
    worst = max(page.p95 for page in figures)
    told = "; ".join(f"{page.name} {page.p95:.0f} ms" for page in figures)
    table.add(11, f"{options.rows:,} audit rows: pages, server time p95", told, "≤ 150 ms", worst <= 150)


def memory(table: Table, facet: Target, litellm: Target | None) -> None:
    mine = memory_mib(facet.pids)
    if litellm is None:
        table.add(10, "memory per worker ÷ litellm's", f"{mine:.0f} MiB; litellm is not installed", "≤ 0.4", None)
        return
    theirs = memory_mib(litellm.pids)
    table.add(
        10,
        "memory per worker ÷ litellm's",
        f"{mine / theirs:.2f} ({mine:.0f} ÷ {theirs:.0f} MiB)",
        "≤ 0.4",
        mine / theirs <= 0.4,
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument(
        "--rows", type=int, default=10_000_000, help="generated rows of the log for the pages; 0 leaves them out"
    )
    parser.add_argument(
        "--log", metavar="DATABASE_URL", help="a database that has been filled before, for the pages, instead of --rows"
    )
    parser.add_argument(
        "--only",
        default="",
        metavar="PARTS",
        help="plain, latency, streams, hot, exact, pages, comma-separated; writes nothing",
    )
    parser.add_argument(
        "--quick", action="store_true", help="two short rounds and a hundred thousand rows; writes nothing"
    )
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.rows = 2, 1.5, min(options.rows, 100_000)
    return options


def seed(stack: Stack) -> dict[str, Any]:
    """Fill the database and return the keys: `many`, one a team, and that of the team with the limit."""
    print("Preparing a database.", flush=True)
    stack.manage("migrate", "--verbosity", "0")
    seeded = subprocess.run(
        [sys.executable, "-m", "bench.seed", f"http://127.0.0.1:{stack.upstream_port}/v1", str(LIMIT)],
        cwd=ROOT, env=stack.environment, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(seeded.stdout)
    return found


def main() -> None:
    options = arguments()
    parts = set(filter(None, options.only.split(","))) or {"plain", "latency", "streams", "hot", "exact", "pages"}
    table, stack = Table(), Stack()
    try:
        keys = seed(stack)
        facet = replace(stack.facet(), keys=keys["many"])
        base = stack.passthrough()
        side_by_side = ""
        if "plain" in parts:
            litellm, portkey = stack.litellm(), stack.portkey()
            found = {"nginx": stack.nginx(), "portkey": portkey, "litellm": litellm}
            peers = [peer for peer in found.values() if peer is not None]
            if missing := [name for name, peer in found.items() if peer is None]:
                print(
                    f"Not installed, so not measured: {', '.join(missing)} (bench/peers and bench/nginx install them)."
                )
            print("Measuring.", flush=True)
            side_by_side = plain(table, facet, base, peers, options.rounds, options.seconds)
            memory(table, facet, litellm)
        if "latency" in parts:
            latency(table, facet, base, options.rounds, options.seconds)
        if "streams" in parts:
            streams(table, stack, facet, base, options.rounds, options.seconds)
        if "hot" in parts:
            hot_team(table, facet, keys["many"], options.rounds, options.seconds)
        if "exact" in parts:
            exactness(table, stack, keys["limited"])
        if "pages" in parts and (options.rows or options.log):
            pages(table, stack, options)
        print(side_by_side)
        if not options.quick and not options.only:
            write(table, side_by_side, options)
    finally:
        stack.stop()


def write(table: Table, side_by_side: str, options: argparse.Namespace) -> None:
    machine = f"{platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}"
    text = (
        f"{where_and_when()}, {machine}; everything on one machine, load average"
        f" {os.getloadavg()[1]:.1f} at the end. {options.rounds} rounds of {options.seconds:g} s each, interleaved.\n\n"
        + table.markdown()
        + "\nSaturated, 32 connections, plain requests (medians):\n\n"
        + side_by_side
    )
    put("figures", text)


if __name__ == "__main__":
    main()
