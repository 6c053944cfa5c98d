"""A team with a key and an alias that the scripted provider answers."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import pytest

from console.audit.models import AuditEvent, EventType
from console.catalog.models import Alias, ModelVersion, Provider
from console.gateway import runtime
from console.teams.models import ApiKey, Team
from tests import database, make
from tests.gateway.invariants import check_invariants
from tests.live import LiveServer
from tests.upstream import Upstream


class World:
    """What a test of the gateway works with. `calls()` are the log's lines about calls, oldest first."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        made = database.once(("world of the gateway", upstream.url), self._made)
        self.team, self.provider, self.model, self.alias, self.key, self.key_text = made
        self.headers = {"Authorization": f"Bearer {self.key_text}"}

    def _made(self) -> tuple[Team, Provider, ModelVersion, Alias, ApiKey, str]:
        team = make.make_team("Support")
        provider = Provider.objects.create(slug="fake", name="Fake", kind="openai", base_url=self.upstream.url)
        model = make.make_model(
            "fake-model", provider=provider, capabilities=["chat", "tools", "json_schema", "vision"]
        )
        alias = make.make_alias("support-chat", production=model, sandbox=model)
        return team, provider, model, alias, *make.make_key(team, "help-app")

    @staticmethod
    def forgive() -> None:
        """Close every breaker: for tests that have a provider fail more often than one that works would."""
        for gateway in runtime._gateways.values():
            gateway.provider_gate.breakers.clear()

    def calls(self) -> list[AuditEvent]:
        outside = [EventType.ADMIN, EventType.ACCESS]
        return list(AuditEvent.objects.exclude(type__in=outside).order_by("id"))


@pytest.fixture
def world(server: LiveServer, upstream: Upstream) -> Iterator[World]:
    world = World(upstream)
    yield world
    check_invariants(world.calls, upstream)


@pytest.fixture
def client(server: LiveServer, world: World) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers=world.headers, timeout=60, verify=False) as client:
        yield client


@pytest.fixture
def ask(client: httpx.Client) -> Callable[..., httpx.Response]:
    """Post a chat completion and return the response; keyword arguments are members of the body."""

    def post(text: str = "Where is my order?", *, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        body = {"model": "support-chat", "messages": [{"role": "user", "content": text}], **more}
        return client.post("/v1/chat/completions", json=body, headers=headers)

    return post
