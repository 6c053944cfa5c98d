"""`kill -9` at each phase of a step: one run is held at each of them, and all that carries them dies at once.

Every run ends right, and the till counts every payment once.
"""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
from django.db import connection
from django.db.models.functions import Now

from agents_app.models import Approval, Run, Step
from console.audit.models import AuditEvent
from tests import make
from tests.gateway.invariants import check_invariants
from tests.live import LiveServer, WebProcess, WorkerProcess, is_running
from tests.runs.works import Works


@dataclass(frozen=True)
class Phase:
    """Where a run is held: at a `gate` or a `hold` (see holding.py), or by the model or the till (`shut`).

    `stands` are its steps as they are on record meanwhile. `unclear`: what a person finds out about a call whose worker
    died, where nobody else can know.
    """

    stands: tuple[str, ...] = ()
    gate: str = ""
    hold: str = ""
    shut: str = ""
    tool: str = "pay"
    unclear: str = ""


ASKS, CALLS = ("model intended",), ("model done", "tool intended")
PHASES = {
    "before the intent to ask": Phase(gate="the model of turn 1 is intended"),
    "before the model is asked": Phase(ASKS, hold="model"),
    "while the model answers": Phase(ASKS, shut="brain"),
    "after its answer is on record": Phase(ASKS, gate="the model of turn 1 is done"),
    "between the answer and the call": Phase(("model done", "tool planned"), gate="the tool of turn 1 is intended"),
    "before the call is sent": Phase(CALLS, hold="tool", unclear="not_done"),
    "before a call is sent that may be repeated": Phase(CALLS, hold="tool", tool="repay"),
    "during the call before it happens": Phase(CALLS, shut="before", unclear="not_done"),
    "during the call after it happened": Phase(CALLS, shut="after", unclear="done"),
    "during a call that may be repeated": Phase(CALLS, shut="after", tool="repay"),
    "after the call": Phase(CALLS, gate="the tool of turn 1 is done", unclear="done"),
    "between two turns": Phase(("model done", "tool done"), gate="the model of turn 2 is intended"),
    "before the end": Phase(("model done", "tool done", "model done"), gate="the run is succeeded"),
    "while a person is asked": Phase(("model done", "tool waiting"), tool="request"),
    "while it waits for a time": Phase(("model done", "tool waiting"), tool="wait"),
}
REPEATED = {"before a call is sent that may be repeated", "during a call that may be repeated"}


def taken(run: Run) -> list[tuple[str, str]]:
    """Return kind and state of its steps, but of those a slow machine came to too late: nothing was sent for them."""
    return list(run.steps.exclude(note__in=["too_late", "not_sent"]).values_list("kind", "state"))


