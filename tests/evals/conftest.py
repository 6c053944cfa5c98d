"""Team A with a prompt of two versions and an alias that the scripted provider answers."""

from typing import Any

import pytest

from console.catalog.models import Provider
from console.evals.models import TestCase
from console.evals.services import cases
from console.teams.actors import Actor
from prompts_app.models import Prompt, PromptVersion
from tests import database, make
from tests.conftest import Cast
from tests.upstream import Upstream

CONTAINS = [{"kind": "contains", "value": "Settings"}]


class World:
    def __init__(self, cast: Cast, url: str) -> None:
        self.cast = cast
        self.alice = Actor("user", cast.alice.pk, "Alice")
        self.provider = Provider.objects.create(slug="fake", name="Fake", kind="openai", base_url=url)
        self.model = make.make_model("fake-model", provider=self.provider, capabilities=["chat", "embedding"])
        self.alias = make.make_alias("support-chat", production=self.model, sandbox=self.model)
        make.make_alias("embed", production=self.model, sandbox=self.model)
        self.prompt: Prompt = make.make_prompt(cast.team_a, "support/answer", "Answer: {{question}}")
        self.v1: PromptVersion = self.prompt.head  # type: ignore[assignment]
        self.v2: PromptVersion = make.save(self.prompt, "Be kind. {{question}}")

    def case(self, name: str, checks: list[Any] | None = None, **fields: Any) -> TestCase:
        fields.setdefault("variables", {"question": name})
        return cases.create_case(actor=self.alice, prompt=self.prompt, name=name, checks=checks or CONTAINS, **fields)


@pytest.fixture
def world(cast: Cast) -> World:
    made = database.once("world of tests", lambda: World(cast, "http://127.0.0.1:9/v1"))
    made.cast = cast
    return made


@pytest.fixture
def live(committed_db: None, upstream: Upstream) -> World:
    return World(Cast(), upstream.url)
