"""Team A with a collection of its own and one of the organisation, and a model the scripted provider embeds with."""

from collections.abc import Iterator

import pytest

from console.catalog.models import Provider
from console.gateway import sync
from console.knowledge.models import Collection, Document
from console.knowledge.services import collections, documents
from console.teams.actors import Actor
from tests import make
from tests.conftest import Cast
from tests.upstream import Upstream

POLICY = """# Price policy

Prices are shown with tax.

## Refunds

A jacket can be returned within 30 days.

## Shipping

Express parcels cost 12 euros.
"""


class World:
    def __init__(self, cast: Cast, url: str) -> None:
        self.cast, self.alice = cast, Actor("user", cast.alice.pk, "Alice")
        self.provider = Provider.objects.create(slug="fake", name="Fake", kind="openai", base_url=url)
        self.model = make.make_model("fake-embed", provider=self.provider, capabilities=["embedding"])
        self.support: Collection = collections.create_collection(
            actor=self.alice, team=cast.team_a, slug="support", name="Support"
        )
        self.everybody: Collection = collections.create_collection(
            actor=self.alice, team=None, slug="handbook", name="Handbook"
        )
        self.policy: Document = self.add("Price policy", POLICY)

    def add(self, name: str, text: str, collection: Collection | None = None) -> Document:
        return documents.add_document(actor=self.alice, collection=collection or self.support, name=name, text=text)


@pytest.fixture
def world(cast: Cast) -> World:
    return World(cast, "http://127.0.0.1:9/v1")


@pytest.fixture
def live(committed_db: None, upstream: Upstream) -> Iterator[World]:
    """Committed rows, for what goes through the pipeline."""
    yield World(Cast(), upstream.url)
    sync.stop()