class Held:
    """A run at each phase, held there until `release`."""

    def __init__(self, works: Works, death: str, start: Callable[[str], object], *, beats: bool = False) -> None:
        """Start the runs. `beats`: while they are on their way, what beat sends is sent, too.

        A worker whose leases are short loses what stands at a gate for longer than that, once somebody looks.
        """
        self.works = works
        self.words = {phase: f"{death}: {phase}" for phase in PHASES}
        for phase, word in self.words.items():
            self._hold(PHASES[phase], word)
        for word in self.words.values():
            start(word)
        works.until(lambda: not self._on_the_way(), self._on_the_way, beats=beats)
        self.runs = {phase: Run.objects.get(title=word) for phase, word in self.words.items()}
        for phase, run in self.runs.items():
            stands = tuple(f"{kind} {state}" for kind, state in taken(run))
            assert stands == PHASES[phase].stands, phase
        answered = self.runs["after its answer is on record"].steps.latest("number").request_id
        assert AuditEvent.objects.get(pk=answered).status == "ok"

    def _hold(self, phase: Phase, word: str) -> None:
        brain, till = self.works.brain, self.works.till
        pays = (phase.tool, {"what": word})
        brain.plans[word] = [("wait", {"seconds": 600}), ("pay", pays[1])] if phase.tool == "wait" else [pays]
        if phase.gate:
            self.works.gates.close(f"{word}: {phase.gate}")
        if phase.hold:
            self.works.holds.close(f"{phase.hold} {word}")
        if phase.shut:
            {"brain": brain.shut, "before": till.before, "after": till.after}[phase.shut].add(word)

    def _on_the_way(self) -> list[tuple[str, Any]]:
        left = [phase for phase in PHASES if not self._is_there(PHASES[phase], self.words[phase])]
        runs = Run.objects.filter(title__in=[self.words[phase] for phase in left]) if left else []
        states = {run.title: (run.state, run.worker, run.fence, run.trouble) for run in runs}
        return [(phase, states.get(self.words[phase])) for phase in left]

    def _is_there(self, phase: Phase, word: str) -> bool:
        works = self.works
        if phase.gate:
            return works.gates.is_reached(f"{word}: {phase.gate}")
        if phase.hold:
            return works.holds.is_reached(f"{phase.hold} {word}")
        if phase.shut == "brain":
            return works.brain.asked[f"{word} 0"] > 0
        if phase.shut:
            return works.till.hangs(word) if phase.shut == "before" else works.till.taken[word] > 0
        return Run.objects.filter(title=word, state="waiting").exists()

    def release(self) -> None:
        """Let go; the person who was asked has decided meanwhile, and the time has come that was waited for."""
        self.works.release()
        self.works.decide(self.runs["while a person is asked"])
        waits = self.runs["while it waits for a time"]
        step = waits.steps.get(kind="tool")
        Step.objects.filter(pk=step.pk).update(output=step.output | {"until": str(waits.created_at)})
        Run.objects.filter(pk=waits.pk).update(wake_at=Now())

    def find_out(self) -> None:
        """Have a person say what became of each call nobody else can know of."""
        unclear = {phase: how.unclear for phase, how in PHASES.items() if how.unclear}
        asked = Approval.objects.filter(run__in=self.runs.values(), kind="outcome", state="waiting")
        self.works.until(lambda: asked.count() == len(unclear), lambda: list(asked.values_list("run__title")))
        for phase, outcome in unclear.items():
            assert self.runs[phase].steps.get(kind="tool").state == "unknown"
            more = {"result": "It is in the till."} if outcome == "done" else {}
            self.works.decide(self.runs[phase], answer={"outcome": outcome} | more)

    def check(self, *, is_worker_lost: bool) -> None:
        """Every run has ended well, was paid once, and its steps, the log and the model's own count agree."""
        works = self.works
        works.until_over(list(self.runs.values()))
        asked_twice = set()
        for phase, run in self.runs.items():
            run.refresh_from_db()
            word = self.words[phase]
            assert (run.state, run.lease_until) == ("succeeded", None), (phase, run.state, run.code, run.trouble)
            assert works.till.taken[word] == 1, (phase, list(run.steps.values_list("kind", "state", "note", "output")))
            if works.brain.asked[f"{word} 0"] != 1:
                asked_twice.add(phase)
            lines = AuditEvent.objects.filter(client_request_id=run.public_id)
            was_cut = is_worker_lost and (bool(PHASES[phase].unclear) or phase in REPEATED)
            assert lines.filter(type="tool", status="interrupted").count() == was_cut, phase
            assert sum(line.cost_micros for line in lines.filter(type="agent", status="ok")) == run.cost_micros, phase
            approvals = Approval.objects.filter(run=run).count()
            wanted = phase == "while a person is asked" or (is_worker_lost and bool(PHASES[phase].unclear))
            assert approvals == wanted, phase
        assert asked_twice == ({"while the model answers"} if is_worker_lost else set())
        for phase in REPEATED:
            assert len(works.till.keys[self.words[phase]]) == 1, "a repeated call has the key of the first"
        if is_worker_lost:
            assert "It is in the till." in self.runs["after the call"].output["text"]
            steps = taken(self.runs["while the model answers"])
            assert steps == [("model", "failed"), ("model", "done"), ("tool", "done"), ("model", "done")]


