"""Real workers and a real broker, with agents that pay at a till; and what beat would send."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.db.models.functions import Now

from agents_app.models import Approval, Run
from agents_app.services.approvals import decide_approval
from console.teams.models import Role
from tests import make
from tests.gateway.conftest import World
from tests.live import WebProcess, WorkerProcess
from tests.runs.holding import Gates, Holds
from tests.runs.workshop import PARAMETERS, Brain, Till
from tests.valkey import Valkey, valkey_server  # noqa: F401
from tests.waiting import until
from usage_app.models import Reservation

QUICK = {"AGENT_LEASE_SECONDS": "5", "GATEWAY_LEASE_SECONDS": "8"}


class Works:
    """An agent `payer`: `pay` happens at the till, `repay` is idempotent, `request` asks a person, `wait` waits."""

    def __init__(self, valkey: Valkey, folder: Path) -> None:
        self.brain, self.till, self.valkey = Brain(), Till(), valkey
        self.gates, self.holds = Gates(), Holds(folder)
        self.brain.start()
        self.till.start()
        self.world = World(self.brain)
        self.ada = make.make_member(self.world.team, make.make_user("ada@example.com"))
        self.anna = make.make_member(self.world.team, make.make_user("anna@example.com"), Role.APPROVER)
        self.agent = self._agent()
        self.broker = Celery("test", broker=valkey.url.replace("unix://", "redis+socket://"), set_as_current=False)
        self.workers: list[WorkerProcess] = []
        self.webs: list[WebProcess] = []
        self.tasks = ["agents.drive", "gateway.sweep"]

    def _agent(self) -> Any:
        config = {"method": "POST", "url": f"http://127.0.0.1:{self.till.port}/pay", "body": "rest", "pick": "/taken"}
        pays: dict[str, Any] = {"kind": "http", "effect": "write", "config": config, "parameters": PARAMETERS}
        make.make_tool(self.world.team, "pay", **pays)
        make.make_tool(self.world.team, "repay", is_idempotent=True, **pays)
        make.make_tool(self.world.team, "request", **pays)
        wait = {"type": "object", "properties": {"seconds": {"type": "integer"}}, "required": ["seconds"]}
        make.make_tool(self.world.team, "wait", kind="wait", config={"most_seconds": 3600}, parameters=wait)
        allowed = [{"tool": tool, "mode": "allow"} for tool in ("pay", "repay", "wait")]
        return make.make_agent(self.world.team, "payer", grants=[*allowed, {"tool": "request"}])

    def worker(self, **more: str) -> WorkerProcess:
        environment = {"VALKEY_URL": self.valkey.url, **QUICK, **self.holds.environment, **more}
        self.workers.append(WorkerProcess("standard", **environment))
        return self.workers[-1]

    def web(self) -> WebProcess:
        """Start a web process; wait for it, and then ask it."""
        self.webs.append(WebProcess(VALKEY_URL=self.valkey.url))
        return self.webs[-1]

    def advance(self, run: Run) -> None:
        """Send what starting a run or deciding about it sends."""
        self.broker.send_task("agents.advance", args=[str(run.pk)], queue="standard")

    def start(self, word: str) -> Run:
        run = make.make_run(self.agent, self.ada, word)
        self.advance(run)
        return run

    def beat(self) -> None:
        for task in self.tasks:
            self.broker.send_task(task, queue="standard")

    def until(self, condition: Callable[[], Any], what: Callable[[], Any] | str = "", *, beats: bool = True) -> None:
        """Wait, and send what beat sends, more often than it does: one message too many is harmless."""
        until(condition, what or "what that line waits for", 120, meanwhile=self.beat if beats else None)

    def until_over(self, runs: list[Run]) -> None:
        left = Run.objects.filter(pk__in=[run.pk for run in runs]).exclude(state__in=Run.OVER)
        self.until(lambda: not left.exists(), lambda: list(left.values_list("title", "state", "waits_for", "trouble")))

    def decide(self, run: Run, **answer: Any) -> None:
        approval = Approval.objects.get(run=run, state="waiting")
        decide_approval(
            actor=make.actor_for(self.anna), approval=approval, is_approved=True, seen_sha256=approval.sha256, **answer
        )

    @staticmethod
    def let_leases_run_out() -> None:
        """Let the time pass that dead workers have their runs and calls for."""
        Run.objects.exclude(lease_until=None).update(lease_until=Now())
        Reservation.objects.update(expires_at=Now())

    def release(self) -> None:
        """Let everything go on that is held anywhere."""
        self.brain.shut.clear()
        self.till.before.clear()
        self.till.after.clear()
        self.gates.open_all()
        self.holds.open_all()

    def close(self) -> None:
        self.release()
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            worker.stop()
        for web in self.webs:
            web.stop()
        self.gates.remove()
        self.broker.close()
        self.brain.stop()
        self.till.stop()


@pytest.fixture
def works(committed_db: None, valkey_server: Valkey, tmp_path: Path) -> Iterator[Works]:  # noqa: F811
    works = Works(valkey_server, tmp_path)
    yield works
    works.close()
