"""Talk to a draft as it is typed: it answers as it would once published, on record and counted; nothing is saved."""

import json
from typing import Any

from django.test import Client

from agents_app.models import Agent, AgentDraft
from console.audit.models import AuditEvent
from console.core.ids import request_id
from console.teams.actors import SYSTEM
from tests import make
from tests.agents.test_pages import form_of
from tests.chat.conftest import Room
from tests.chat.conftest import room as room
from tests.make import client_of
from tests.upstream import completion
from usage_app.services import quotas

HTMX = {"HX-Request": "true"}


def test_it_answers_as_what_is_typed_would(room: Room) -> None:
    bella = make.make_member(room.team, make.make_user("bella@example.com"), "builder")
    builder, url = client_of(bella), "/agents/helper/edit/"
    make.make_prompt(room.team, "shop/tone", "You speak for {{shop}}.", variables=[{"name": "shop"}])
    before = AgentDraft.objects.get(agent=room.agent).revision
    typed = form_of(
        room.agent, prompt_slug="shop/tone", which="1", alias="support-chat", temperature="0.3", output_tokens="77",
        **{"var-shop": "Larkfield", "question": "Who are you? <b>", "do": "try"},
    )  # fmt: skip
    room.upstream.enqueue(completion("I speak for <i>Larkfield</i>."))
    piece = builder.post(url, typed, headers=HTMX)
    assert piece.status_code == 200 and "<html" not in piece.text
    assert "I speak for &lt;i&gt;Larkfield&lt;/i&gt;." in piece.text and "fake/fake-model" in piece.text
    sent = room.upstream.seen[-1].body
    assert [one["content"] for one in sent["messages"]] == ["You speak for Larkfield.", "Who are you? <b>"]
    assert sent["temperature"] == 0.3 and 77 in (sent.get("max_tokens"), sent.get("max_completion_tokens"))
    line = AuditEvent.objects.get(surface="playground")
    assert (line.actor, line.route) == (str(bella), url) and '"slug":"shop/tone"' in line.prompt
    assert line.cost_micros > 0 and AgentDraft.objects.get(agent=room.agent).revision == before
    assert Agent.objects.get(pk=room.agent.pk).live == room.agent.live

    # It goes on, without htmx too, and begins again when asked to.
    turns = [
        {"role": "user", "content": "Who?"},
        {"role": "assistant", "content": "I."},
        {"role": ["x"], "content": ""},
    ]
    said = json.dumps(turns)
    room.upstream.enqueue(completion("Still Larkfield."))
    page = builder.post(url, typed | {"said": said})
    assert "<html" in page.text and "Still Larkfield." in page.text and "Larkfield</textarea>" in page.text
    assert [one["role"] for one in room.upstream.seen[-1].body["messages"]] == ["system", "user", "assistant", "user"]
    room.upstream.enqueue(completion("Anew."))
    builder.post(url, typed | {"said": said, "afresh": "yes"}, headers=HTMX)
    assert len(room.upstream.seen[-1].body["messages"]) == 2

    quotas.set_quota(actor=SYSTEM, team=room.team, metric="requests", window="day", limit=3, mode="hard")
    refused = builder.post(url, typed, headers=HTMX).text
    assert "It resets at" in refused and "Who are you? &lt;b&gt;</textarea>" in refused
    for wrong, sentence in (
        ({"question": " "}, "Write a question first."),
        ({"alias": ""}, "Choose the alias"),
        ({"temperature": "hot"}, "Some fields hold what cannot be used"),
    ):
        assert sentence in builder.post(url, typed | wrong, headers=HTMX).text
    assert client_of(room.ada).post(url, typed).status_code == 403


