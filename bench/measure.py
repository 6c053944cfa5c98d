"""Load one target and account for the processor time of the processes behind it, read from /proc."""

import hashlib
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
TICK = os.sysconf("SC_CLK_TCK")
QUESTION = (
    "Hello, my order 10423 has not arrived yet although it was due last Tuesday. Could you tell me where it is, and"
    " whether I can still change the delivery address?"
)
SYSTEM = "You are a support assistant. Answer briefly and politely, and cite the order number when there is one."


def tool(name: str) -> Path:
    """Compile one of the C programs beside this file on first use and return it."""
    folder = Path(tempfile.gettempdir()) / f"facet-bench-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    source = HERE / f"{name}.c"
    program = folder / f"{name}-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}"
    if not program.exists():
        subprocess.run(["cc", "-O2", "-o", program, source], check=True)
    return program


def _stat(pid: int) -> tuple[int, int] | None:
    """Return the parent of a process and the ticks it and its reaped children used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return int(fields[1]), sum(int(x) for x in fields[11:15])


def family(roots: Iterable[int]) -> set[int]:
    """Return the processes and all their descendants."""
    parents = {int(p.name): s[0] for p in Path("/proc").iterdir() if p.name.isdigit() and (s := _stat(int(p.name)))}
    found, grew = set(roots), True
    while grew:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grew = bool(more)
    return found


def cpu_seconds(roots: Iterable[int]) -> float:
    return sum((_stat(pid) or (0, 0))[1] for pid in family(roots)) / TICK


def memory_mib(roots: Iterable[int]) -> float:
    """Return the proportional memory of the processes, so that shared pages count once."""
    total = 0
    for pid in family(roots):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


@dataclass
class Target:
    """One thing to load: where, with which keys, and whose processor time counts as gateway and as store."""

    name: str
    url: str
    model: str = "support-chat"
    keys: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)
    store_pids: list[int] = field(default_factory=list)
    body: dict[str, object] = field(default_factory=dict)  # members that replace or join those of the usual body


@dataclass
class Run:
    """Figures of one run; times in milliseconds."""

    ok: int
    errors: int
    limited: int
    rps: float
    cpu_ms: float
    store_ms: float
    p50: float
    p99: float
    first_p50: float
    first_p95: float


def load(
    target: Target, *, connections: int, seconds: float = 0, count: int = 0, rate: float = 0, stream: bool = False
) -> Run:
    body = {
        "model": target.model,
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}],
        "temperature": 0.2,
        "max_tokens": 256,
        "user": "u-1",
    }
    body |= target.body
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    with tempfile.TemporaryDirectory() as folder:
        body_file, keys_file = Path(folder) / "body.json", Path(folder) / "keys"
        body_file.write_text(json.dumps(body, separators=(",", ":")))
        command = [tool("llmload"), "-u", f"{target.url}/chat/completions", "-b", body_file, "-c", str(connections)]
        command += ["-r", str(rate), *(["-n", str(count)] if count else ["-d", str(seconds)])]
        if target.keys:
            keys_file.write_text("\n".join(target.keys))
            command += ["-K", keys_file]
        for header in target.headers:
            command += ["-H", header]
        cpu, store = cpu_seconds(target.pids), cpu_seconds(target.store_pids)
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # 1 means that some failed
        if not done.stdout:
            raise SystemExit(f"{target.name}: {done.stderr}")
        time.sleep(0.1)
        cpu, store = cpu_seconds(target.pids) - cpu, cpu_seconds(target.store_pids) - store
    figures = json.loads(done.stdout)
    ok = max(figures["ok"], 1)
    return Run(
        ok=figures["ok"],
        errors=figures["bad_status"] + figures["broken"] + figures["conn_err"],
        limited=figures["s429"],
        rps=figures["rps"],
        cpu_ms=cpu * 1000 / ok,
        store_ms=store * 1000 / ok,
        p50=figures["latency_us"]["p50"] / 1000,
        p99=figures["latency_us"]["p99"] / 1000,
        first_p50=figures["ttft_us"]["p50"] / 1000,
        first_p95=figures["ttft_us"]["p95"] / 1000,
    )


def interleaved(targets: list[Target], *, rounds: int, **how: object) -> dict[str, list[Run]]:
    """Load the targets in turn, A B C A B C …, after one warm-up each, so that drift of the machine hits all alike."""
    for target in targets:
        load(target, connections=8, seconds=1.5, stream=bool(how.get("stream")))
    runs: dict[str, list[Run]] = {target.name: [] for target in targets}
    for _ in range(rounds):
        for target in targets:
            time.sleep(0.3)
            runs[target.name].append(load(target, **how))  # type: ignore[arg-type]
    return runs


def median(runs: list[Run], figure: str) -> float:
    return statistics.median(getattr(run, figure) for run in runs)


def ratio(runs: dict[str, list[Run]], over: str, under: str, figure: str) -> float:
    """Return the median of the ratios pair by pair."""
    pairs = zip(runs[over], runs[under], strict=True)
    return statistics.median(getattr(a, figure) / getattr(b, figure) for a, b in pairs if getattr(b, figure))


def difference(runs: dict[str, list[Run]], over: str, under: str, figure: str) -> float:
    pairs = zip(runs[over], runs[under], strict=True)
    return statistics.median(getattr(a, figure) - getattr(b, figure) for a, b in pairs)
