"""Draft, publish, roll back: what the services keep true."""

import pytest

from agents_app import where_used
from agents_app.errors import NothingChanged, NotReady, StaleAgent, StillUsed
from agents_app.models import Agent, AgentMove
from agents_app.requests import ask_of
from agents_app.services import agents, drafts, versions
from console.audit.models import AuditEvent
from console.catalog import where_used as of_aliases
from console.catalog.models import Alias
from console.chat.models import Widget
from console.core.errors import BadInput, Conflict
from console.teams.actors import SYSTEM
from prompts_app import where_used as of_prompts
from prompts_app.errors import StillUsed as PromptStillUsed
from prompts_app.models import Prompt
from prompts_app.services import prompts
from tests import make


@pytest.fixture
def agent(cast):
    return make.make_agent(cast.team_a, "helper")


def save(agent, revision=None, **fields):
    agent = Agent.objects.select_related("draft").get(pk=agent.pk)
    seen = agent.draft.revision if revision is None else revision
    return drafts.save_draft(actor=SYSTEM, agent=agent, seen_revision=seen, **fields)


def test_it_publishes_versions_that_stay_and_moves_what_is_live(agent):
    first = agent.live
    draft = save(agent, opening_message="Hello")
    agent.refresh_from_db()
    assert agent.live == first, "a draft answers nobody"
    second = versions.publish_agent(actor=SYSTEM, agent=agent, message="greets", seen_revision=draft.revision)
    agent.refresh_from_db()
    assert (agent.live, second.number, second.opening_message) == (second, 2, "Hello")
    assert agent.draft.base == second
    versions.roll_back_agent(actor=SYSTEM, agent=agent, to=first, reason="too chatty", seen_revision=agent.revision)
    agent.refresh_from_db()
    assert agent.live == first and agent.draft.opening_message == "Hello"
    moves = AgentMove.objects.filter(agent=agent).values_list("from_version__number", "to_version__number", "reason")
    assert list(moves) == [(2, 1, "too chatty"), (1, 2, "greets"), (None, 1, "because")]
    actions = AuditEvent.objects.filter(action__startswith="agent.").order_by("id").values_list("action", flat=True)
    published = ["agent.created", "agent.published", "agent.saved", "agent.published", "agent.rolled_back"]
    assert list(actions) == published
    with pytest.raises(NothingChanged):
        versions.roll_back_agent(actor=SYSTEM, agent=agent, to=first, reason="x", seen_revision=agent.revision)


def test_nobody_overwrites_what_they_have_not_seen(agent):
    seen = Agent.objects.get(pk=agent.pk).draft.revision
    save(agent, revision=seen, opening_message="one")
    with pytest.raises(StaleAgent, match="changed the draft"):
        save(agent, revision=seen, opening_message="two")
    with pytest.raises(StaleAgent):
        versions.publish_agent(actor=SYSTEM, agent=agent, message="", seen_revision=seen)
    first, was = agent.live, agent.revision
    make.publish_agent(agent)
    with pytest.raises(StaleAgent, match="made version 2 live"):
        versions.roll_back_agent(actor=SYSTEM, agent=agent, to=first, reason="x", seen_revision=was)
    draft = save(agent, opening_message="three")
    with pytest.raises(StaleAgent, match="made version 2 live"):
        versions.publish_agent(actor=SYSTEM, agent=agent, message="", seen_revision=draft.revision, seen_live=1)


def test_it_asks_for_all_that_is_missing_at_once(cast):
    far = make.make_alias("far", production=make.make_model())
    far.teams.add(cast.team_b)
    theirs = make.make_prompt(cast.team_b, "their/words")
    agent = make.make_agent(
        cast.team_a, "new-one", is_live=False, alias="far", prompt_slug=theirs.slug, knowledge=["prices"]
    )
    with pytest.raises(NotReady) as refused:
        versions.publish_agent(actor=SYSTEM, agent=agent, message="", seen_revision=1)
    assert refused.value.problems == (
        "There is no prompt 'their/words', or your team may not use it."
        " The page Prompts (GET /api/prompts/) lists those it may.",
        "Team A may not call an alias 'far'.",
        "There is no collection 'prices' of this team or of the whole organisation. Make it, or leave it out.",
    )
    asks = make.make_prompt(cast.team_a, "own/words", "{{who}}", variables=[{"name": "who"}])
    far.teams.clear()
    far.pins.update(max_parameters={"temperature": 1})
    save(agent, prompt_slug=asks.slug, parameters={"temperature": 1.5}, knowledge=[])
    with pytest.raises(NotReady, match=r"missing: who.*allows at most 1 in production"):
        versions.publish_agent(actor=SYSTEM, agent=agent, message="", seen_revision=2)
    save(agent, prompt_slug=make.make_prompt(cast.team_a, "own/part", "x", kind="partial").slug)
    with pytest.raises(NotReady, match="own/part is a partial: prompts include it"):
        versions.publish_agent(actor=SYSTEM, agent=agent, message="", seen_revision=3)
    save(agent, prompt_slug=asks.slug, prompt_variables={"who": "you"}, parameters={})
    versions.publish_agent(actor=SYSTEM, agent=agent, message="", seen_revision=4)
    with pytest.raises(NothingChanged):
        versions.publish_agent(actor=SYSTEM, agent=agent, message="", seen_revision=5)


