"""The prompt library at 10,000 prompts × 20 versions, and what a prompt adds to a call: `python -m bench.prompts`."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace

from bench.measure import QUESTION, Target, difference, interleaved, median
from bench.stack import ROOT, Stack
from bench.writing import put, where_and_when

PROMPTS, VERSIONS = 10_000, 20

# Rows as the services write them, made by the database: 200,000 saves by the services would take an hour.
_FILL = """
INSERT INTO prompts_prompt (id, slug, team_id, visibility, kind, description, tags, is_required, created_at, changed_at,
    includes, calls, revision, search)
SELECT gen_random_uuid(), format('folder-%s/area-%s/prompt-%s', n % 40, n % 7, n), t.id,
    CASE n % 10 WHEN 0 THEN 'organisation' ELSE 'team' END, 'text', 'Number ' || n, ARRAY['tag-' || n % 30], false,
    now() - n * interval '1 minute', now() - n * interval '1 minute', '{{}}', (n * 7919) % 5000, 1,
    to_tsvector('simple', format('folder %s prompt %s answer the customer about topic%s kindly', n % 40, n, n % 500))
FROM generate_series(1, {prompts}) n
JOIN (SELECT id, row_number() OVER (ORDER BY slug) - 1 AS place FROM teams_team) t ON t.place = n % 50;

INSERT INTO prompts_promptversion (id, prompt_id, number, content, variables, parameters, includes, message,
    author_name, author_email, created_at)
SELECT gen_random_uuid(), p.id, v, jsonb_build_array(jsonb_build_object('role', '', 'text',
    'Answer the customer about topic ' || v || repeat(' kindly and in short sentences.', 30))),
    '[]', '{{}}', '[]', 'Change ' || v, 'Somebody', '', p.created_at
FROM prompts_prompt p, generate_series(1, {versions}) v WHERE p.slug LIKE 'folder-%';

UPDATE prompts_prompt p SET head_id = v.id FROM prompts_promptversion v
WHERE v.prompt_id = p.id AND v.number = {versions} AND p.head_id IS NULL;

INSERT INTO prompts_label (id, prompt_id, name, version_id, revision, moved_at)
SELECT gen_random_uuid(), v.prompt_id, CASE v.number WHEN 20 THEN 'staging' ELSE 'production' END, v.id, 1, now()
FROM prompts_promptversion v JOIN prompts_prompt p ON p.id = v.prompt_id
WHERE p.slug LIKE 'folder-%' AND v.number IN (19, 20);

ANALYZE;
"""

_SEED = """
import django
django.setup()
from console.teams.callers import SYSTEM
from console.teams.models import Team
from prompts_app.services import labels, prompts
team = Team.objects.get(slug="team-0")
def make(slug, kind, text, variables=()):
    prompt = prompts.create_prompt(
        actor=SYSTEM, team=team, slug=slug, kind=kind, content=[{"text": text}], variables=variables
    )
    labels.publish(
        actor=SYSTEM, prompt=prompt, version=prompt.head, label="production", reason="bench", seen_revision=0
    )
make("house/sign", "partial", "Sign as {{team}}.")
make("house/tone", "partial", "Be {{tone}}, short and exact. Never promise what you cannot keep. {{> house/sign}}")
make("house/policy", "partial", "Refunds within {{days}} days." + " Ask for the order number first." * 10)
make("support/answer", "text", "You answer for {{team}}. {{> house/tone}}\\n{{> house/policy}}\\nCustomer: {{name}}.",
     [{"name": "days", "type": "number", "default": 30}])
"""

_VISIT = """
import gc, json, sys, time
import django
django.setup()
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from console.audit import sql
from console.teams.models import User
from prompts_app import shapes
from prompts_app.models import Prompt
from prompts_app.rendering import fill, fill_now
from prompts_app.text.refs import Ref

user = User.objects.filter(is_superuser=True).first() or User.objects.create_superuser("bench@localhost", name="Bench")
client = Client()
client.force_login(user)
result = {}

def timed(name, work, turns=34, warm=4):
    times = []
    # As the web process does at its start (console/asgi.py); going through all of its memory is not the page's work.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    for turn in range(turns):
        started = time.perf_counter()
        work()
        if turn >= warm:
            times.append((time.perf_counter() - started) * 1000)
    result[name] = times

def page(path):
    def visit():
        response = client.get(path, headers={"host": "localhost"})
        assert response.status_code == 200, (path, response.status_code, response.content[:300])
        return response
    return visit

one = Prompt.objects.filter(slug__startswith="folder-").order_by("slug")[5000]
if client.get("/prompts/", headers={"host": "localhost"}).status_code == 200:
    timed("list page", page("/prompts/"))
    timed("list page, words", page("/prompts/?q=topic42"))
    timed("list page, one folder", page("/prompts/?folder=folder-3"))
    timed("page of one prompt", page(f"/prompts/{one.slug}/"))
