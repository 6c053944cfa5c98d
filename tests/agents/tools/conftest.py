"""How these tests call a tool: as the engine would, with what a row says and nothing granted or asked."""

import uuid

import pytest

from agents_app.models import Tool
from agents_app.tools.base import ToolCall
from agents_app.tools.registry import kind_of
from console.core.crypto import decrypt
from console.gateway import sync
from tests.make import client_of


def call_of(tool: Tool, arguments: dict, **more) -> ToolCall:
    fields = {
        "run_id": uuid.uuid4(),
        "step_id": uuid.uuid4(),
        "team_id": tool.team_id,
        "tool_id": tool.pk,
        "tool_name": tool.slug,
        "arguments": arguments,
        "config": tool.config,
        "secret": decrypt(tool.secret) if tool.secret else "",
        "idempotency_key": uuid.uuid4(),
        "seconds": 5.0,
        "most_bytes": tool.most_bytes,
    }
    return ToolCall(**fields | more)


@pytest.fixture
def use():
    """Call a tool on the gateway's thread, as a worker does."""

    def use(tool: Tool, arguments: dict | None = None, **more):
        return sync.run(kind_of(tool.kind).call(call_of(tool, arguments or {}, **more)))

    yield use
    sync.stop()


@pytest.fixture
def signed_in(bella):
    yield client_of
    sync.stop()
