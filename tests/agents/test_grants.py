"""The builder: granting tools, holding runs to limits, starting a run or a try-out from the console."""

import pytest

from agents_app import definition
from agents_app.models import AgentDraft, Run, Tool
from agents_app.tools import config_fields
from console.audit.models import AuditEvent
from console.core.errors import BadInput
from console.teams.models import Role
from tests import make
from tests.batches.conftest import no_broker as no_broker
from tests.make import client_of


@pytest.fixture
def agent(cast):
    properties = {"order": {"type": "string", "description": "Its number"}, "amount": {"type": "integer"}}
    parameters = {"type": "object", "properties": properties | {"fast": {"type": "boolean"}}, "required": ["order"]}
    make.make_tool(cast.team_a, "refund", parameters=parameters, effect="write")
    make.make_tool(cast.team_b, "theirs")
    make.make_alias("support-chat", production=make.make_model(capabilities=["chat", "tools"]))
    return make.make_agent(cast.team_a, "clerk", name="Clerk")


def form(agent, **fields):
    return {"seen_revision": AgentDraft.objects.get(agent=agent).revision, **fields}


URL = "/agents/clerk/grants/refund/"


def test_it_grants_a_tool_argument_by_argument(agent, cast):
    alice = client_of(cast.alice)
    assert "refund" in alice.get("/agents/clerk/grants/new/").content.decode()
    sent = {"mode": "ask", "most_calls": "3", "others_approve": "on", "kind-order": "prefix", "value-order": "2026-"}
    sent |= {"kind-amount": "range", "value-amount": "1..200", "edit-amount": "on", "kind-fast": "equals"}
    answer = alice.post(URL, form(agent, **sent, **{"value-fast": "true"}))
    assert answer.status_code == 302, answer.context["form"].errors
    kept = AgentDraft.objects.get(agent=agent).grants
    assert kept == [
        {
            "tool": "refund",
            "mode": "ask",
            "arguments": {"order": {"prefix": "2026-"}, "amount": {"min": 1, "max": 200}, "fast": {"equals": True}},
            "most_calls": 3,
            "editable": ["amount"],
            "others_approve": True,
        }
    ]
    shown = alice.get("/agents/clerk/edit/").content.decode()
    assert "amount ≥ 1 ≤ 200" in shown and "Requires another approver" in shown and "3 per run" in shown
    again = alice.get(URL).content.decode()
    assert 'value="1..200"' in again and 'value="2026-"' in again
    assert AuditEvent.objects.filter(action="agent.saved").last().actor == str(cast.alice)


def test_it_says_what_is_wrong_and_keeps_what_was_typed(agent, cast):
    wrong = {
        "kind-amount": "range", "value-amount": "many", "kind-order": "equals", "kind-fast": "equals",
        "value-fast": "perhaps", "rules": "[{]",
    }  # fmt: skip
    answer = client_of(cast.alice).post(URL, form(agent, **wrong))
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert "1..200" in shown and "Say what it is limited to." in shown and "Type true or false." in shown
    assert "This is not JSON." in shown and 'value="many"' in shown
    assert AgentDraft.objects.get(agent=agent).grants == []


def test_a_stale_form_overwrites_nothing(agent, cast):
    old = form(agent, mode="allow")
    make.publish_agent(agent, opening_message="Hello")
    answer = client_of(cast.alice).post(URL, old)
    assert answer.status_code == 409 and "in “Calls”; saving again replaces that" in answer.text
    assert '<option value="allow" selected>' in answer.text
    assert AgentDraft.objects.get(agent=agent).grants == []


def test_a_tool_beyond_the_first_page_is_found(agent, cast):
    row = make.make_tool(cast.team_a, "a0")
    Tool.objects.bulk_create(Tool(team=row.team, slug=f"a{n}", name="A", kind=row.kind) for n in range(1, 60))
    alice, url = client_of(cast.alice), "/agents/clerk/grants/new/"
    first = alice.get(url).text
    assert "61 tools" in first and "grants/refund/" not in first and "page=2" in first and 'name="q"' in first
    assert "grants/refund/" in alice.get(f"{url}?page=2").text and "1 tool<" in alice.get(f"{url}?q=refu").text
    assert "No tool matches" in alice.get(f"{url}?q=zzz").text
    assert f'hx-get="{url}" hx-include="closest form" hx-trigger="input changed delay' in first
    piece = alice.get(f"{url}?q=refu", headers={"HX-Request": "true", "HX-Target": "list"}).text
    assert "grants/refund/" in piece and "<form" not in piece
    assert "61 tools" in alice.get("/tools/").text and "?page=1" in alice.get("/tools/?page=9").text


