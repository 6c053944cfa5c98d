"""`model="agent:<slug>"`: an agent answers where a model would."""

import json

import pytest

from agents_app.services import agents, versions
from agents_app.where_used import uses_of
from console.audit.models import Payload
from console.core.errors import Refusal, Unavailable
from console.gateway.ledger import Ledger
from console.teams.actors import SYSTEM
from tests import make
from usage_app.queries.recount import differences
from usage_app.services.quotas import set_quota


@pytest.fixture
def helper(world):
    """An agent of the team that asks in its instructions for the name of the shop."""
    prompt = make.make_prompt(world.team, "shop/voice", "You speak for {{shop}}.", variables=[{"name": "shop"}])
    make.publish(prompt, label="staging")
    return make.make_agent(
        world.team,
        "helper",
        prompt=prompt,
        prompt_variables={"shop": "Larkfield"},
        parameters={"temperature": 0.3, "top_p": 0.8},
        limits={"output_tokens": 50, "messages": 3},
    )


def test_it_is_answered_without_asking_the_database_how_new_the_settings_are(ask, helper, monkeypatch):
    """That is asked with the first statement of the call, as for every other."""

    async def away(self):
        raise Unavailable("asked")

    assert ask(model="agent:helper").status_code == 200  # the settings are read
    monkeypatch.setattr(Ledger, "epoch", away)
    assert ask(model="agent:helper").status_code == 200


def test_it_answers_with_its_instructions_alias_parameters_and_limits(ask, world, helper):
    world.model.pins.update(default_parameters={"top_p": 0.1, "seed": 7})
    wanted, key = {"model": "agent:helper", "temperature": 0.9, "max_tokens": 400}, {"Idempotency-Key": "once"}
    response, again = (ask("Where is it?", **wanted, headers=key) for _ in range(2))
    assert response.status_code == 200, response.text
    assert again.headers["x-facet-idempotent-replay"] == "true"
    for said in (response.headers, again.headers):
        assert (said["x-facet-agent"], said["x-facet-prompt"]) == ("helper@1", "shop/voice@1")
    sent = world.upstream.seen[-1].body
    assert sent["messages"] == [
        {"role": "system", "content": "You speak for Larkfield."},
        {"role": "user", "content": "Where is it?"},
    ]
    assert sent["model"] == "fake-model"
    assert (sent["temperature"], sent["top_p"], sent["seed"], sent["max_tokens"]) == (0.9, 0.8, 7, 50)
    (line,) = world.calls()
    assert (line.agent, line.alias, line.type) == ("helper@1", "support-chat", "chat")
    assert json.loads(line.prompt) == [{"slug": "shop/voice", "number": 1}]
    kept = json.loads(Payload.objects.get(event_id=line.pk, kind="input").body)
    assert kept["model"] == "agent:helper" and kept["prompt"]["id"] == "shop/voice"

    streamed = ask("And now?", model="agent:helper", stream=True)
    assert streamed.headers["x-facet-agent"] == "helper@1" and "[DONE]" in streamed.text
    assert world.calls()[-1].agent == "helper@1"


def test_what_is_published_or_rolled_back_answers_the_next_call(ask, world, helper):
    assert ask(model="agent:helper").headers["x-facet-agent"] == "helper@1"
    first = helper.live
    make.publish_agent(helper, prompt_variables={"shop": "Elsewhere"})
    assert ask(model="agent:helper").headers["x-facet-agent"] == "helper@2"
    assert world.upstream.seen[-1].body["messages"][0]["content"] == "You speak for Elsewhere."
    versions.roll_back_agent(actor=SYSTEM, agent=helper, to=first, reason="wrong shop", seen_revision=helper.revision)
    assert ask(model="agent:helper").headers["x-facet-agent"] == "helper@1"
    agents.archive_agent(actor=SYSTEM, agent=helper)
    assert ask(model="agent:helper").status_code == 404
    assert [line.agent for line in world.calls()] == ["helper@1", "helper@2", "helper@1", ""]


