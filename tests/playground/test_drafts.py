"""A draft, tried before it is saved: its words go into the call, and nobody else's draft is ever read."""

import json
from typing import Any

from console.teams.actors import SYSTEM
from console.teams.models import Membership, Role
from console.teams.services.teams import remove_member
from prompts_app.models import Draft, Prompt
from tests import make
from tests.make import client_of
from tests.playground.conftest import World

EDITED = {
    **{"base": "2", "kind": "text", "m-0-text": "Be brief, {{tone}}. {{question}}"},
    **{"v-0-name": "tone", "v-0-type": "choice", "v-0-choices": "warm, dry", "v-0-is_required": "on"},
    **{"v-1-name": "question", "v-1-type": "text", "v-1-is_required": "on", "p-temperature": "0.2"},
}


def body(page: Any) -> Any:
    return json.loads(page.context["snippets"][0].text.split("-d ", 1)[1].strip("'"))


def test_the_editor_leads_to_the_draft_beside_the_live_version(world: World) -> None:
    alice = client_of(world.cast.alice)
    assert 'value="go-Try it"' in alice.get("/prompts/support/answer/-/edit/").content.decode()
    leaves = alice.post("/prompts/support/answer/-/draft/", {**EDITED, "do": "go-Try it"})
    assert leaves["Location"] == "/playground/?prompt=support/answer&draft=1"
    page = alice.get(leaves["Location"])
    bench, html = page.context["bench"], page.content.decode()
    assert [one.version for one in bench.set_ups] == ["1", "draft"]
    assert "Your draft of" in html and "Nobody else sees it" in html
    assert {one["name"] for one in page.context["fields"]} == {"tone", "question", "order"}

    form = {**world.form, "b-version": "draft", "var-tone": "dry"}
    sent = body(alice.post("/playground/code/?set-up=b", form))
    assert sent["messages"] == [{"role": "user", "content": "Be brief, dry. Where is it?"}] and "prompt" not in sent
    assert sent["temperature"] == 0.2
    sent = body(alice.post("/playground/code/?set-up=b", {**form, "message": "Hello", "b-temperature": "0.9"}))
    assert [one["role"] for one in sent["messages"]] == ["system", "user"] and sent["temperature"] == 0.9
    as_program = alice.post(
        "/api/prompts/support/answer/render",
        {"draft": True, "variables": {"tone": "dry", "question": "Hm"}},
        content_type="application/json",
    ).json()
    assert as_program["messages"] == [{"role": "user", "content": "Be brief, dry. Hm"}]
    assert (as_program["prompt"], as_program["parameters"]) == ("support/answer", {"temperature": 0.2})
    case = alice.post("/prompts/support/answer/-/tests/new/", {**form, "b-answer": "So.", "from": "b"})
    assert "the draft on support-chat" in case.content.decode()


def test_it_says_why_a_draft_cannot_be_sent(world: World) -> None:
    alice = client_of(world.cast.alice)

    def said(**fields: str) -> str:
        alice.post("/prompts/support/answer/-/draft/", {**EDITED, **fields})
        page = alice.post(
            "/playground/", {**world.form, "b-version": "draft", "var-tone": "dry", "do": "run", "a-model": ""}
        )
        return str(page.context["bench"].set_up("b").error)

    assert "Write the choices" in said(**{"v-0-choices": ""})
    assert "Write a number" in said(**{"p-temperature": "warm"})
    assert "no/such" in said(**{"m-0-text": "{{> no/such}}"})
    assert "Line 1: {{ is not closed" in said(**{"m-0-text": "{{tone"})
    Draft.objects.all().delete()
    page = alice.post("/playground/", {**world.form, "b-version": "draft", "a-model": "", "do": "run"})
    assert "You have no draft of this prompt any more" in page.context["bench"].set_up("b").error


def test_it_reads_no_draft_of_anybody_else(world: World) -> None:
    client_of(world.cast.alice).post("/prompts/support/answer/-/draft/", EDITED)
    bella = client_of(make.make_member(world.cast.team_a, role=Role.BUILDER))
    page = bella.get("/playground/?prompt=support/answer&draft=1")
    assert "Your draft of" not in page.content.decode()
    refused = bella.post("/playground/code/?set-up=b", {**world.form, "b-version": "draft"})
    assert refused.status_code == 404 and "Be brief" not in refused.content.decode()
    render = bella.post("/api/prompts/support/answer/render", {"draft": True}, content_type="application/json")
    assert render.status_code == 404


def test_whoever_left_the_team_reads_none_of_its_partials_by_an_old_draft(world: World) -> None:
    make.make_prompt(world.cast.team_a, "support/secret", "The house's own words.", kind="partial")
    alice, wanted = client_of(world.cast.alice), {"draft": True, "variables": {}}
    alice.post("/prompts/support/answer/-/draft/", {"base": "2", "kind": "text", "m-0-text": "{{> support/secret}}"})
    address = "/api/prompts/support/answer/render"
    assert "own words" in alice.post(address, wanted, content_type="application/json").content.decode()
    Prompt.objects.filter(slug="support/answer").update(visibility="organisation")
    make.make_member(world.cast.team_a, role=Role.OWNER)
    mine = Membership.objects.get(user=world.cast.alice, team=world.cast.team_a)
    remove_member(actor=SYSTEM, membership=mine)
    make.make_member(world.cast.team_b, world.cast.alice)
    refused = alice.post(address, wanted, content_type="application/json")
    assert refused.status_code == 404 and "no draft of this prompt any more" in refused.content.decode()
    page = alice.get("/playground/?prompt=support/answer&draft=1")
    assert page.status_code == 200 and "Your draft of" not in page.content.decode()
