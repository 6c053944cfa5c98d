"""`set-up UPSTREAM TILL`: a team with agents that call a tool or ask first. `start AGENT N`: so many runs."""

import json
import sys
from typing import Any

import django

django.setup()

from agents_app.models import Agent, Run  # noqa: E402
from agents_app.services.runs import Origin, start_run  # noqa: E402
from console.teams.actors import Actor  # noqa: E402
from console.teams.models import ApiKey  # noqa: E402
from tests import make  # noqa: E402
from tests.runs.workshop import PARAMETERS  # noqa: E402


def set_up(upstream: str, till: str, **tool: Any) -> None:
    from console.catalog.models import Provider

    team = make.make_team("Load")
    provider = Provider.objects.create(slug="fake", name="Fake", kind="openai", base_url=upstream)
    make.make_alias("support-chat", production=make.make_model(provider=provider, capabilities=["chat", "tools"]))
    config = {"method": "POST", "url": till, "body": "rest", "pick": "/taken"}
    make.make_tool(team, "pay", kind="http", effect="write", config=config, parameters=PARAMETERS, **tool)
    make.make_agent(team, "payer", grants=[{"tool": "pay", "mode": "allow"}])
    make.make_agent(team, "asker", grants=[{"tool": "pay"}])
    make.make_key(team, "load")


def start(slug: str, count: int) -> None:
    key = ApiKey.objects.get(team__slug="load")
    actor = Actor("key", key.pk, key.name, "127.0.0.1")
    agent = Agent.objects.select_related("live", "team").get(slug=slug)
    for _ in range(count):
        start_run(
            actor=actor,
            agent=agent,
            input={"message": "pay"},
            environment="production",
            origin=Origin(Run.Trigger.API),
        )
    print(json.dumps({"started": count}))


if __name__ == "__main__":
    if sys.argv[1] == "set-up":
        set_up(*sys.argv[2:])
    else:
        start(sys.argv[2], int(sys.argv[3]))