def test_it_withdraws_a_grant(agent, cast):
    alice = client_of(cast.alice)
    alice.post(URL, form(agent))
    assert alice.post(URL + "withdraw/").status_code == 302
    assert AgentDraft.objects.get(agent=agent).grants == []
    assert alice.post(URL + "withdraw/").status_code == 404


def test_it_hides_other_teams_tools_and_refuses_members(agent, cast):
    assert client_of(cast.alice).get("/agents/clerk/grants/theirs/").status_code == 404
    assert "theirs" not in client_of(cast.alice).get("/agents/clerk/grants/new/").content.decode()
    assert client_of(cast.bob).get(URL).status_code == 403
    assert client_of(cast.charlie).get(URL).status_code in {403, 404}


def test_it_holds_runs_to_limits_and_shapes_their_input(agent, cast):
    alice = client_of(cast.alice)
    schema = '{"type": "object", "properties": {"order": {"type": "string"}, "urgent": {"type": "boolean"}}}'
    answer = alice.post("/agents/clerk/limits/", form(agent, steps="7", input_schema=schema, output_schema="{"))
    assert answer.status_code == 422 and "This is not JSON." in answer.content.decode()
    nul = '{"type": "object", "description": "\\u0000"}'
    answer = alice.post("/agents/clerk/limits/", form(agent, steps="7", input_schema=nul))
    assert answer.status_code == 422 and "This is not JSON." in answer.content.decode()
    said = r"Write \u0000 and nothing else."  # six letters, which only spell it
    assert definition.checked({"opening_message": said}) == {"opening_message": said}
    config_fields.only({"body": said}, ("body",))
    with pytest.raises(BadInput, match="not text"):
        config_fields.only({"body": ["\0"]}, ("body",))
    given = {"steps": "7", "input_schema": schema, "seconds": "1 h 30 min", "cost_micros": "0.25"}
    wrong = alice.post("/agents/clerk/limits/", form(agent, **given | {"approval_seconds": "40 d"}))
    assert wrong.status_code == 422 and "From 1 s to 30 d." in wrong.content.decode()
    wrong = alice.post("/agents/clerk/limits/", form(agent, **given | {"approval_seconds": "soon"}))
    assert wrong.status_code == 422 and 'value="1 h 30 min"' in wrong.content.decode()
    assert alice.post("/agents/clerk/limits/", form(agent, **given)).status_code == 302
    draft = AgentDraft.objects.get(agent=agent)
    assert (draft.limits["seconds"], draft.limits["cost_micros"]) == (5400, 250_000)
    again = alice.get("/agents/clerk/limits/").content.decode()
    assert 'value="1 h 30 min"' in again and 'value="0.25"' in again
    assert "1 h 30 min of work" in alice.get("/agents/clerk/edit/").content.decode()
    assert draft.limits["steps"] == 7 and draft.input_schema["properties"]["order"] == {"type": "string"}
    page = alice.get("/agents/clerk/run/?what=draft").content.decode()
    assert 'name="answer-order"' in page and 'name="answer-urgent"' in page


def test_it_starts_what_is_live_for_whoever_may_use_it(agent, cast):
    bob = client_of(cast.bob)
    assert "Message" in bob.get("/agents/clerk/run/").content.decode()
    empty = bob.post("/agents/clerk/run/", {"environment": "production"})
    assert empty.status_code == 422 and Run.objects.count() == 0
    answer = bob.post("/agents/clerk/run/", {"environment": "production", "answer-message": "Where is 17?"})
    run = Run.objects.get()
    assert answer["Location"] == f"/runs/{run.public_id}/"
    assert (run.input, run.trigger, run.actor_id) == ({"message": "Where is 17?"}, "console", cast.bob.pk)
    auditor = make.make_member(cast.team_a, role=Role.AUDITOR)
    assert client_of(auditor).get("/agents/clerk/run/").status_code == 403


def test_it_tries_a_draft_out_with_simulated_tools_step_by_step(agent, cast):
    sent = {
        "what": "draft",
        "environment": "production",
        "answer-message": "Hi",
        "tools": "simulated",
        "step_by_step": "1",
    }
    assert client_of(cast.alice).post("/agents/clerk/run/", sent).status_code == 302
    run = Run.objects.get()
    assert (run.trigger, run.version, run.is_simulated, run.is_step_by_step) == ("try_out", None, True, True)
    client_of(cast.bob).post("/agents/clerk/run/", sent)  # bob does not build: he gets what is live, with real tools
    assert (Run.objects.first().trigger, Run.objects.first().is_simulated) == ("console", False)
