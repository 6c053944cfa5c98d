"""A small library, the same in every test of git."""

import pytest

from console.teams.callers import SYSTEM
from prompts_app.services.labels import publish
from prompts_app.services.prompts import create_prompt
from tests.conftest import Cast
from tests.prompts.git.git import save


@pytest.fixture
def library(cast: Cast) -> Cast:
    """A partial, a chat that includes it, and a text of two versions, the first of them live."""
    made = {"actor": SYSTEM, "team": cast.team_a}
    create_prompt(**made, slug="style", kind="partial", content=[{"role": "", "text": "Be brief."}])
    chat = [{"role": "system", "text": "{{> style}}\n# [user]\n"}, {"role": "user", "text": "{{question}}"}]
    create_prompt(**made, slug="support/chat", kind="chat", content=chat, tags=["a"], message="Begin")
    text = create_prompt(**made, slug="support/answer", content=[{"role": "", "text": "Answer.\n"}])
    save("support/answer", "Answer well.", "Say well")
    first = text.versions.get(number=1)
    publish(actor=SYSTEM, prompt=text, version=first, label="production", reason="go", seen_revision=0)
    return cast