timed("API list, by use", page("/api/prompts/"))
timed("API list, by name", page("/api/prompts/?sort=name"))
timed("API list, words", page("/api/prompts/?q=topic42"))
timed("API list, label and tag", page("/api/prompts/?label=staging&tag=tag-3"))
after = page("/api/prompts/?sort=name")().json()["next"]
for _ in range(100):
    after = client.get(f"/api/prompts/?sort=name&cursor={after}", headers={"host": "localhost"}).json()["next"]
timed("API list, page 101", page(f"/api/prompts/?sort=name&cursor={after}"))

known = shapes.library(sql.epoch())
timed("all labels into a process (once, at its start)", lambda: shapes.library(sql.epoch()), turns=8, warm=1)
prompt = Prompt.objects.get(slug="support/answer")
Prompt.objects.filter(pk=prompt.pk).update(revision=known.epoch + 1)
timed("what changed since (after each publish)", lambda: shapes.library(known.epoch + 1, known))
finder = shapes.Finder(known.prompts)
fill_now(prompt, Ref("support/answer"), "production", {"team": "Team", "tone": "calm", "name": "Zoe"})
def resolve():
    for _ in range(100):
        fill(finder, prompt.team_id, Ref("support/answer"), "production",
             {"team": "Team", "tone": "calm", "name": "Zoe"})
with CaptureQueriesContext(connection) as seen:
    resolve()
assert len(seen) == 0
timed("resolving a prompt with three partials, 100 times, in memory", resolve)
print(json.dumps(result))
"""


def _run(stack: Stack, script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=stack.environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def calls(stack: Stack, keys: list[str], rounds: int, seconds: float) -> str:
    """Load the same process with plain calls and with calls of a prompt, in turn."""
    facet = replace(stack.facet(), keys=keys[:1])
    prompted = replace(
        facet,
        name="with a prompt",
        body={
            "prompt": {"id": "support/answer", "variables": {"team": "Team", "tone": "calm", "name": "Zoe"}},
            "messages": [{"role": "user", "content": QUESTION}],
        },
    )
    plain: Target = replace(facet, name="plain")
    busy = interleaved([plain, prompted], rounds=rounds, connections=32, seconds=seconds)
    steady = interleaved([plain, prompted], rounds=rounds, connections=32, seconds=seconds, rate=200)
    lines = [
        "| calls | CPU per call, gateway / PostgreSQL | at 200/s: p50 / p99 | errors |",
        "|---|---|---|---|",
    ]
    for name in ("plain", "with a prompt"):
        errors = sum(run.errors for run in [*busy[name], *steady[name]])
        cpu, store = median(busy[name], "cpu_ms"), median(busy[name], "store_ms")
        p50, p99 = median(steady[name], "p50"), median(steady[name], "p99")
        lines.append(f"| {name} | {cpu:.3f} / {store:.3f} ms | {p50:.2f} / {p99:.1f} ms | {errors} |")
    more = difference(busy, "with a prompt", "plain", "cpu_ms"), difference(steady, "with a prompt", "plain", "p50")
    lines.append(f"| a prompt adds | {more[0]:+.3f} ms gateway | {more[1]:+.2f} ms p50 | |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--print", action="store_true", help="leave docs/performance.md as it is")
    options = parser.parse_args()
    stack = Stack()
    try:
        stack.manage("migrate", "--verbosity", "0")
        upstream = f"http://127.0.0.1:{stack.upstream_port}/v1"
        seeded = subprocess.run(
            [sys.executable, "-m", "bench.seed", upstream, "1000"],
            cwd=ROOT, env=stack.environment, check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        keys = json.loads(seeded.stdout)["many"]
        started = time.monotonic()
        stack.sql(_FILL.format(prompts=PROMPTS, versions=VERSIONS))
        print(f"Filled in {time.monotonic() - started:.0f} s.", flush=True)
        _run(stack, _SEED)
        times = json.loads(_run(stack, _VISIT).splitlines()[-1])
        table = "| server time over 10,000 prompts × 20 versions | p50 | p95 |\n|---|---|---|\n"
        for name, some in times.items():
            table += f"| {name} | {statistics.median(some):.1f} ms | {statistics.quantiles(some, n=20)[-1]:.1f} ms |\n"
        print(table, flush=True)
        table += "\n" + calls(stack, keys, options.rounds, options.seconds)
        print(table, flush=True)
    finally:
        stack.stop()
    if not options.print:
        put("prompts", f"{where_and_when()}, load average {os.getloadavg()[0]:.1f}.\n\n{table}")


if __name__ == "__main__":
    main()
