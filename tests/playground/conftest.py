"""Team A with a prompt and an alias that the scripted provider answers."""

import pytest

from console.catalog.models import Provider
from prompts_app.models import Prompt
from tests import make
from tests.conftest import Cast


class World:
    def __init__(self, cast: Cast, url: str) -> None:
        self.cast = cast
        self.provider = Provider.objects.create(slug="fake", name="Fake", kind="openai", base_url=url)
        self.model = make.make_model("fake-model", provider=self.provider, capabilities=["chat", "tools"])
        self.alias = make.make_alias("support-chat", production=self.model, sandbox=self.model)
        self.prompt: Prompt = make.make_prompt(
            cast.team_a,
            "support/answer",
            "Question: {{question}} Order {{order}} Plan {{plan}}",
            variables=[
                {"name": "order", "type": "number", "example": 7},
                {"name": "plan", "default": "free"},
            ],
        )
        make.save(self.prompt, "Be kind. {{question}} {{order}} {{plan}}")

    @property
    def form(self) -> dict[str, str]:
        """What the page sends: version 1 and 2 on the same model."""
        return {
            "prompt": "support/answer",
            "for": "team-a",
            "var-question": "Where is it?",
            "var-order": "12",
            "a-model": "support-chat@sandbox",
            "a-version": "1",
            "a-temperature": "0.3",
            "b-model": "support-chat@production",
            "b-version": "2",
        }


@pytest.fixture
def world(cast: Cast) -> World:
    return World(cast, "http://127.0.0.1:9/v1")
