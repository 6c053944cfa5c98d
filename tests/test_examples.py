"""What the stories of examples/ need is made by whichever telling gets that far."""

import json
from typing import Any

import httpx2
import pytest
from django.test import Client

from agents_app.models import Agent, Queue, Tool, Trigger
from console.catalog.models import PinMove, Provider
from examples.console import Console
from examples.making import ensure_agent, ensure_prompt
from examples.operations.setting_up import set_up
from prompts_app.models import Label
from tests import make
from tests.conftest import Cast


class Inside(Console):
    """A console spoken to without a server."""

    client: Client

    def _request(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        sent = json.dumps(body) if body is not None else ""
        answer = self.client.generic(method, f"/api/{path}", sent, content_type="application/json")
        request = httpx2.Request(method, f"http://test/api/{path}")
        return httpx2.Response(answer.status_code, content=answer.content, request=request)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        return self._read(self._request(method, path, body))

    def find(self, path: str) -> Any:
        answer = self._request("GET", path)
        return None if answer.status_code == 404 else self._read(answer)


@pytest.fixture
def console(cast: Cast) -> Inside:
    found = Inside(url="http://test", team=cast.team_a.slug, key="", browser=httpx2.Client())
    found.client = Client()
    found.client.force_login(cast.alice)
    return found


def test_a_telling_finishes_what_one_before_it_left_half_made(cast: Cast, console: Inside) -> None:
    make.make_alias("chat", production=make.make_model(), sandbox=make.make_model()).teams.set([cast.team_a])
    left = {"team": console.team, "slug": "voice", "content": [{"role": "", "text": "Be brief."}], "message": "x"}
    console.ask("POST", "prompts/", left)
    console.ask("POST", "agents/", {"team": console.team, "slug": "shop", "name": "Shop", "alias": "gone"})
    for _ in range(2):
        ensure_prompt(console, "voice", "Be brief.")
        ensure_agent(console, "shop", name="Shop", prompt_slug="voice", alias="chat")
        assert set(Label.objects.values_list("name", flat=True)) == {"production", "staging"}
        agent = Agent.objects.get()
        assert agent.live is not None
        assert (agent.live.number, agent.live.alias, agent.live.prompt_slug) == (1, "chat", "voice")


def test_a_story_leaves_the_prompt_of_another_team_alone_and_makes_its_own(cast: Cast, console: Inside) -> None:
    console.client.force_login(cast.operator)
    make.make_prompt(cast.team_b, "voice", "Theirs.")
    for _ in range(2):
        assert ensure_prompt(console, "voice", "Be brief.") == "team-a/voice"
    labels = Label.objects.exclude(prompt__slug="voice").values_list("prompt__slug", "prompt__team__slug", "name")
    assert set(labels) == {("team-a/voice", "team-a", "production"), ("team-a/voice", "team-a", "staging")}
    assert not Label.objects.filter(prompt__slug="voice", name="staging").exists()


def test_a_story_told_again_makes_nothing_twice_and_moves_its_model_to_where_it_is_now(
    cast: Cast, console: Inside
) -> None:
    console.client.force_login(cast.operator)
    made = [set_up(console, "http://127.0.0.1:8751")]
    moves = PinMove.objects.count()
    made += [set_up(console, "http://127.0.0.1:8752")]
    assert made[0]["id"] == made[1]["id"] and moves == PinMove.objects.count() == 2
    assert (Agent.objects.count(), Trigger.objects.count(), Queue.objects.count()) == (1, 1, 1)
    assert set(Tool.objects.values_list("slug", flat=True)) == {"service_status", "restart_service"}
    assert Provider.objects.get(slug="scripted-operations").base_url == "http://127.0.0.1:8752/v1"
    assert all("127.0.0.1:8752" in tool.config["url"] for tool in Tool.objects.all())
