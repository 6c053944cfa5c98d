"""The chat page at 10,000 conversations, and 1,000 open streams in one web process: `python -m bench.chat`.

A thousand answers are being written, each followed as a page does: once by a model that thinks (a piece every half a
minute), once by one that talks (a piece a second each). Then another person asks: how long until the first word, and
how quick are other pages?
"""

# ruff: noqa: E501  (scripts and tables read better whole)

import argparse
import asyncio
import json
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

from bench.stack import ROOT, Stack
from bench.writing import put, where_and_when

# The mock's pause before each piece, the first included: of the answers that are read along, and of the one measured.
THINKING_SECONDS, TALKING_SECONDS, MODEL_SECONDS = 30.0, 1.0, 0.2
_VISITS = 40
# A frame is three lines, inside two of the chunk it comes in.
_LINES_A_FRAME = 5

_SEED = """
import json, sys
import django
django.setup()
from console.catalog.models import Alias, ModelVersion, Pin, Price, Provider
from django.test import Client
from agents_app.models import AgentDraft
from agents_app.services import agents, versions
from console.teams.actors import SYSTEM
from console.teams.models import Membership, Role, Team, User
from console.teams.services import teams as team_services
from prompts_app.services import labels, prompts
team = Team.objects.get(slug="team-0")
prompt = prompts.create_prompt(actor=SYSTEM, team=team, slug="house/assistant", kind="text", content=[{"text": "Help."}],
    variables=())
labels.publish(actor=SYSTEM, prompt=prompt, version=prompt.head, label="production", reason="bench", seen_revision=0)
crowded = Provider.objects.create(slug="crowd", name="Crowd", kind="openai", base_url=sys.argv[1])
version = ModelVersion.objects.create(provider=crowded, name="mock-model", capabilities=["chat"])
Price.objects.create(model_version=version, input="0.15", output="0.60")
Pin.objects.create(alias=Alias.objects.create(name="crowd"), environment="production", model_version=version)
for slug, alias in (("helper", "support-chat"), ("crowd", "crowd")):
    agent = agents.create_agent(actor=SYSTEM, team=team, slug=slug, name=slug, prompt_slug="house/assistant", alias=alias)
    draft = AgentDraft.objects.get(agent=agent)
    versions.publish_agent(actor=SYSTEM, agent=agent, message="bench", seen_revision=draft.revision)
people = []
for number in range(5):
    person = User.objects.create_user(f"person{number}@localhost", name=f"Person {number}")
    team_services.add_member(actor=SYSTEM, team=team, user=person, role=Role.BUILDER)
    people.append(str(person.pk))
client = Client()
client.force_login(User.objects.get(pk=people[0]), backend="allauth.account.auth_backends.AuthenticationBackend")
print(json.dumps({"people": people, "cookies": {name: morsel.value for name, morsel in client.cookies.items()}}))
"""

# Rows as the services write them, made by the database: four turns in each conversation, 500 in one.
_FILL = """
INSERT INTO chat_conversation (id, team_id, agent_id, owner_id, title, is_title_by_hand, created_at, last_at)
SELECT gen_random_uuid(), a.team_id, a.id, p.id::{key}, 'About topic ' || n, false, now() - n * interval '7 minutes',
    now() - n * interval '7 minutes'
FROM generate_series(1, 10000) n, agents_agent a, unnest(ARRAY[{people}]) p(id) WHERE a.slug = 'helper';

INSERT INTO chat_message (id, conversation_id, role, status, text, attachments, trouble, author_name, model,
    prompt_tokens, completion_tokens, cost_micros, writer, created_at)
SELECT gen_random_uuid(), c.id, CASE t % 2 WHEN 0 THEN 'assistant' ELSE 'user' END, 'done',
    'Turn ' || t || ' of ' || c.title || repeat(' with **words** that were said about it.', 8), '[]', '', 'Somebody', '',
    20, 200, 100, '', c.created_at + t * interval '1 second'
FROM chat_conversation c,
    generate_series(1, CASE WHEN c.title = 'About topic 1' AND c.owner_id = '{first}' THEN 500 ELSE 4 END) t;

UPDATE chat_message m SET parent_id = b.before
FROM (SELECT id, lag(id) OVER (PARTITION BY conversation_id ORDER BY created_at) AS before FROM chat_message) b
WHERE b.id = m.id AND b.before IS NOT NULL;
UPDATE chat_conversation c SET leaf_id = (
    SELECT id FROM chat_message m WHERE m.conversation_id = c.id ORDER BY created_at DESC LIMIT 1);
ANALYZE;
"""

