"""Batches in the gateway's world. A worker's turn is taken in the test's own thread, without a broker."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from console.batches.engine.runner import advance
from console.batches.models import Batch, File
from console.batches.services.batches import create_batch
from console.batches.services.creator import Creator
from console.batches.services.files import upload_file
from console.gateway import sync
from console.teams.actors import Actor
from tests.gateway.conftest import World, client, world  # noqa: F401

CHAT = "/v1/chat/completions"


def line(number: int, *, model: str = "support-chat", url: str = CHAT, **more: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": f"Ticket {number}"}], "max_tokens": 20, **more}
    return {"custom_id": f"ticket-{number}", "method": "POST", "url": url, "body": body}


def jsonl(*lines: Any) -> bytes:
    return b"".join((json.dumps(one) if isinstance(one, dict) else one).encode() + b"\n" for one in lines)


def content(file: File | None) -> list[dict[str, Any]]:
    assert file is not None
    raw = b"".join(bytes(chunk.body) for chunk in file.chunks.order_by("number"))
    assert len(raw) == file.bytes
    return [json.loads(one) for one in raw.splitlines()]


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages only hurry what the sweeper does anyway."""
    monkeypatch.setattr("console.core.tasks.current_app.send_task", lambda *args, **options: None)


@pytest.fixture
def gateway_thread() -> Iterator[None]:
    yield
    sync.stop()


@pytest.fixture
def creator(world: World) -> Creator:  # noqa: F811
    actor = Actor("key", world.key.pk, f"{world.key.name} {world.key.shown}", "127.0.0.1")
    return Creator(actor, world.team, "production", key_id=world.key.pk)


@pytest.fixture
def make_batch(creator: Creator) -> Callable[..., Batch]:
    """Upload lines and make a batch of them."""

    def make(*lines: Any, endpoint: str = CHAT) -> Batch:
        file = upload_file(creator=creator, filename="tickets.jsonl", purpose="batch", content=[jsonl(*lines)])
        return create_batch(creator=creator, file=file, endpoint=endpoint)

    return make


@pytest.fixture
def run(gateway_thread: None) -> Callable[[Batch], Batch]:
    """Take turns until the batch is over, or must wait."""

    def turns(batch: Batch) -> Batch:
        while advance(batch.pk):
            pass
        batch.refresh_from_db()
        return batch

    return turns