def test_who_may_not_use_it_finds_no_such_model(ask, client, world, helper):
    other = make.make_team("Other")
    third = make.make_team("Third")
    keys = {team.name: {"Authorization": f"Bearer {make.make_key(team)[1]}"} for team in (other, third)}

    def status(name: str) -> int:
        listed = client.get("/v1/models", headers=keys[name]).json()["data"]
        answered = ask(model="agent:helper", headers=keys[name])
        assert ("agent:helper" in [row["id"] for row in listed]) == (answered.status_code == 200)
        return answered.status_code

    unknown, theirs = (ask(model=f"agent:{slug}", headers=keys["Other"]) for slug in ("nobody", "helper"))
    assert unknown.status_code == theirs.status_code == 404
    same = [one.json()["error"] | {"message": ""} for one in (unknown, theirs)]
    assert same[0] == same[1] and "does not exist" in theirs.json()["error"]["message"]
    agents.change_agent(actor=SYSTEM, agent=helper, audience="teams", shared_with=[other])
    assert (status("Other"), status("Third")) == (200, 404)
    agents.change_agent(actor=SYSTEM, agent=helper, audience="organisation")
    assert (status("Other"), status("Third")) == (200, 200)
    # What operators keep for one team is not given away by sharing an agent that answers with it.
    world.alias.teams.add(world.team)
    agents.change_agent(actor=SYSTEM, agent=helper, description="moves the epoch")
    assert status("Other") == 404
    agents.change_agent(actor=SYSTEM, agent=helper, audience="team")
    assert ask(model="agent:helper").status_code == 200
    draft = make.make_agent(world.team, "draft", is_live=False)
    assert ask(model=f"agent:{draft.slug}").status_code == 404


def test_models_lists_it_as_its_team_s(client, world, helper):
    row = client.get("/v1/models/agent:helper").json()
    assert row == {
        "id": "agent:helper",
        "object": "model",
        "created": int(helper.created_at.timestamp()),
        "owned_by": "support",
    }
    assert client.get("/v1/models/agent:helper@sandbox").json()["id"] == "agent:helper@sandbox"
    _, limited = make.make_key(world.team, aliases=[make.make_alias("else", production=world.model).name])
    listed = client.get("/v1/models", headers={"Authorization": f"Bearer {limited}"}).json()["data"]
    assert [one["id"] for one in listed] == ["else"], "a key limited to aliases gets no agent that answers with others"


def test_it_refuses_by_name_and_on_record(ask, client, world, helper):
    for body, status, says in (
        ({"prompt": {"id": "shop/voice"}}, 400, "leave prompt out"),
        ({"messages": [{"role": "user", "content": "x"}] * 4}, 400, "at most 3 messages; this request has 4"),
        ({"model": "agent:"}, 404, "does not exist"),
        ({"model": "agent:helper@mars"}, 404, "not an environment"),
    ):
        response = ask(**{"model": "agent:helper", **body})
        assert (response.status_code, says in response.json()["error"]["message"]) == (status, True), response.text
    vectors = client.post("/v1/embeddings", json={"model": "agent:helper", "input": "x"})
    assert vectors.status_code == 400 and "/v1/chat/completions" in vectors.json()["error"]["message"]
    # The prompt's label moves to a version for which the agent has no values: its own team reads why, others do not.
    agents.change_agent(actor=SYSTEM, agent=helper, audience="organisation")
    prompt = make.make_prompt(world.team, "shop/next", "x", live=None)
    make.publish(prompt)
    make.publish_agent(helper, prompt_slug="shop/next", prompt_variables={})
    make.save(prompt, "{{secret_name}}", variables=[{"name": "secret_name"}])
    make.publish(prompt)
    stranger = {"Authorization": f"Bearer {make.make_key(make.make_team('Other'))[1]}"}
    inside, outside = ask(model="agent:helper"), ask(model="agent:helper", headers=stranger)
    assert inside.status_code == outside.status_code == 404
    assert inside.json()["error"]["code"] == "agent_not_ready"
    assert "secret_name" in inside.text and "secret_name" not in outside.text
    assert [(line.status, line.agent) for line in world.calls()[-2:]] == [("refused", "helper@2")] * 2
    assert "secret_name" in world.calls()[-1].reason


def test_a_quota_of_an_agent_counts_what_it_answers_and_nothing_else(ask, world, helper):
    other = make.make_agent(world.team, "other")
    assert ask(model="agent:helper").status_code == ask().status_code == 200
    quota = set_quota(actor=SYSTEM, team=world.team, metric="requests", window="day", limit=2, agent="helper")
    assert quota.opening_used == 1, "of the alias it answers with there was one call more"
    answers = [ask(model=model) for model in ("agent:helper", "agent:helper", "support-chat", f"agent:{other.slug}")]
    assert [answer.status_code for answer in answers] == [200, 429, 200, 200]
    assert "2 requests a day of the agent helper" in answers[1].json()["error"]["message"]
    assert differences() == []
    assert [use.name for use in uses_of(helper)] == ["Requests per day of agent helper"]
    with pytest.raises(Refusal, match="Requests per day of agent helper"):
        agents.archive_agent(actor=SYSTEM, agent=helper)