_VISIT = """
import gc, html, json, re, time
import django
django.setup()
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from console.chat.models import Conversation
from console.teams.models import User
user = User.objects.get(email="person0@localhost")
client = Client()
client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
long = Conversation.objects.get(owner=user, title="About topic 1")
result = {}

def timed(name, path, turns=24, warm=4, **headers):
    def visit():
        response = client.get(path, headers={"host": "localhost", **headers})
        assert response.status_code == 200, (path, response.status_code)
        return response
    gc.collect(); gc.freeze(); gc.set_threshold(10_000, 20, 20)
    times = []
    for turn in range(turns):
        started = time.perf_counter()
        response = visit()
        if turn >= warm:
            times.append((time.perf_counter() - started) * 1000)
    with CaptureQueriesContext(connection) as seen:
        visit()
    result[name] = [len(seen), times]
    return response

def link(response, name):
    return html.unescape(re.search(name + '=([^"&]+)"', response.content.decode()).group(1))

page = timed("the list, newest conversations", "/chat/")
timed("the list, after 40", "/chat/?older=" + link(page, "older"))
for _ in range(100):
    page = client.get("/chat/?older=" + link(page, "older"), headers={"host": "localhost"})
timed("the list, after 4,000", "/chat/?older=" + link(page, "older"))
timed("search, words in many", "/chat/?q=topic")
timed("search, words in one of 10,000", "/chat/?q=topic+7123")
timed("search, words nowhere", "/chat/?q=zebra")
opened = timed("a conversation of 500 messages", f"/chat/{long.pk}/")
timed("its earlier messages", f"/chat/{long.pk}/?before={link(opened, 'before')}", hx_request="true")
timed("/api/conversations/", "/api/conversations/")
print(json.dumps(result))
"""