def test_whatever_is_killed_at_each_phase_of_a_step_every_effect_is_there_once(
    works: Works,
    server: LiveServer,
) -> None:
    web = works.web()
    # It lives through the first death: what is held for longer than a lease would be lost to it.
    worker = works.worker(AGENT_LEASE_SECONDS="60", GATEWAY_LEASE_SECONDS="60")
    lose_the_web_and_the_broker(works, web.wait(), server)

    def the_worker() -> WorkerProcess:
        worker.kill()
        return works.worker(pool="prefork")

    def the_children() -> WorkerProcess:
        for pid in worker.children():
            os.kill(pid, signal.SIGKILL)
        return worker

    def the_parent() -> WorkerProcess:
        pool = worker.children()
        worker.kill()
        works.until(lambda: not any(is_running(pid) for pid in pool), beats=False)
        return works.worker()

    for kill in (the_worker, the_children, the_parent):
        held = Held(works, kill.__name__, works.start)
        cut_off = works.till.closed_early + sum(how.shut in {"before", "after"} for how in PHASES.values())
        worker = kill()
        works.until(lambda cut_off=cut_off: works.till.closed_early == cut_off, beats=False)
        held.release()
        if kill is not the_parent:  # whose run out by themselves
            works.let_leases_run_out()
        held.find_out()
        held.check(is_worker_lost=True)
    check_invariants(works.world.calls, works.brain)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        )
        assert cursor.fetchone()[0] == 0


class Client:
    """A program that starts runs by the API and waits for each, and sees some of what they do."""

    def __init__(self, web: str, key: str) -> None:
        self.web, self.headers = web, {"Authorization": f"Bearer {key}"}
        self.threads: list[threading.Thread] = []
        self.answers: list[httpx.Response] = []
        self.lines: list[str] = []

    def later(self, do: Callable[..., None], *given: Any) -> None:
        def work() -> None:
            with suppress(httpx.HTTPError):
                do(*given)

        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()

    def start(self, word: str, *, wait: int = 60) -> None:
        body = {"input": {"message": word}, "wait": wait}
        headers = self.headers | {"Idempotency-Key": word}
        url = f"{self.web}/v1/agents/payer/runs"
        self.answers.append(httpx.post(url, json=body, headers=headers, timeout=60))

    def chat(self, word: str) -> None:
        body = {"model": "agent:payer", "messages": [{"role": "user", "content": word}]}
        url = f"{self.web}/v1/chat/completions"
        self.answers.append(httpx.post(url, json=body, headers=self.headers, timeout=60))

    def follow(self, run: Run) -> None:
        """Write down the events of a run, as far as they come."""
        url = f"{self.web}/v1/agents/payer/runs/{run.public_id}/events"
        with httpx.stream("GET", url, headers=self.headers, timeout=60) as events:
            for line in events.iter_lines():
                self.lines.append(line)


def lose_the_web_and_the_broker(works: Works, web: WebProcess, server: LiveServer) -> None:
    """Kill the web process while programs wait for a run at each phase, for a chat, and for events.

    With it goes all the broker has: the messages of decisions and of new runs, and what it keeps for limits.
    """
    _, key = make.make_key(works.world.team, "web")
    client = Client(web.url, key)

    works.brain.shut.add("a chat")
    client.later(client.chat, "a chat")
    held = Held(works, "the web process", lambda word: client.later(client.start, word), beats=True)
    works.until(lambda: works.brain.asked["a chat 0"])
    chat = Run.objects.get(trigger="chat")
    client.later(client.follow, chat)
    works.until(lambda: "event: step" in client.lines)
    web.kill()
    for thread in client.threads:
        thread.join(60)
    assert client.answers == [] and not any('"succeeded"' in line for line in client.lines)
    late = make.make_run(works.agent, works.ada, "late")
    works.valkey.lose_everything()
    held.release()
    # Nothing is left but what the database says; the next beat finds it all. Out of order and twice is harmless.
    works.until(lambda: works.till.taken["late"])
    for run in (late, *held.runs.values()) * 2:
        works.advance(run)
    held.check(is_worker_lost=False)
    works.until_over([chat, late])
    assert works.till.taken["late"] == 1
    assert works.workers[-1].process.poll() is None, "its worker lives on"

    # The next process knows what the first was asked, and what became of it.
    client = Client(server.url, key)
    for word in held.words.values():
        client.start(word, wait=0)
    assert {answer.json()["id"] for answer in client.answers} == {run.public_id for run in held.runs.values()}
    client.follow(chat)
    assert client.lines.count("event: step") == 3 and any('"succeeded"' in line for line in client.lines[-3:])
