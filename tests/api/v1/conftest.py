"""The wire tests use the gateway's world: a team, a key, an alias, a scripted provider."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests import sdks
from tests.gateway.conftest import World, ask, client, world  # noqa: F401
from tests.live import LiveServer


@pytest.fixture
def sdk(server: LiveServer, world: World) -> Iterator[Any]:  # noqa: F811
    """OpenAI's own client, as a team would set it up."""
    with sdks.openai.OpenAI(base_url=f"{server.url}/v1", api_key=world.key_text, timeout=60, max_retries=0) as made:
        yield made


@pytest.fixture
async def async_sdk(server: LiveServer, world: World) -> AsyncIterator[Any]:  # noqa: F811
    async with sdks.openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=world.key_text, timeout=60) as made:
        yield made


@pytest.fixture
def anthropic_sdk(server: LiveServer, world: World) -> Iterator[Any]:  # noqa: F811
    with sdks.anthropic.Anthropic(base_url=server.url, api_key=world.key_text, timeout=60, max_retries=0) as made:
        yield made
