"""Runs of an agent with tools: bella built it, bob starts it, anna approves, charlie is a stranger."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents_app.engine.runner import advance
from agents_app.models import Agent, Approval, Run, Tool
from agents_app.services.approvals import decide_approval
from agents_app.tools.registry import KINDS
from console.gateway import sync
from console.teams.models import Role, User
from tests import database, make
from tests.batches.conftest import no_broker as no_broker
from tests.gateway.conftest import World, world  # noqa: F401
from tests.runs.counting import PARAMETERS, Counting
from tests.runs.works import works  # noqa: F401
from tests.valkey import valkey_server  # noqa: F401


@pytest.fixture
def anna(cast):
    return make.make_member(cast.team_a, make.make_user("anna@example.com"), Role.APPROVER)


@pytest.fixture
def refund(cast):
    amount = {"type": "integer", "minimum": 1}
    properties = {"order": {"type": "string"}, "amount": amount}
    parameters = {"type": "object", "properties": properties, "required": ["order"]}
    return database.once("refund", lambda: make.make_tool(cast.team_a, "refund", parameters=parameters, effect="write"))


@pytest.fixture
def agent(cast, refund):
    return database.once("clerk", lambda: make_clerk(cast))


def make_clerk(cast):
    make.make_tool(cast.team_a, "look_up")
    make.make_alias("support-chat", production=make.make_model(capabilities=["chat", "tools"]))
    grants = [
        {"tool": "look_up"},
        {"tool": "refund", "editable": ["amount"], "arguments": {"order": {"max_length": 9}}},
    ]
    return make.make_agent(cast.team_a, "clerk", name="Clerk", grants=grants)


class Shop:
    """An agent that counts, in the gateway's world: ada runs it, anna approves. `go` takes a run as far as it gets."""

    def __init__(self, world: World, file: Path) -> None:  # noqa: F811
        self.world, self.file = world, file
        made = database.once("shop", self._made, said=[str(file)])
        self.ada, self.anna, self.count, self.pay, self.agent = made

    def _made(self) -> tuple[User, User, Tool, Tool, Agent]:
        team = self.world.team
        ada = make.make_member(team, make.make_user("ada@example.com"))
        anna = make.make_member(team, make.make_user("anna@example.com"), Role.APPROVER)
        count, pay = self.tool("count", effect="read"), self.tool("pay", effect="write")
        return ada, anna, count, pay, make.make_agent(team, "clerk", grants=[{"tool": "count"}, {"tool": "pay"}])

    def tool(self, slug: str, **fields: Any) -> Tool:
        fields = {"kind": "counting", "config": {"file": str(self.file)}, "parameters": PARAMETERS, **fields}
        return make.make_tool(self.world.team, slug, **fields)

    def says(self, *answers: dict[str, Any]) -> None:
        for answer in answers:
            self.world.upstream.enqueue(answer)

    def start(self, message: str = "Count.", *, user: User | None = None, **fields: Any) -> Run:
        return make.make_run(self.agent, user or self.ada, message, **fields)

    @staticmethod
    def go(run: Run) -> Run:
        Run.objects.filter(pk=run.pk, state__in=["queued", "running"]).update(wake_at=None)
        while advance(run.pk):
            pass
        run.refresh_from_db()
        return run

    def run(self, *answers: dict[str, Any], **fields: Any) -> Run:
        self.says(*answers)
        return self.go(self.start(**fields))

    def decide(self, run: Run, is_approved: bool = True, **more: Any) -> Run:
        approval = Approval.objects.get(run=run, state="waiting")
        decide_approval(
            actor=make.actor_for(self.anna),
            approval=approval,
            is_approved=is_approved,
            seen_sha256=approval.sha256,
            **more,
        )
        return self.go(run)

    @staticmethod
    def steps(run: Run) -> list[tuple[str, str, str]]:
        return [(step.kind, step.tool_name, step.state) for step in run.steps.all()]

    def sent(self, number: int = -1) -> list[dict[str, Any]]:
        """Return the messages of a request the provider got."""
        return self.world.upstream.seen[number].body["messages"]


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "counting", Counting())


@pytest.fixture
def shop(world: World, counting: None, tmp_path: Path) -> Iterator[Shop]:  # noqa: F811
    yield Shop(world, tmp_path / "counted")
    sync.stop()