def test_it_is_not_published_with_a_model_that_does_not_chat(cast):
    embed = make.make_alias("embed", production=make.make_model("vectors", capabilities=["embedding"]))
    agent = make.make_agent(cast.team_a, "new-one", is_live=False, alias="embed")
    said = "fake/vectors, pinned for 'embed' in production, does not chat. Move the pin to a model that does, or choose"
    said += " another alias; if it does, an operator ticks that on the model's page."
    with pytest.raises(NotReady) as refused:
        versions.publish_agent(actor=SYSTEM, agent=agent, message="", seen_revision=1)
    assert refused.value.problems == (said,)
    embed.teams.add(cast.team_b)
    with pytest.raises(NotReady) as refused:
        versions.publish_agent(actor=SYSTEM, agent=agent, message="", seen_revision=1)
    assert refused.value.problems == ("Team A may not call an alias 'embed'.",), "and no word of another team's model"


def test_it_refuses_what_cannot_be_by_name(cast, agent):
    for fields, param in (
        ({"prompt_slug": "a@3"}, "prompt_slug"),
        ({"prompt_label": "Not A Label"}, "prompt_label"),
        ({"prompt_label": "canary", "prompt_number": 3}, "prompt_number"),
        ({"prompt_number": True}, "prompt_number"),
        ({"prompt_variables": []}, "prompt_variables"),
        ({"parameters": {"max_tokens": 5}}, "parameters.max_tokens"),
        ({"parameters": {"temperature": 9}}, "parameters.temperature"),
        ({"limits": {"messages": 0}}, "limits.messages"),
        ({"limits": {"stpes": 3}}, "limits.stpes"),
        ({"limits": {"steps": 201}}, "limits.steps"),
        ({"suggested_questions": "x"}, "suggested_questions"),
        ({"suggested_questions": [str(n) for n in range(7)]}, "suggested_questions"),
        ({"opening_message": "x" * 2001}, "opening_message"),
        ({"opening_message": "a\0b"}, "opening_message"),
        ({"grants": [{"tool": "look_up", "mode": "maybe"}]}, "grants.0.mode"),
        ({"input_schema": {"type": "string"}}, "input_schema"),
        ({"input_schema": {"type": "object", "properties": {"a": {"maximum": 10**30}}}}, "input_schema"),
        ({"output_schema": {"type": "object", "properties": {"a": {"pattern": "a"}}}}, "output_schema"),
        ({"knowledge": "prices"}, "knowledge"),
        ({"knowledge": [f"c{n}" for n in range(11)]}, "knowledge"),
        ({"limits": {"passages": 21}}, "limits.passages"),
    ):
        with pytest.raises(BadInput) as refused:
            save(agent, **fields)
        assert refused.value.param == param, fields
    for fields, error in (
        ({"slug": "helper"}, Conflict),
        ({"slug": "new"}, BadInput),
        ({"slug": "No Good"}, BadInput),
        ({"name": " "}, BadInput),
        ({"audience": "nobody"}, BadInput),
        ({"audience": "teams", "shared_with": [cast.team_a]}, BadInput),
    ):
        with pytest.raises(error):
            agents.create_agent(actor=SYSTEM, team=cast.team_a, **{"slug": "fresh", "name": "Fresh", **fields})


def test_what_is_used_stays(cast, agent):
    widget = Widget.objects.create(public_id="w", team=cast.team_b, agent=agent, name="Shop")
    with pytest.raises(StillUsed, match="1 of other teams"):
        agents.archive_agent(actor=SYSTEM, agent=agent)
    widget.team = cast.team_a
    widget.save()
    with pytest.raises(StillUsed, match="widget Shop"):
        agents.archive_agent(actor=SYSTEM, agent=agent)
    assert [use.name for use in where_used.uses_of(agent)] == ["Shop"]
    with pytest.raises(StillUsed, match="archive it"):
        agents.delete_agent(actor=SYSTEM, agent=agent)
    prompt = Prompt.objects.get(slug="helper/instructions")
    other = make.make_prompt(cast.team_a, "other")
    with pytest.raises(PromptStillUsed, match="agent helper"):
        prompts.delete_prompt(actor=SYSTEM, prompt=prompt)
    save(agent, prompt_slug="other", prompt_number=1)
    assert [(use.name, use.holds) for use in of_prompts.uses_of(prompt) if use.kind == "agent"] == [("helper", True)]
    assert [(use.detail, use.holds) for use in of_prompts.uses_of(other)] == [("version 1, in its draft", False)]
    assert [use.name for use in of_aliases.uses_of(Alias.objects.get(name="support-chat"))] == ["helper"]
    widget.delete()
    agents.archive_agent(actor=SYSTEM, agent=agent)
    with pytest.raises(StaleAgent, match="archived"):
        save(agent, opening_message="x")
    with pytest.raises(Conflict, match="archived"):
        agents.create_agent(actor=SYSTEM, team=cast.team_a, slug="helper", name="Again")
    never = make.make_agent(cast.team_a, "never", is_live=False)
    agents.delete_agent(actor=SYSTEM, agent=never)
    assert not Agent.objects.filter(slug="never").exists()


def test_it_asks_with_the_newest_messages_a_question_first(cast):
    agent = make.make_agent(cast.team_a, "brief", limits={"messages": 4})
    history = [{"role": role, "content": str(n)} for n, role in enumerate(["user", "assistant"] * 4 + ["user"])]
    body = ask_of(agent.live, history, whom="visitor 1")
    assert body["model"] == "agent:brief" and body["stream"] is True and body["safety_identifier"] == "visitor 1"
    assert [message["content"] for message in body["messages"]] == ["6", "7", "8"]
    assert ask_of(agent.live, history[:1], is_stream=False) == {"model": "agent:brief", "messages": history[:1]}