def _run(stack: Stack, script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env=stack.environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.splitlines()[-1]


def _quantiles(times: list[float]) -> str:
    return f"{statistics.median(times):.0f} ms | {statistics.quantiles(times, n=20)[-1]:.0f} ms"


def pages(stack: Stack) -> str:
    table = "| server time, 50,000 conversations, 10,000 of the reader | queries | p50 | p95 |\n|---|---|---|---|\n"
    for name, (queries, times) in json.loads(_run(stack, _VISIT)).items():
        table += f"| {name} | {queries} | {_quantiles(times)} |\n"
    return table


# A thousand answers at once -------------------------------------------------------------------------------------------


class Person:
    """Somebody with a session, who asks and follows answers as the page does."""

    def __init__(self, port: int, cookies: dict[str, str]) -> None:
        self._port, self._cookies, self._token = port, cookies, ""

    async def _open(self, method: str, path: str, body: bytes = b"") -> tuple[asyncio.StreamReader, object, int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: {cookies}\r\n"
            f"X-CSRFToken: {self._token}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        await writer.drain()
        answered = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        for name, value in re.findall(r"(?im)^set-cookie: ([^=;]+)=([^;]*)", answered):
            self._cookies[name] = value
        return reader, writer, int(answered.split()[1]), answered

    async def get(self, path: str) -> tuple[str, float]:
        began = time.perf_counter()
        reader, writer, status, _ = await self._open("GET", path)
        text = (await reader.read()).decode()
        writer.close()  # type: ignore[attr-defined]
        assert status == 200, (path, status, text[:300])
        return text, (time.perf_counter() - began) * 1000

    async def sign_in(self) -> None:
        text, _ = await self.get("/chat/")
        found = re.search(r"X-CSRFToken(?:&quot;|\"): (?:&quot;|\")([A-Za-z0-9]+)", text)
        assert found, text[:500]
        self._token = found.group(1)

    async def ask(self, agent: str = "helper") -> tuple[asyncio.StreamReader, object]:
        """Start a conversation, and return the stream of its answer."""
        body = urlencode({"agent": agent, "text": "Where is my order?"}).encode()
        reader, writer, status, head = await self._open("POST", "/chat/start/", body)
        await reader.read()
        writer.close()  # type: ignore[attr-defined]
        assert status == 302, (status, head)
        place = re.search(r"(?im)^location: (\S+)", head)
        assert place
        page, _ = await self.get(place.group(1))
        follow = re.search(r'data-follow="([^"]+)"', page)
        assert follow, page[-2000:]
        reader, writer, status, _ = await self._open("GET", follow.group(1))
        assert status == 200
        return reader, writer

    async def first_word(self) -> float:
        """Ask, and return the milliseconds until a word is there beyond the model's own; the page in between counts."""
        began = time.perf_counter()
        reader, writer = await self.ask()
        while True:
            line = await asyncio.wait_for(reader.readline(), 60)
            if line.startswith(b"data: ") and json.loads(line[6:]).get("last"):
                writer.close()  # type: ignore[attr-defined]
                return (time.perf_counter() - began - MODEL_SECONDS) * 1000


async def _follow(reader: asyncio.StreamReader, seen: list[int]) -> None:
    try:
        while await reader.readline():
            seen[0] += 1
    except OSError:
        pass


def _memory(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found.group(1)) / 1024 if found else 0.0


_PAGES = {"/chat/": "the chat page", "/agents/": "the list of agents", "/": "the overview"}
_WORD = "the first word of an answer, beyond the model’s own"
Times = dict[str, list[float]]


async def _measure(stack: Stack, person: Person) -> Times:
    stack.shape(chunks=20, delay_us=round(MODEL_SECONDS * 1_000_000))
    times: Times = {_WORD: [await person.first_word() for _ in range(_VISITS // 2)]}
    for name in _PAGES.values():
        times[name] = []
    for _ in range(_VISITS):
        for path, name in _PAGES.items():
            times[name].append((await person.get(path))[1])
    return times


class Crowd:
    """Answers being written, each with a reader."""

    def __init__(self, person: Person) -> None:
        self._person, self._writers, self._gate = person, [], asyncio.Semaphore(6)  # type: ignore[var-annotated]
        self._tasks: list[asyncio.Task[None]] = []
        self.lines = [0]

    @property
    def lost(self) -> int:
        return sum(task.done() for task in self._tasks)

    async def come(self, count: int) -> None:
        await asyncio.gather(*(self._begin() for _ in range(count)))

    async def _begin(self) -> None:
        async with self._gate:
            reader, writer = await self._person.ask("crowd")
        self._writers.append(writer)  # a connection nobody holds is closed
        self._tasks.append(asyncio.create_task(_follow(reader, self.lines)))

    async def frames_a_second(self) -> float:
        lines, moment = self.lines[0], time.monotonic()
        await asyncio.sleep(10)
        return (self.lines[0] - lines) / _LINES_A_FRAME / (time.monotonic() - moment)

    def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            writer.close()


def _processor(pid: int) -> float:
    """Return the seconds of processor a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def streams(stack: Stack, crowd_port: int, cookies: dict[str, str], count: int) -> str:
    """Measure alone, and beside streams of either kind; each has a web process of its own."""
    found: dict[str, Times] = {}
    said = ""
    for kind, seconds in (("thinking", THINKING_SECONDS), ("talking", TALKING_SECONDS)):
        target = stack.facet()
        pid = target.pids[0]
        person = Person(int(target.url.split(":")[2].split("/")[0]), dict(cookies))
        await person.sign_in()
        if not found:
            found["alone"] = await _measure(stack, person)
        before, crowd = _memory(pid), Crowd(person)
        stack.shape(chunks=1_000, delay_us=round(seconds * 1_000_000), port=crowd_port)
        began = time.monotonic()
        await crowd.come(count)
        print(f"{count} {kind} in {time.monotonic() - began:.0f} s; process {pid}.", flush=True)
        await asyncio.sleep(5)
        used, moment = _processor(pid), time.monotonic()
        rate = await crowd.frames_a_second()
        used = (_processor(pid) - used) / (time.monotonic() - moment)
        after = _memory(pid)
        found[kind] = await _measure(stack, person)
        writing = int(stack.sql("SELECT count(*) FROM chat_message WHERE status = 'writing'").split()[0])
        said += (
            f"{count:,} {kind}: {writing:,} answers were being written, {crowd.lost} readers lost, {rate:,.0f} frames a"
            f" second reached them, which took {used:.0%} of one processor. Memory of the process: {before:.0f} MiB before,"
            f" {after:.0f} MiB with them, {(after - before) * 1024 / count:.0f} KiB a stream.\n\n"
        )
        crowd.leave()
        os.kill(pid, signal.SIGKILL)
        stack.sql("UPDATE chat_message SET status = 'interrupted' WHERE status = 'writing'")
    table = "| one web process | " + " | ".join(
        f"{name}: p50 | p95" for name in ("alone", f"beside {count:,} that think", f"beside {count:,} that talk")
    )
    table += " |\n|---|" + "---|" * 6 + "\n"
    for name in (_WORD, *_PAGES.values()):
        table += f"| {name} | " + " | ".join(_quantiles(times[name]) for times in found.values()) + " |\n"
    return table + "\n" + said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1_000, help="0: the pages only")
    parser.add_argument("--no-pages", action="store_true", help="the streams only; leaves docs/performance.md as it is")
    parser.add_argument("--print", action="store_true", help="leave docs/performance.md as it is")
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    stack = Stack()
    try:
        stack.manage("migrate", "--verbosity", "0")
        upstream = f"http://127.0.0.1:{stack.upstream_port}/v1"
        subprocess.run(
            [sys.executable, "-m", "bench.seed", upstream, "1000"],
            cwd=ROOT, env=stack.environment, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        crowd_port = stack.second_mock()
        seeded = json.loads(_run(stack, _SEED, f"http://127.0.0.1:{crowd_port}/v1"))
        table = ""
        if options.streams:
            table = asyncio.run(streams(stack, crowd_port, seeded["cookies"], options.streams))
            print(table, flush=True)
        if options.no_pages:
            return
        people = ", ".join(f"'{one}'" for one in seeded["people"])
        stack.sql("TRUNCATE chat_conversation CASCADE")
        stack.sql(_FILL.format(people=people, first=seeded["people"][0], key="uuid"))
        table = pages(stack) + "\n" + table
        print(table, flush=True)
    finally:
        stack.stop()
    if not (options.print or options.no_pages):
        put("chat", f"{where_and_when()}, load average {os.getloadavg()[0]:.1f}.\n\n{table}")


if __name__ == "__main__":
    main()
