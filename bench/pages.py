"""Server time of the pages that read the log, over a log of millions of rows."""

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

from bench.stack import ROOT, Stack

_VISIT = """
import json, statistics, sys, time
import django
django.setup()
from django.test import Client
from console.asgi import settle_memory
from console.teams.models import User
user = User.objects.filter(is_superuser=True).first() or User.objects.create_superuser("bench@localhost", name="Bench")
client = Client()
client.force_login(user)
settle_memory()  # as the server does once it is loaded
result = {}
for name, path in json.loads(sys.argv[1]).items():
    times = []
    for turn in range(34):
        started = time.perf_counter()
        response = client.get(path, headers={"host": "localhost"})
        spent = (time.perf_counter() - started) * 1000
        assert response.status_code == 200, (path, response.status_code)
        if turn >= 4:
            times.append(spent)
    result[name] = times
print(json.dumps(result))
"""

PAGES = {
    "overview": "/",
    "overview, 30 days": "/?span=30d",
    "audit log": "/audit/",
    "audit log, one team": "/audit/?team=team-0",
    "audit log, refused": "/audit/?status=refused",
    "audit log, one key's errors": "/audit/?status=error&team=team-1",
    "quotas": "/quotas/",
}


@dataclass
class Figures:
    name: str
    p50: float
    p95: float


_ROLL_UP = "from usage_app.services.roll_up import roll_up\nwhile roll_up(): pass"


def fill(stack: Stack, rows: int) -> None:
    """Generate the rows and roll them up."""
    started = time.monotonic()
    stack.manage("generate_audit", "--rows", str(rows), "--verbosity", "0")
    stack.manage("shell", "--verbosity", "0", "--command", _ROLL_UP)
    stack.sql("VACUUM (ANALYZE) usage_usageday, usage_usagehour")
    print(f"Generated and rolled up {rows:,} rows in {time.monotonic() - started:.0f} s.", flush=True)


def page_times(environment: dict[str, str]) -> list[Figures]:
    """Time each page thirty times through Django's test client."""
    done = subprocess.run(
        [sys.executable, "-c", _VISIT, json.dumps(PAGES)],
        cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    figures = []
    for name, times in json.loads(done.stdout.splitlines()[-1]).items():
        figures.append(Figures(name, statistics.median(times), statistics.quantiles(times, n=20)[-1]))
    return figures