def test_programs_ask_it_over_the_api(room: Room) -> None:
    """With a key or a session, with fields in place of the draft's, and for the agent's own team alone."""
    bella = make.make_member(room.team, make.make_user("bella@example.com"), "builder")
    key = make.make_key(room.team, owner=bella, scopes=["prompts:write", "models:call"], environment="sandbox")[1]
    url, before = "/api/agents/helper/draft/try/", AgentDraft.objects.get(agent=room.agent).revision

    def ask(body: object, text: str = key, client: Client | None = None) -> Any:
        headers = {"Authorization": f"Bearer {text}"} if client is None else {}
        return (client or Client()).post(url, json.dumps(body), content_type="application/json", headers=headers)

    turns = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "I."}]
    room.upstream.enqueue(completion("At your service."))
    typed = {"parameters": {"temperature": 0.3}, "prompt_label": "production"}
    said = ask({"question": "Who are you?", "turns": turns} | typed)
    assert said.status_code == 200, said.text
    answer = said.json()
    assert (answer["answer"], answer["model"]) == ("At your service.", "fake/fake-model")
    assert answer["turns"][:2] == turns and [one["role"] for one in answer["turns"]] == ["user", "assistant"] * 2
    sent = room.upstream.seen[-1].body
    assert sent["temperature"] == 0.3 and [one["content"] for one in sent["messages"]][-3:] == [
        "Who?", "I.", "Who are you?",
    ]  # fmt: skip
    line = AuditEvent.objects.get(surface="playground")
    assert (line.actor_kind, line.environment, line.route) == ("key", "sandbox", url) and line.cost_micros > 0
    assert answer["request_id"] == request_id(line.pk) and answer["cost_micros"] == line.cost_micros
    room.upstream.enqueue(completion("As you."))
    assert ask({"question": "And me?"}, client=client_of(bella)).json()["answer"] == "As you."
    by_bella = AuditEvent.objects.get(surface="playground", actor_kind="user")
    assert (by_bella.actor_id, by_bella.environment) == (bella.pk, "production")
    draft = AgentDraft.objects.get(agent=room.agent)
    assert draft.revision == before and draft.parameters == {}

    for wrong, param in (
        ({}, "question"),
        ({"question": " "}, "question"),
        ({"question": "x", "alias": ""}, "alias"),
        ({"question": "x", "turns": [{"role": "system", "content": "x"}]}, "turns.0.role"),
        ({"question": "x", "parameters": {"temperature": "hot"}}, "parameters.temperature"),
        ({"question": "x", "revision": 1}, "revision"),
    ):
        refused = ask(wrong)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param), refused.text
    unable = make.make_key(room.team, owner=bella, scopes=["prompts:write"])[1]
    assert ask({"question": "x"}, unable).json()["error"]["code"] == "scope_missing"
    olga = make.make_user("olga@example.com", is_superuser=True)
    foreign = make.make_key(make.make_team("Elsewhere"), owner=olga, scopes=["installation:manage", "models:call"])[1]
    assert "take a key of Support" in ask({"question": "x"}, foreign).json()["error"]["message"]
    assert ask({"question": "x"}, client=client_of(room.ada)).status_code == 403
    assert len(room.upstream.seen) == 2


def test_it_shows_the_instructions_that_are_typed(cast, signed_in, bella) -> None:
    make.make_prompt(cast.team_a, "shop/tone", "You speak for {{shop}}.", variables=[{"name": "shop"}])
    agent = make.make_agent(cast.team_a, "helper")
    typed = form_of(agent, prompt_slug="shop/tone", which="1", do="preview", **{"var-shop": "Larkfield"})
    builder = signed_in(bella)
    piece = builder.post("/agents/helper/edit/", typed, headers=HTMX).text
    assert "You speak for Larkfield." in piece and "<html" not in piece and 'id="preview"' in piece
    looked = builder.post("/agents/helper/edit/", typed | {"do": "look"}, headers=HTMX).text
    assert 'name="var-shop"' in looked and 'id="preview"' not in looked
    broken = builder.post("/agents/helper/edit/", typed | {"temperature": "hot"}, headers=HTMX)
    assert broken.status_code == 200 and "cannot be used" in broken.text
