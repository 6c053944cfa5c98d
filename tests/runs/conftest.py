"""Runs of an agent with tools: bella built it, bob starts it, anna approves, charlie is a stranger."""

import pytest

from console.teams.models import Role
from tests import make


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages only hurry what the sweeper does anyway."""
    monkeypatch.setattr("console.core.tasks.current_app.send_task", lambda *args, **options: None)


@pytest.fixture
def anna(cast):
    return make.make_member(cast.team_a, make.make_user("anna@example.com"), Role.APPROVER)


@pytest.fixture
def refund(cast):
    amount = {"type": "integer", "minimum": 1}
    properties = {"order": {"type": "string"}, "amount": amount}
    parameters = {"type": "object", "properties": properties, "required": ["order"]}
    return make.make_tool(cast.team_a, "refund", parameters=parameters, effect="write")


@pytest.fixture
def agent(cast, refund):
    make.make_tool(cast.team_a, "look_up")
    make.make_alias("support-chat", production=make.make_model(capabilities=["chat", "tools"]))
    grants = [
        {"tool": "look_up"},
        {"tool": "refund", "editable": ["amount"], "arguments": {"order": {"max_length": 9}}},
    ]
    return make.make_agent(cast.team_a, "clerk", name="Clerk", grants=grants)
